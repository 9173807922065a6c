"""TextVQA (Singh et al., 2019; paper, appendix B): questions about text in images.

Of `lmms-lab/textvqa`: 34,602 questions about 21,953 images to train on; the 5,000 about 3,166
images of the validation split are halved by image into validation and test, since the answers
to the test split are hidden. (The numbers of questions that appendix B states are those of
the images.) The target is the answer that most of the ten people gave.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from gradcost.tasks import sources, visual
from gradcost.tasks.example import Example
from gradcost.tasks.halves import halves

SCORER = "vqa"
NEW_TOKENS = 12
_FILES = {"train": "train*.parquet", "validation": "validation*.parquet"}


def pools(source: sources.Source) -> dict[str, list[Example]]:
    """The training split, and the halves of the validation split.

    Raises:
        ValueError: naming the row without answers.
    """
    found = sources.rows(source, _FILES, columns=("question", "answers", "image_id"))
    made = {
        split: [_example(row, f"TextVQA, {split}, row {index}") for index, row in enumerate(rows)]
        for split, rows in found.items()
    }
    validation, test = halves((one.image, one) for one in made["validation"])
    return {"train": made["train"], "validation": validation, "test": test}


def images(source: sources.Source, names: Sequence[str]) -> Iterator[bytes]:
    """The files of these images, in this order."""
    return sources.images(source, _FILES, "image_id", names)


def _example(row: dict[str, Any], where: str) -> Example:
    return visual.example(row["question"], row["answers"], str(row["image_id"]), where)
