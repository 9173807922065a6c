"""FLOPs of a step and until convergence, after the paper's Table 4."""

from __future__ import annotations

from typing import Any

import pandas as pd

from gradcost.results import paper
from gradcost.results.accounting import PAPER_MODEL, TERA, Accounting
from gradcost.tables import latex

METHODS = {  # the rows of Table 4, in its order, and what they are called where no sheet says it
    "bp-checkpointing": "BP-Checkpointing",
    "zo-vanilla": "ZO-Vanilla",
    "zo-multiple": "ZO-Multiple",
    "zo-accumulate": "ZO-Accumulate",
    "fmad-vanilla": "FMAD-Vanilla",
    "fmad-multiple": "FMAD-Multiple",
}
AGREES = 0.01  # share by which a total may differ from iterations times cost: both are rounded
_CONVERGENCE = 1e4  # TFLOP, the paper's unit of totals
HEADER = [
    r" & \multicolumn{6}{c}{TFLOP of a step}"
    r" & \multicolumn{3}{c@{}}{until convergence [$10^4$\,TFLOP]} \\",
    r"\cmidrule(lr){2-7}\cmidrule(l){8-10}",
    r" & & \multicolumn{2}{c}{as published} & \multicolumn{3}{c}{at least}"
    r" & paper's & & at \\",
    r"Method & paper & ours & / paper & ours & / paper & forwards"
    r" & iterations & paper & least \\",
]


def render(data: Accounting) -> str:
    """The paper's numbers, ours as its public code counts, and the least that is needed."""
    lines = [_line(data, method) for method in METHODS]
    body = latex.grouped(lines, [method.partition("-")[0] for method in METHODS])
    return latex.tabular("@{}lrrrrrrrrr@{}", HEADER, body)


def per_iteration(method: str) -> float | None:
    """TFLOP of an iteration (Table 4)."""
    return paper.number("4", method, "tflops-per-iteration")


def iterations(method: str) -> float | None:
    """Iterations until convergence (Table 4)."""
    return paper.number("4", method, "iterations-until-convergence")


def until_convergence(method: str) -> float | None:
    """TFLOP until convergence (Table 4)."""
    return paper.number("4", method, "tflops-until-convergence")


def teraflops(step: pd.Series[Any] | None) -> float | None:
    """Of a step; None if there is none."""
    return None if step is None else float(step["step_flops"]) / TERA


def consistent(method: str) -> bool:
    """Whether the paper's total is its iterations times its cost of one."""
    product = _times(per_iteration(method), iterations(method))
    share = _over(product, until_convergence(method))
    return share is None or abs(share - 1) <= AGREES


def least_until_convergence(data: Accounting, method: str) -> float | None:
    """TFLOP of the paper's iterations at the least cost of one."""
    return _times(teraflops(data.cheapest(PAPER_MODEL, method)), iterations(method))


def _line(data: Accounting, method: str) -> list[str]:
    published = teraflops(data.as_published(PAPER_MODEL, method))
    cheapest = data.cheapest(PAPER_MODEL, method)
    least, theirs, total = teraflops(cheapest), per_iteration(method), until_convergence(method)
    name = METHODS[method] if cheapest is None else str(cheapest["name"])
    mark = "" if consistent(method) else r"\rlap{$^\dagger$}"
    return [
        latex.escape(name),
        latex.number(theirs),
        latex.number(published),
        latex.number(_over(published, theirs), 3),
        latex.number(least),
        latex.number(_over(least, theirs), 2),
        latex.number(None if cheapest is None else float(cheapest["forward_equivalents"]), 2),
        latex.count(iterations(method)),
        latex.number(_over(total, _CONVERGENCE)) + mark,
        latex.number(_over(least_until_convergence(data, method), _CONVERGENCE)),
    ]


def _over(value: float | None, unit: float | None) -> float | None:
    return None if value is None or not unit else value / unit


def _times(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one * other
