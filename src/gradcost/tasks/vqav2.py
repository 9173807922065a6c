"""VQAv2 (Goyal et al., 2019; paper, appendix B): questions about photographs.

443,757 questions about 82,783 images to train on; the 214,354 about 40,504 images of the
validation split are halved by image into validation and test, since the answers to the test
split are hidden. The target is what the annotators' answers were summed up as.

From the archives of visualqa.org and of COCO, or of a folder with the same archives; or of
Parquet files with the columns question, image_id, multiple_choice_answer, answers and image.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from gradcost.tasks import sources, visual
from gradcost.tasks.example import Example
from gradcost.tasks.halves import halves

SCORER = "vqa"
NEW_TOKENS = 12
_FILES = {"train": "train*.parquet", "validation": "validation*.parquet"}
_COLUMNS = ("question", "image_id", "multiple_choice_answer", "answers")
_NAMES = {"train": "Train", "validation": "Val"}


def pools(source: sources.Source) -> dict[str, list[Example]]:
    """The training split, and the halves of the validation split.

    Raises:
        FileNotFoundError: naming the archive that a folder lacks.
        ValueError: naming the question without an answer.
    """
    found = _of_archives(source) if _has_archives(source) else _of_tables(source)
    validation, test = halves((one.image, one) for one in found["validation"])
    return {"train": found["train"], "validation": validation, "test": test}


def images(source: sources.Source, names: Sequence[str]) -> Iterator[bytes]:
    """The files of these images, in this order."""
    if not _has_archives(source):
        return sources.images(source, _FILES, "image_id", names)
    return _photographs(source, names)


def _photographs(source: sources.Source, names: Sequence[str]) -> Iterator[bytes]:
    paths = sources.files(source, [f"{_place(split)}.zip" for split in _NAMES])
    with ExitStack() as stack:
        opened = {path.stem: stack.enter_context(sources.archive(path)) for path in paths.values()}
        for name in names:
            yield sources.read(opened[name.partition("/")[0]], name)


def _has_archives(source: sources.Source) -> bool:
    folder = source.get("folder")
    return bool(source.get("urls")) or (folder is not None and any(Path(folder).glob("v2_*.zip")))


def _place(split: str) -> str:
    return f"{_NAMES[split].lower()}2014"


def _of_archives(source: sources.Source) -> dict[str, list[Example]]:
    wanted = [
        f"v2_{kind}_{name}_mscoco.zip"
        for name in _NAMES.values()
        for kind in ("Questions", "Annotations")
    ]
    paths = sources.files(source, wanted)
    found = {}
    for split, name in _NAMES.items():
        place = _place(split)
        questions, annotations = (
            _json(paths[f"v2_{kind}_{name}_mscoco.zip"], f"v2_{part}.json")
            for kind, part in (
                ("Questions", f"OpenEnded_mscoco_{place}_questions"),
                ("Annotations", f"mscoco_{place}_annotations"),
            )
        )
        answered = {row["question_id"]: row for row in annotations["annotations"]}
        found[split] = [
            _example(
                row | answered.get(row["question_id"], {}),
                f"{place}/COCO_{place}_{row['image_id']:012d}.jpg",
                f"VQAv2, {split}, question {row['question_id']}",
            )
            for row in questions["questions"]
        ]
    return found


def _json(path: Path, name: str) -> Any:
    with sources.archive(path) as archive:
        return json.loads(sources.read(archive, name))


def _of_tables(source: sources.Source) -> dict[str, list[Example]]:
    found = sources.rows(source, _FILES, columns=_COLUMNS)
    return {
        split: [
            _example(row, str(row["image_id"]), f"VQAv2, {split}, row {index}")
            for index, row in enumerate(rows)
        ]
        for split, rows in found.items()
    }


def _example(row: dict[str, Any], image: str, where: str) -> Example:
    answers = [one["answer"] for one in row.get("answers", ())]
    target = row.get("multiple_choice_answer")
    return visual.example(row["question"], answers, image, where, target)
