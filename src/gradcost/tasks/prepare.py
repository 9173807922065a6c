"""The stage `data`: from a dataset's source to fixed splits with a manifest."""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from gradcost.study.files import sha256_file, write_atomic, write_json
from gradcost.tasks import images
from gradcost.tasks.example import Example

MANIFEST = "manifest.json"
SPLITS = ("train", "validation", "test")
Labelled = tuple[str, int]
"""A text and its class."""
Pools = Mapping[str, Sequence[Any]]


class Fixed(NamedTuple):
    """Splits for all seeds alike, and what the source itself has twice.

    Attributes:
        splits: examples by split.
        overlaps: `train in test` -> how many training examples were left out, since the
            test split has their text too (or their group, as an image).
        duplicates: by split, how many examples repeat one before them. They stay.
    """

    splits: dict[str, list[Any]]
    overlaps: dict[str, int]
    duplicates: dict[str, int]


def prepare(spec: dict[str, Any], folder: Path) -> None:
    """Write the splits of a task as Parquet and a manifest that names them.

    A task with classes has the columns text and label, one whose answer is text prompt,
    answer, references and, in a task about images, image: a number in `images.FILE`.

    Args:
        spec: `gradcost.study.runs.data_spec` of the task.
        folder: where the files go. The manifest is written last.

    Raises:
        ValueError: if the source has too few examples, or one that cannot be read.
    """
    module = import_module(f"gradcost.tasks.{spec['dataset'].replace('-', '_')}")
    fixed = split(module.pools(spec["source"]), spec["examples"])
    labels: Sequence[str] | None = getattr(module, "LABELS", None)
    seen: dict[str, int] = {}
    pictures = None
    if hasattr(module, "images"):
        names = (one.image for examples in fixed.splits.values() for one in examples)
        seen = {name: number for number, name in enumerate(dict.fromkeys(names))}
        found = zip(seen, module.images(spec["source"], list(seen)), strict=True)
        write_atomic(folder / images.FILE, lambda path: images.write(path, found))
        pictures = {"count": len(seen), "bytes": (folder / images.FILE).stat().st_size}
        print(f"images: {pictures['count']}, {pictures['bytes'] / 1e9:.4g} GB")
    described = {}
    for name, examples in fixed.splits.items():
        table = _table(examples, seen, with_classes=labels is not None)
        path = folder / f"{name}.parquet"
        write_atomic(path, partial(pq.write_table, table))
        described[name] = {
            "examples": len(examples),
            "duplicates": fixed.duplicates[name],
            "sha256": sha256_file(path),
        }
        if labels is not None:
            counts = Counter(label for _, label in examples)
            described[name]["classes"] = [counts[index] for index in range(len(labels))]
        print(f"{name}: {described[name]}")
    for what, count in fixed.overlaps.items():
        print(f"left out {what}, in which it is too: {count} examples")
    task = {"labels": labels} if labels else {
        "scorer": module.SCORER, "new_tokens": module.NEW_TOKENS, "images": pictures,
    }  # fmt: skip
    write_json(
        folder / MANIFEST,
        {"spec": spec, **task, "splits": described, "overlaps": fixed.overlaps},
    )


def split(pools: Pools, wanted: Mapping[str, int | None]) -> Fixed:
    """Draw the splits from a dataset's pools.

    A split with a number of examples is drawn at random, with as many of each class; one
    without takes its whole pool. Where the dataset has no validation pool, validation is
    drawn first and training from the rest of the training pool. No text is in two splits,
    upper and lower case and white space aside: what a source has in two of its pools stays
    where it is evaluated, in the test split before the validation split.
    """
    rng = random.Random(0)
    result: dict[str, list[Any]] = {}
    overlaps: Counter[str] = Counter()
    owner: dict[str, str] = {}

    def place(name: str, examples: Sequence[Any]) -> None:
        result[name] = []
        for example in examples:
            other = owner.setdefault(_apart(example), name)
            if other == name:
                result[name].append(example)
            elif other in pools:
                overlaps[f"{name} in {other}"] += 1

    for name in ("test", "validation"):
        if name in pools and wanted.get(name) is None:
            place(name, pools[name])
    for name in ("validation", "train", "test"):
        count = wanted.get(name)
        if name in result:
            continue
        if count is not None:
            pool = [one for one in pools.get(name, pools["train"]) if _apart(one) not in owner]
            place(name, _drawn(list(dict.fromkeys(pool)), count, rng))
        elif name in pools:
            place(name, pools[name])
        else:
            raise ValueError("the dataset has no validation split: say how many examples to take")
    return Fixed(
        splits={name: result[name] for name in SPLITS},
        overlaps=dict(sorted(overlaps.items())),
        duplicates={name: len(result[name]) - len(set(result[name])) for name in SPLITS},
    )


def _apart(example: Labelled | Example) -> str:
    """What must not be in two splits: a group as an image, or a text."""
    if isinstance(example, Example):
        if group := example.group or example.image:
            return f"group {group}"
        text = example.prompt
    else:
        text = example[0]
    # a hash, since a dataset's passages take more memory than all else here
    return hashlib.sha256(" ".join(text.casefold().split()).encode()).hexdigest()


def _drawn(pool: list[Any], count: int, rng: random.Random) -> list[Any]:
    if pool and isinstance(pool[0], Example):
        if len(pool) < count:
            raise ValueError(f"there are {len(pool)} examples, but {count} are wanted")
        return rng.sample(pool, count)
    return _balanced(pool, count, rng)


def _balanced(pool: Sequence[Labelled], count: int, rng: random.Random) -> list[Labelled]:
    by_class: dict[int, list[Labelled]] = {}
    for example in pool:
        by_class.setdefault(example[1], []).append(example)
    share, rest = divmod(count, len(by_class))
    if rest:
        raise ValueError(f"{count} examples cannot be shared evenly by {len(by_class)} classes")
    chosen = []
    for label, examples in sorted(by_class.items()):
        if len(examples) < share:
            raise ValueError(
                f"class {label} has {len(examples)} examples, but {share} of each are wanted"
            )
        chosen += rng.sample(examples, share)
    rng.shuffle(chosen)
    return chosen


def _table(examples: Sequence[Any], seen: Mapping[str, int], with_classes: bool) -> pa.Table:
    if with_classes:
        texts, labels = zip(*examples, strict=True)
        return pa.table({"text": list(texts), "label": pa.array(labels, pa.int32())})
    columns: dict[str, tuple[Callable[[Example], Any], pa.DataType]] = {
        "prompt": (lambda one: one.prompt, pa.string()),
        "answer": (lambda one: one.answer, pa.string()),
        "references": (lambda one: list(one.references), pa.list_(pa.string())),
    }
    if seen:
        columns["image"] = (lambda one: seen[str(one.image)], pa.int32())
    return pa.table(
        {name: pa.array(map(get, examples), kind) for name, (get, kind) in columns.items()}
    )
