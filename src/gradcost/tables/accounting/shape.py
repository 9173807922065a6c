"""Wide and shallow against deep and narrow, priced: a question of the paper's Appendix D."""

from __future__ import annotations

from typing import Any

import pandas as pd

from gradcost.results.accounting import DEEP, GB, PAPER_MODEL, WIDE, Accounting
from gradcost.tables import latex

SHAPES = (WIDE, PAPER_MODEL, DEEP)  # sheets, from few layers to many
METHODS = ("bp-vanilla", "bp-checkpointing", "zo-vanilla", "fmad-vanilla")
HEADER = [
    r" & & \multicolumn{2}{c}{memory [GB]} & \multicolumn{2}{c}{above the weights, over}"
    r" & FLOPs, in \\",
    r"\cmidrule(lr){3-4}\cmidrule(lr){5-6}",
    r"Method & layers & peak & above the weights & BP-Vanilla & ZO-Vanilla & forwards \\",
]


def render(data: Accounting) -> str:
    """A block for each shape; what is above the weights also over that of two methods of it."""
    body: list[list[str] | str] = []
    for name in SHAPES:
        sheet = data.sheet(name)
        steps = {key: data.step(name, key) for key in METHODS}
        if sheet is None or all(step is None for step in steps.values()):
            continue
        body.append(latex.heading(latex.escape(sheet.label), 7, first=not body))
        body += [_line(step, steps) for step in steps.values() if step is not None]
    if not body:
        body = [r"\multicolumn{7}{@{}l}{no shape is priced} \\"]
    return latex.tabular("@{}lrrrrrr@{}", HEADER, body)


def ratio(data: Accounting, sheet: str, method: str, other: str) -> float | None:
    """Memory above the weights of a method over that of another."""
    one, two = data.step(sheet, method), data.step(sheet, other)
    return (
        None if one is None or two is None else float(one["above_weights"] / two["above_weights"])
    )


def say(data: Accounting) -> str:
    """Whether checkpoints save less where layers are few, with the numbers."""
    found = [
        f"of {latex.number(1 / value, 1)} on {latex.escape(sheet.label)}, whose layers are "
        f"{latex.count(float(data.steps(name).iloc[0]['layers']))}"
        for name in SHAPES
        if (sheet := data.sheet(name)) is not None
        and (value := ratio(data, name, "bp-checkpointing", "bp-vanilla"))
    ]
    against = [
        f"{latex.number(value, 2)} times ({latex.escape(sheet.label)})"
        for name in SHAPES
        if (sheet := data.sheet(name)) is not None
        and (value := ratio(data, name, "bp-checkpointing", "zo-vanilla"))
    ]
    if not found:
        return "No model of another shape was priced."
    return (
        "Checkpoints at every layer divide the memory above the weights by a factor "
        f"{latex.listing(found)}. Against ZO-Vanilla, BP-Checkpointing takes "
        f"{latex.listing(against)} of that memory."
    )


def _line(step: pd.Series[Any], steps: dict[str, pd.Series[Any] | None]) -> list[str]:
    over = [
        latex.DASH if (other := steps[key]) is None
        else latex.number(step["above_weights"] / other["above_weights"], 2)
        for key in ("bp-vanilla", "zo-vanilla")
    ]  # fmt: skip
    return [
        latex.escape(step["label"]),
        latex.count(step["layers"]),
        latex.number(step["peak_bytes"] / GB, 2),
        latex.number(step["above_weights"] / GB, 2),
        *over,
        latex.number(step["forward_equivalents"], 2),
    ]
