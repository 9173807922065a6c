"""A sheet of prices: what a step of several methods costs on one architecture."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

from gradcost.accounting import closed_form
from gradcost.planning.price import Case, Price, price
from gradcost.study.architectures import Architecture

# GB of common cards, whose largest batches a sheet tells
CARDS = (16, 24, 48, 80)


def make(
    spec: dict[str, Any], processes: int, tell: Callable[[str], None] = print
) -> dict[str, Any]:
    """Price all rows of a sheet.

    Args:
        spec: `gradcost.study.runs.sheet_spec`.
        processes: how many rows are priced at the same time.
        tell: of each row that is done.

    Returns:
        The facts of the sheet, and `rows`: a mapping for each method, depth and rank.
    """
    jobs = list(_rows(spec))
    rows = []
    for (row, case), found in zip(jobs, prices([case for _, case in jobs], processes), strict=True):
        cost = found.cost(spec["batch"])
        rows.append(
            row
            | cost.model_dump()
            | {
                "closed_form_flops": closed_form_flops(case, spec["batch"]),
                "largest_batch": {str(card): found.largest_batch(card * 1e9) for card in CARDS},
            }
        )
        tell(f"{row['label']}: {cost.peak_bytes / 1e9:.2f} GB, {cost.step_flops / 1e12:.4g} TFLOP")
    kept = ("sheet", "title", "architecture", "label", "batch", "length", "classes", "dtype",
            "quantisation", "trainable", "optimizer")  # fmt: skip
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
                signs = "sign" in method["name"]
                hyperparameters = {
                    "optimizer": "sign" if signs else spec["optimizer"], "learning_rate": 1e-3,
                    "momentum": 0.0, "nesterov": False, "weight_decay": 0.0, "clip_norm": None,
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
                yield row, Case(deep.config, whole, spec["length"], spec["classes"])


def closed_form_flops(case: Case, batch: int) -> int | None:
    """FLOPs of a step by `accounting.closed_form`; None for what it does not describe."""
    model, method = case.spec["model"], case.spec["method"]
    estimator, reduction = method["estimator"], method["variance_reduction"] or {}
    kind, wrapped = str(estimator["kind"]), str(reduction.get("kind"))
    if model["trainable"] == "sparse" or "published" in kind + wrapped:
        return None
    # two estimates a step, and one of every batch per snapshot
    times = 2 + 1 / reduction.get("snapshot_every", 5) if wrapped == "svrg" else 1
    head = closed_form.Head(
        "label-words" if method["objective"] == "label-words" else "classifier", case.classes
    )
    trained: closed_form.Trained = "all"
    if model["trainable"] == "lora":
        lora = model["lora"]
        trained = closed_form.Adapters(lora["rank"], tuple(lora["targets"]))
    found = closed_form.describe(case.config, closed_form.Batch(batch, case.length), head, trained)
    many = (estimator.get("perturbations", 1), estimator.get("at_once", 1))
    if kind == "backprop":
        policy = method["checkpointing"]
        flops = closed_form.backprop(found, None if policy == "none" else policy)
    elif kind == "forward-mode":
        flops = closed_form.forward_mode(found, *many, stock=not method["frozen_linears"])
    elif kind == "zeroth-order":
        flops = closed_form.zeroth_order(found, *many, estimator.get("difference", "central"))
    else:
        return None
    return round(times * flops)
