"""Computation of a step and until convergence, after the paper's Table 4.

The paper counts iterations and FLOPs until each method's own plateau, by a rule that it does not
give; ours is that of `compare.plateau`. It favours what stalls early and low, so the same until
the common target stands beside it. All are medians over seeds, of which so many arrived.
"""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from gradcost.results import compare, paper
from gradcost.results.tidy import Column, Row, Tidy
from gradcost.tables import grid, histories, latex, said

AT_ONCE = 3  # models and tasks in a tabular; more go into another
PAPER_TASK = "agnews"  # of Table 4


def render(data: Tidy) -> str:
    """FLOPs of a step; seeds, steps and FLOPs until the plateau and the target; the paper's."""
    goals = {column: compare.target(data, column) for column in data.columns}

    def title(column: Column) -> str:
        goal = goals[column]
        aim = "no target" if goal is None else rf"target {goal:.0f}\,\% on validation"
        return f"{latex.escape(column.label)}, {aim}"

    entries = [
        grid.FLOPS,
        *_until(grid.to_plateau(data), "own plateau"),
        *_until(grid.to_target(data), "common target"),
        *(
            grid.Entry(head, _published(key, show), "paper")
            for head, key, show in (
                ("step", "tflops-per-iteration", _tera),
                ("steps", "iterations-until-convergence", latex.count),
                ("FLOPs", "tflops-until-convergence", _tera),
            )
        ),
    ]
    return latex.pages(
        [
            grid.table(data, entries, columns=columns, rows=data.trained, title=title)
            for columns in latex.in_parts(data.columns, AT_ONCE)
        ]
    )


def say(data: Tidy) -> str:
    """What methods without backpropagation compute until their plateaus, in BP's."""

    def ratios(column: Column) -> str:
        base = compare.by_name(data, "bp-checkpointing") or compare.reference(data)
        if base.family != "bp":
            return ""
        found = []
        for row in data.trained:
            if row.family == "bp" or row.strategy != "vanilla" or row.published:
                continue
            spent = [_computed(data, column, one) for one in (row, base)]
            if (ratio := histories.ratio(spent[0], spent[1])) is not None:
                found.append(f"{histories.times(ratio, prose=True)} for {latex.escape(row.label)}")
        if not found:
            return ""
        return (
            f"the computation to a method's own plateau, as a multiple of that of "
            f"{latex.escape(base.label)}, is {latex.listing(found)}."
        )

    return said.each(data, ratios)


def _computed(data: Tidy, column: Column, row: Row) -> pd.Series[float]:
    """FLOPs until the own plateau, by seed."""
    spent = compare.arrivals(data, column, row)["forward_equivalents"].dropna()
    return spent * float(compare.cost(data, column, row)["forward_flops"])


def _until(arrival: grid.Arrival, over: str) -> list[grid.Entry]:
    def computation(data: Tidy, column: Column, row: Row) -> str:
        return grid.computation(data, column, row, arrival(column, row))

    return [
        grid.spent("seeds", arrival, lambda reach: f"{reach.reached}/{reach.n}", over),
        grid.spent("steps", arrival, lambda reach: latex.count(reach.step), over),
        grid.Entry("FLOPs", computation, over),
    ]


def _published(key: str, show: Callable[[float | None], str]) -> grid.Cell:
    def cell(data: Tidy, column: Column, row: Row) -> str:
        return show(paper.number("4", row.method, key) if column.paper == PAPER_TASK else None)

    return cell


def _tera(value: float | None) -> str:
    return latex.scaled(None if value is None else 1e12 * value, "")
