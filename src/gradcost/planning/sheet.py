"""A sheet of prices: what a step of several methods costs on one architecture."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

from gradcost.planning.case import Case, closed_form_flops, image_tokens
from gradcost.planning.price import Price, price
from gradcost.study.architectures import Architecture

# common cards, whose largest batches a sheet tells: name in GB, bytes
CARDS = {str(size): size * 1e9 for size in (16, 24, 48, 80)}


def make(
    spec: dict[str, Any],
    processes: int,
    tell: Callable[[str], None] = print,
    cards: Mapping[str, float] = CARDS,
) -> dict[str, Any]:
    """Price all rows of a sheet.

    Args:
        spec: `gradcost.study.runs.sheet_spec`.
        processes: how many rows are priced at the same time.
        tell: of each row that is done.
        cards: bytes by name; for each, the largest batch that fits is found.

    Returns:
        The facts of the sheet, and `rows`: a mapping for each method, depth and rank.

    Raises:
        ValueError: if no model can be made of the config, or none with such adapters.
    """
    # the closed form first, since it knows at once what the architecture has not
    begun, cases = [], []
    for row, case in _rows(spec):
        begun.append(row | {"closed_form_flops": closed_form_flops(case, spec["batch"])})
        cases.append(case)
    rows = []
    for row, found in zip(begun, prices(cases, processes), strict=True):
        cost = found.cost(spec["batch"])
        rows.append(
            row
            | cost.model_dump()
            | {
                "largest_batch": {
                    card: found.largest_batch(limit) for card, limit in cards.items()
                },
            }
        )
        tell(f"{row['label']}: {cost.peak_bytes / 1e9:.2f} GB, {cost.step_flops / 1e12:.4g} TFLOP")
    kept = (
        *("sheet", "title", "architecture", "label", "batch", "length", "classes", "answer"),
        *("image_size", "dtype", "quantisation", "trainable", "targets", "ranks", "optimizer"),
    )
    return {key: spec[key] for key in kept} | {
        "parameters": rows[0]["total_parameters"],
        "rows": rows,
    }


def prices(cases: list[Case], processes: int) -> Iterator[Price]:
    """The prices of `cases`, in their order, counted in several processes."""
    if processes <= 1 or len(cases) <= 1:
        yield from map(price, cases)
        return
    import torch

    # before the processes part: each would import them again
    import gradcost.planning.abstract  # noqa: F401

    torch.set_num_threads(1)
    with ProcessPoolExecutor(processes, mp_context=get_context("fork")) as pool:
        yield from pool.map(price, cases)


def _rows(spec: dict[str, Any]) -> Iterator[tuple[dict[str, Any], Case]]:
    shape = Architecture(spec["architecture"], spec["label"], spec["config"])
    for layers in spec["layers"]:
        deep = shape if layers == shape.depth else shape.with_depth(layers)
        for rank in spec["ranks"]:
            for entry in spec["methods"]:
                method = entry["method"]
                model = {"dtype": spec["dtype"], "quantisation": spec["quantisation"]}
                if entry["sparse"] is not None:
                    model |= {"trainable": "sparse", "share": entry["sparse"]}
                elif spec["trainable"] == "all":
                    model |= {"trainable": "all"}
                else:
                    lora = {"rank": rank, "alpha": 1.0, "targets": spec["targets"]}
                    model |= {"trainable": "lora", "lora": lora}
                hyperparameters = {
                    "optimizer": entry["optimizer"], "learning_rate": 1e-3, "momentum": 0.0,
                    "nesterov": False, "weight_decay": 0.0, "clip_norm": None,
                }  # fmt: skip
                whole = {"model": model, "method": method, "hyperparameters": hyperparameters}
                row = {
                    "method": entry["name"],
                    **{key: entry[key] for key in ("label", "family", "published")},
                    "layers": layers,
                    "rank": rank,
                    "directions": method["estimator"].get("perturbations", 1),
                    "at_once": method["estimator"].get("at_once", 1),
                    "checkpointing": method["checkpointing"],
                }
                image = spec["image_size"] or 0
                length = spec["length"] + (image_tokens(deep.config, image) if image else 0)
                yield (
                    row,
                    Case(deep.config, whole, length, spec["classes"], spec["answer"] or 0, image),
                )
