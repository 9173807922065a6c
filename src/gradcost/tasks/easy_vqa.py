"""easy-VQA (Zhou, 2020): questions about a coloured shape. Synthetic, 64 x 64 pixels.

Not of the paper: it stands in for VQAv2 where there is no network but PyPI. 38,575 questions
about 4,000 images to train on, of which validation is drawn by image, and 9,673 about 1,000
images to test, of the wheel `easy-vqa`. Each has one right answer of 13.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from gradcost.tasks import sources, visual
from gradcost.tasks.example import Example

SCORER = "vqa"
NEW_TOKENS = 12
_FOLDER = "easy_vqa/data"
# one image in so many is for validation
_VALIDATION = 10


def pools(source: sources.Source) -> dict[str, list[Example]]:
    """The published splits; a tenth of the training images is for validation."""
    found: dict[str, list[Example]] = {"train": [], "validation": [], "test": []}
    with sources.wheel(source) as archive:
        for split in ("train", "test"):
            rows = json.loads(archive.read(f"{_FOLDER}/{split}/questions.json"))
            for question, answer, image in rows:
                held_out = split == "train" and image % _VALIDATION == 0
                found["validation" if held_out else split].append(
                    visual.example(question, [answer], f"{split}/images/{image}.png")
                )
    return found


def images(source: sources.Source, names: Sequence[str]) -> Iterator[bytes]:
    """The files of these images, in this order."""
    with sources.wheel(source) as archive:
        for name in names:
            yield archive.read(f"{_FOLDER}/{name}")
