"""The stage `data`: from a dataset's source to fixed splits with a manifest."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from gradcost.study.files import sha256_file, write_atomic, write_json

MANIFEST = "manifest.json"
SPLITS = ("train", "validation", "test")
Example = tuple[str, int]


def prepare(spec: dict[str, Any], folder: Path) -> None:
    """Write the splits of a task as Parquet (text, label) and a manifest that names them.

    Args:
        spec: `gradcost.study.runs.data_spec` of the task.
        folder: where the files go. The manifest is written last.

    Raises:
        ValueError: if the source has too few examples, or a text in two splits.
    """
    module = import_module(f"gradcost.tasks.{spec['dataset'].replace('-', '_')}")
    splits = split(module.pools(spec["source"]), spec["examples"])
    described = {}
    for name, examples in splits.items():
        texts, labels = zip(*examples, strict=True)
        table = pa.table({"text": list(texts), "label": pa.array(labels, pa.int32())})
        path = folder / f"{name}.parquet"
        write_atomic(path, partial(pq.write_table, table))
        counts = Counter(labels)
        described[name] = {
            "examples": len(examples),
            "classes": [counts[index] for index in range(len(module.LABELS))],
            "sha256": sha256_file(path),
        }
    write_json(folder / MANIFEST, {"spec": spec, "labels": module.LABELS, "splits": described})


def split(
    pools: dict[str, list[Example]], wanted: dict[str, int | None]
) -> dict[str, list[Example]]:
    """Draw the splits from a dataset's pools, once and for all seeds alike.

    A split with a number of examples is drawn at random with as many of each class; one
    without takes its whole pool. Where the dataset has no validation pool, validation is
    drawn first and training from the rest of the training pool.
    """
    rng = random.Random(0)
    pools = {name: list(dict.fromkeys(pool)) for name, pool in pools.items()}
    result = {}
    for name in ("validation", "train", "test"):
        source = name if name in pools else "train"
        count = wanted.get(name)
        if count is None and name not in pools:
            raise ValueError("the dataset has no validation split: say how many examples to take")
        result[name] = pools[source] if count is None else _balanced(pools[source], count, rng)
        taken = set(result[name])
        # no example, and no text under another label either, in two splits
        texts = {text for text, _ in taken}
        pools = {key: [e for e in pool if e[0] not in texts] for key, pool in pools.items()}
    return {name: result[name] for name in SPLITS}


def _balanced(pool: Sequence[Example], count: int, rng: random.Random) -> list[Example]:
    by_class: dict[int, list[Example]] = {}
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
