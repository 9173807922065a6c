"""Methods as the paper describes them and as its public code runs them.

The paper has no such table. For a method with accuracy d as described and p as published, and b
of backpropagation, (d - p) / (b - p) is the share of the gap to backpropagation as published that
the implementation explains: 1 if the method as described closes it, 0 if it changes nothing,
below 0 if it is worse. It is a ratio of means over the seeds that all three have, with Fieller's
interval, and neither is given unless the gap b - p is told from zero: there is nothing to explain.

The runs as published do not have all of the public code: not its half precision (FMAD on
classification), nor its data, prompts and budget.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
from scipy import stats

from gradcost.results import compare, paper
from gradcost.results.statistics import CONFIDENCE, Summary
from gradcost.results.tidy import Column, Row, Tidy
from gradcost.tables import grid, latex, paper_accuracies, references, said

# What the public code does, seen in its sources or by running it.
DIFFERENCES = {
    "bp-checkpointing": "recomputes whole layers, also what no gradient needs",
    "zo-vanilla": "the estimate carries a factor of the step size: under SGD, a learning rate that "
    "is as much smaller",
    "zo-adaptive": "as ZO-Vanilla; starts along the direction of least slope, and the rolling "
    "average is never called",
    "zo-svrg": "as ZO-Vanilla; the snapshot is never loaded, a batch's two terms cancel, and steps "
    "follow the full gradient of the snapshot",
    "zo-sparse": "as ZO-Vanilla; masks the tensors of adapters, of which those that begin at zero "
    "stay whole",
    "fmad-vanilla": "multiplies by the zero tangents of frozen weights",
    "fmad-multiple": "as FMAD-Vanilla; computes the loss anew for each direction",
    "fmad-adaptive": "as FMAD-Vanilla; starts along the direction of least slope, and the rolling "
    "average is never called",
    "fmad-svrg": "as FMAD-Vanilla; steps begin at the snapshot, which stays in the weights, and "
    "the two estimates look along unrelated directions",
    "fmad-sparse": "as FMAD-Vanilla; masks the tensors of adapters, of which those that begin at "
    "zero stay whole",
}
HEADER = [
    r" & \multicolumn{2}{c}{accuracy [\%], sd} & & & \multicolumn{2}{c}{minus BP} & explained:"
    r" & \multicolumn{2}{c@{}}{paper} \\",
    r"\cmidrule(lr){2-3}\cmidrule(lr){6-7}\cmidrule(l){9-10}",
    r"Method & as described, $d$ & as published, $p$ & $n$ & $d-p$ & $d-b$ & $p-b$"
    r" & $(d-p)/(b-p)$ & acc. & gap \\",
]
COSTS = [
    r" & \multicolumn{2}{c}{FLOPs of a step} & \multicolumn{2}{c}{memory of a step} & \\",
    r"\cmidrule(lr){2-3}\cmidrule(lr){4-5}",
    r"Method & described & published & described & published & in the public code \\",
]
WORDS = r">{\raggedright\arraybackslash}p{0.44\linewidth}"


@dataclass(frozen=True)
class Share:
    """A ratio of means with its interval; both are None where the denominator may be zero."""

    value: float | None
    interval: tuple[float, float] | None
    n: int


def render(data: Tidy) -> str:
    """Accuracies and gaps task by task; below, costs and what the public code does otherwise."""
    body: list[list[str] | str] = []
    for column in data.columns:
        body.append(latex.heading(latex.escape(column.label), 10, first=not body))
        for left, right in pairs(data):
            body += _line(data, column, left, right)
    if not body or not pairs(data):
        body = [r"\multicolumn{10}{@{}l}{no method is run both ways} \\"]
    first = latex.tabular("@{}lllclrrlrr@{}", HEADER, body)
    costs = [_costs(data, left, right) for left, right in pairs(data)]
    return latex.pages([first, latex.tabular(f"@{{}}lrrrr{WORDS}@{{}}", COSTS, costs)])


def say(data: Tidy) -> str:
    """As described against as published, and what that explains of the gap."""
    described = [left for left, _ in pairs(data)]
    return said.joined(
        said.differences(
            data, references.published, described, name="the same methods as published"
        ),
        said.each(data, lambda column: _explained(data, column)),
    )


def methods(data: Tidy) -> str:
    """How many methods are run both ways, and which of the defects known are not run."""
    run = [left.method for left, _ in pairs(data)]
    missing = [paper_accuracies.name(method) for method in DIFFERENCES if method not in run]
    text = f"{len(run)} method{'' if len(run) == 1 else 's'}"
    return text + (f" (not {latex.listing(missing)})" if missing else "")


def pairs(data: Tidy) -> list[tuple[Row, Row]]:
    """Each method as described, and as published."""
    return [
        (row, other)
        for row in data.rows
        if not row.published and (other := references.published(data, row)) is not None
    ]


def share(data: Tidy, column: Column, left: Row, right: Row) -> Share:
    """How much of the gap to backpropagation as published the implementation explains."""
    parts = [
        compare.accuracies(data, column, row) for row in (left, right, compare.reference(data))
    ]
    known = pd.concat(parts, axis=1, keys=["described", "published", "bp"]).dropna()
    gained = known["described"] - known["published"]
    return fieller(gained, known["bp"] - known["published"])


def fieller(above: pd.Series[float], below: pd.Series[float]) -> Share:
    """The ratio of two paired means with Fieller's interval (Fieller, 1954).

    It holds every r for which the mean of `above` - r `below` is not told from zero by a t-test:
    the values between two roots of a quadratic, if the mean of `below` is told from zero.
    """
    n = len(below)
    mean = float(below.mean()) if n else 0.0
    if n < 2 or mean <= 0:
        return Share(None, None, n)
    quantile = float(stats.t.ppf((1 + CONFIDENCE) / 2, n - 1)) ** 2 / n
    covariance = float(above.cov(below))
    a = mean**2 - quantile * float(below.var())
    b = float(above.mean()) * mean - quantile * covariance
    c = float(above.mean()) ** 2 - quantile * float(above.var())
    if a <= 0:
        return Share(None, None, n)
    root = max(b**2 - a * c, 0.0) ** 0.5
    return Share(float(above.mean()) / mean, ((b - root) / a, (b + root) / a), n)


def _line(data: Tidy, column: Column, left: Row, right: Row) -> list[list[str]]:
    base = compare.reference(data)
    difference = compare.difference(data, column, left, right)
    line = [
        latex.escape(left.label),
        *(_accuracy(data, column, row) for row in (left, right)),
        str(difference.n if difference else 0),
        latex.difference(difference),
        *(_gap(compare.difference(data, column, row, base), row, base) for row in (left, right)),
        _shown(share(data, column, left, right)) if left.family != "bp" else latex.DASH,
        latex.number(paper.accuracy(left.method, column.paper) if column.paper else None),
        latex.signed(_paper_gap(left, column)),
    ]
    below = [
        ["", rf"\multicolumn{{9}}{{l}}{{{name}: {failed}}}"]
        for name, row in (("as described", left), ("as published", right))
        if (failed := grid.failures(data, column, row))
    ]
    return [line, *below]


def _accuracy(data: Tidy, column: Column, row: Row) -> str:
    summary = compare.accuracy(data, column, row)
    if summary is None:
        return latex.DASH
    return f"{latex.plus_minus(summary)}, {latex.number(summary.sd)}"


def _gap(summary: Summary | None, row: Row, base: Row) -> str:
    """The points alone: the intervals would not fit."""
    if summary is None or row == base:
        return latex.DASH
    text = latex.signed(summary.mean)
    return rf"\textbf{{\boldmath {text}}}" if summary.sign else text


def _paper_gap(row: Row, column: Column) -> float | None:
    if column.paper is None or row.family == "bp":
        return None
    theirs, bp = (paper.accuracy(name, column.paper) for name in (row.method, "bp-vanilla"))
    return None if theirs is None or bp is None else theirs - bp


def _shown(found: Share) -> str:
    if found.value is None or found.interval is None:
        return latex.DASH
    return f"{latex.number(found.value, 2)} [{_ends(found.interval)}]"


def _ends(interval: Sequence[float]) -> str:
    return ", ".join(latex.number(end, 2) for end in interval)


def _explained(data: Tidy, column: Column) -> str:
    found = {
        left: share(data, column, left, right) for left, right in pairs(data) if left.family != "bp"
    }
    known = {row: one for row, one in found.items() if one.interval is not None}
    if not known:
        return "no gap to backpropagation as published is told from zero."
    told = [
        f"{_shown(one)} for {latex.escape(row.label)}"
        for row, one in known.items()
        if one.interval is not None and not one.interval[0] <= 0 <= one.interval[1]
    ]
    text = f"of {len(known)} methods with a gap as published that is told from zero, "
    if not told:
        return (
            f"{text}there is none of whose gap the defects explain a share that is told from zero."
        )
    return f"{text}the defects explain a share that is told from zero for {len(told)}: " + (
        f"{latex.listing(told)}."
    )


def _costs(data: Tidy, left: Row, right: Row) -> list[str]:
    """On the first task: a step's cost hardly differs between tasks, but for their lengths."""
    column = data.columns[0]
    costs = [compare.cost(data, column, row) for row in (left, right)]
    return [
        latex.escape(left.label),
        *(latex.scaled(float(cost["step_flops"]), "") for cost in costs),
        *(latex.scaled(float(cost["activation_bytes"]), "B") for cost in costs),
        latex.escape(DIFFERENCES.get(left.method, latex.DASH)),
    ]
