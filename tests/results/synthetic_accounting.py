"""Made-up sheets of prices for the tests of results, tables and figures: known laws.

In units of a layer: an inside of 2 GB, a boundary of 0.1 GB, 1 GB for a forward pass and as much
for each tangent, 4.5 TFLOP. What a method takes follows from these by the laws of its kind.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from math import isqrt
from pathlib import Path
from typing import Any

from gradcost.results.accounting import Accounting

WEIGHTS, HEAD = 150_000_000, 100_000_000  # bytes of a layer, and of what is not in one
INSIDE, BOUNDARY, FORWARD = 2_000_000_000, 100_000_000, 1_000_000_000
LAYER_FLOPS = 4_500_000_000_000
LABELS = {
    "bp-vanilla": "BP-Vanilla",
    "bp-checkpointing": "BP-Checkpointing",
    "bp-segments": "BP-Segments",
    "bp-nested": "BP-Nested",
    "bp-offload": "BP-Offload",
    "bp-checkpointing-published": "BP-Checkpointing, as published",
    "zo-vanilla": "ZO-Vanilla",
    "zo-accumulate": "ZO-Accumulate",
    "zo-multiple": "ZO-Multiple",
    "fmad-vanilla": "FMAD-Vanilla",
    "fmad-multiple": "FMAD-Multiple",
    "fmad-vanilla-published": "FMAD-Vanilla, as published",
    "fmad-multiple-published": "FMAD-Multiple, as published",
}
_VARIED = ("bp-vanilla", "bp-checkpointing", "bp-segments", "bp-nested", "zo-vanilla",
           "fmad-vanilla")  # fmt: skip


def step(
    method: str, layers: int = 32, rank: int = 1, directions: int = 1, at_once: int = 1
) -> dict[str, Any]:
    """A valid row of a sheet."""
    family = method.partition("-")[0]
    root = isqrt(layers)
    activations = FORWARD
    forwards: float = 2.0 * directions
    if family == "bp":
        activations, forwards = {
            "vanilla": (INSIDE * layers, 2.0),
            "checkpointing": (2 * INSIDE + BOUNDARY * layers, 2.75),
            "segments": (INSIDE * root + BOUNDARY * root, 2.8),
            "nested": (2 * INSIDE + 2 * BOUNDARY * root, 3.6),
            "offload": (2 * INSIDE, 2.75),
        }[method.split("-")[1]]
    elif family == "zo":
        activations = FORWARD * at_once
    elif "published" in method:
        forwards = 3.0 * directions
    else:
        forwards = directions + directions / at_once
    if method == "bp-checkpointing-published":
        forwards = 3.0
    weights = HEAD + WEIGHTS * layers
    trained = 16384 + 13312 * layers * rank
    peak = {
        "frozen_weights": weights,
        "trainable_parameters": 2 * trained,
        "activations": activations,
        "gradients": 2 * trained,
        "states": 4 * trained,
        "directions": FORWARD * at_once if family == "fmad" else 0,
        "workspace": INSIDE if method == "bp-checkpointing-published" else 0,
        "host": BOUNDARY * layers if method == "bp-offload" else 0,
    }
    forward = LAYER_FLOPS * layers
    total = sum(peak.values()) - peak["host"]
    return {
        "method": method,
        "label": LABELS[method],
        "family": family,
        "published": method.endswith("-published"),
        "layers": layers,
        "rank": rank,
        "directions": directions,
        "at_once": at_once,
        "checkpointing": "every-layer" if method == "bp-checkpointing" else "none",
        "trainable_parameters": trained,
        "forward_flops": forward,
        "step_flops": round(forwards * forward),
        "closed_form_flops": None if "published" in method else round(forwards * forward),
        "model_bytes": weights + 2 * trained,
        "peak_bytes": total,
        "peak": peak,
        "largest_batch": {str(card): int(40 * card * 1e9 / total) for card in (24, 48, 80)},
    }


def sheet(name: str, label: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """A valid sheet."""
    return {
        "sheet": name,
        "title": f"The sheet {name}",
        "architecture": "llama-3.1-8b",
        "label": label,
        "batch": 40,
        "length": 256,
        "classes": 4,
        "dtype": "bfloat16",
        "quantisation": "nf4",
        "parameters": 7_504_941_056,
        "rows": rows,
    }


def sheets() -> Iterator[dict[str, Any]]:
    """All sheets that tables and figures read."""
    rows = [
        step(method, directions=10 if "multiple" in method else 1, at_once=at_once)
        for method in LABELS
        for at_once in ((1, 10) if method in ("zo-multiple", "fmad-multiple") else (1,))
    ]
    yield sheet("llama-3.1-8b", "LLaMA 3.1 (8B)", rows)
    several = ("bp-vanilla", "bp-checkpointing", "zo-vanilla", "fmad-vanilla")
    yield sheet("opt-13b", "OPT (13B)", [step(method, layers=40) for method in several])
    depths = [step(method, layers=p) for p in (4, 9, 16, 25, 36) for method in _VARIED]
    yield sheet("depth", "LLaMA 3.1 (8B)", depths)
    counts = [
        step(method, layers=2, directions=n, at_once=at_once)
        for method in ("zo-multiple", "fmad-multiple")
        for n in (1, 2, 4, 8)
        for at_once in sorted({1, n})
    ]
    yield sheet("directions", "LLaMA 3.1 (8B)", counts)
    ranks = [
        step(method, layers=2, rank=rank)
        for rank in (1, 4, 16, 64)
        for method in ("bp-vanilla", "zo-vanilla", "fmad-vanilla")
    ]
    yield sheet("rank", "LLaMA 3.1 (8B)", ranks)


def write(folder: Path, *some: dict[str, Any]) -> list[Path]:
    """Write sheets, all of them by default, as files."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for one in some or tuple(sheets()):
        paths.append(folder / f"{one['sheet']}.json")
        paths[-1].write_text(json.dumps(one))
    return paths


def accounting(folder: Path, *some: dict[str, Any]) -> Accounting:
    """These sheets, all by default, as they are loaded."""
    return Accounting.load(write(folder, *some))
