"""MultiRC (Khashabi et al., 2018; paper, appendix B): is this an answer to that question?

A pair of a question and an answer about a paragraph is an example, as in SuperGLUE, whose
labels of the test split are hidden: the paragraphs of its validation split are halved by
position into validation and test. Of the 27,243 and 4,848 pairs of `aps/super_glue`.
"""

from __future__ import annotations

from typing import Any

from gradcost.tasks import sources
from gradcost.tasks.halves import halves

LABELS = ("no", "yes")
_COLUMNS = ("paragraph", "question", "answer", "label")
_FILES = {"train": "train*.parquet", "validation": "validation*.parquet"}


def pools(source: sources.Source) -> dict[str, list[tuple[str, int]]]:
    """The training split, and the halves of the validation split."""
    found = sources.rows(source, _FILES, _COLUMNS)
    train = [_example(row) for row in found["train"]]
    validation, test = halves((row["paragraph"], _example(row)) for row in found["validation"])
    return {"train": train, "validation": validation, "test": test}


def _example(row: dict[str, Any]) -> tuple[str, int]:
    # the paragraph comes last: an input that is too long is cut at its end
    asked = f"Question: {row['question']}\nAnswer: {row['answer']}"
    return f"{asked}\nParagraph: {row['paragraph']}", row["label"]
