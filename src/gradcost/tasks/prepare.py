"""The stage `data`: from a dataset's source to fixed splits with a manifest."""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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
        duplicates: by split, how many examples of its pool repeat one before them. They stay
            in a split that is its whole pool, and are left out where a number is drawn.
    """

    splits: dict[str, list[Any]]
    overlaps: dict[str, int]
    duplicates: dict[str, int]


def prepare(spec: dict[str, Any], folder: Path) -> None:
    """Write the splits of a task as Parquet and a manifest that names them.

    A task with classes has the columns text and label, one whose answer is text prompt,
    answer, references and, in a task about images, image: a number in `images.FILE`. Of a
    picture that two splits have under two names, those that are evaluated keep it too.

    Args:
        spec: `gradcost.study.runs.data_spec` of the task.
        folder: where the files go. The manifest is written last.

    Raises:
        ValueError: if the source has too few examples, or one that cannot be read or has a
            label that stands for no class.
    """
    module = import_module(f"gradcost.tasks.{spec['dataset'].replace('-', '_')}")
    pools = module.pools(spec["source"])
    labels: Sequence[str] | None = getattr(module, "LABELS", None)
    if labels is not None:
        _check(pools, labels, spec["dataset"])
    fixed = split(pools, spec["examples"])
    seen: dict[str, int] = {}
    pictures = None
    if hasattr(module, "images"):
        names = (one.image for examples in fixed.splits.values() for one in examples)
        seen = {name: number for number, name in enumerate(dict.fromkeys(names))}
        stored = _stored(seen, module.images(spec["source"], list(seen)), folder / images.FILE)
        fixed = _without_twins(fixed, stored)
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
        elif module.SCORER == "letter":
            described[name]["letters"] = dict(sorted(Counter(o.answer for o in examples).items()))
        print(f"{name}: {described[name]}")
    for what, count in fixed.overlaps.items():
        print(f"left out {what}, in which it is too: {count} examples")
    # by name: training imports this module, and does not depend on where data come from
    sources = import_module("gradcost.tasks.sources")
    task = {"labels": labels} if labels else {
        "scorer": module.SCORER, "new_tokens": module.NEW_TOKENS, "images": pictures,
    }  # fmt: skip
    write_json(
        folder / MANIFEST,
        {
            "spec": spec,
            **task,
            "splits": described,
            "overlaps": fixed.overlaps,
            "downloads": sources.hashes(spec["source"]),
        },
    )


def _check(pools: Pools, labels: Sequence[str], dataset: str) -> None:
    """Whether each label stands for a class."""
    for name, examples in pools.items():
        for row, (text, label) in enumerate(examples):
            if label not in range(len(labels)):
                classes = ", ".join(f"{index} ({one})" for index, one in enumerate(labels))
                raise ValueError(
                    f"{dataset}, {name}, row {row}: label = {label!r}; must be one of {classes}; "
                    f"the text is {text[:60]!r}"
                )


def split(pools: Pools, wanted: Mapping[str, int | None]) -> Fixed:
    """Draw the splits from a dataset's pools.

    No text is in two splits, upper and lower case and white space aside: what a source has in
    two of its pools stays where it is evaluated, in the test pool before the validation pool.
    Of what is left, a split with a number of examples is drawn at random, each once, with as
    many of each class; one without takes its whole pool. Where the dataset has no validation
    pool, validation is drawn first and training from the rest of the training pool.

    Raises:
        ValueError: if a pool has too few examples, or validation has neither pool nor number.
    """
    kept, overlaps = _told_apart(pools, _apart)
    rng = random.Random(0)
    result: dict[str, list[Any]] = {}
    duplicates: dict[str, int] = {}
    for name in ("validation", "train", "test"):
        count, pool = wanted.get(name), kept.get(name, kept["train"])
        if count is None and name not in pools:
            raise ValueError("the dataset has no validation split: say how many examples to take")
        once = list(dict.fromkeys(pool))
        duplicates[name] = len(pool) - len(once)
        result[name] = pool if count is None else _drawn(once, count, rng)
        if name not in pools:
            taken = {_apart(example) for example in result[name]}
            kept["train"] = [example for example in pool if _apart(example) not in taken]
            if shared := len(pool) - len(result[name]) - len(kept["train"]):
                overlaps[f"train in {name}"] = shared
    return Fixed(
        splits={name: result[name] for name in SPLITS},
        overlaps=dict(sorted(overlaps.items())),
        duplicates={name: duplicates[name] for name in SPLITS},
    )


def _told_apart(
    pools: Pools, key: Callable[[Any], str]
) -> tuple[dict[str, list[Any]], Counter[str]]:
    """Pools in no two of which is the same, by a key, and how many examples left which for which.

    What is in two stays where it is evaluated, in the test before the validation.
    """
    owner: dict[str, str] = {}
    overlaps: Counter[str] = Counter()
    kept: dict[str, list[Any]] = {name: [] for name in pools}
    for name in ("test", "validation", "train"):
        for example in pools.get(name, ()):
            other = owner.setdefault(key(example), name)
            if other == name:
                kept[name].append(example)
            else:
                overlaps[f"{name} in {other}"] += 1
    return kept, overlaps


def _stored(names: Iterable[str], found: Iterable[bytes], path: Path) -> dict[str, str]:
    """Write pictures into one file; the SHA-256 of each by its name."""
    digests: dict[str, str] = {}

    def hashed() -> Iterator[tuple[str, bytes]]:
        for name, picture in zip(names, found, strict=True):
            digests[name] = hashlib.sha256(picture).hexdigest()
            yield name, picture

    write_atomic(path, lambda path: images.write(path, hashed()))
    return digests


def _without_twins(fixed: Fixed, digests: Mapping[str, str]) -> Fixed:
    """The splits without what is about a picture of another split that has another name there."""
    kept, overlaps = _told_apart(fixed.splits, lambda one: digests[one.image])
    return fixed._replace(
        splits=kept, overlaps=dict(sorted((overlaps + Counter(fixed.overlaps)).items()))
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
        return pa.table({"text": list(texts), "label": pa.array(map(int, labels), pa.int32())})
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
