"""OPT as its size grows, after the paper's Table 10 and, for time, Figure 8.

At another scale the models are others, and the paper's accuracies stand beside them in the
order of size, with the size of OPT that each is of.
"""

from __future__ import annotations

from gradcost.results import compare, paper
from gradcost.results.statistics import Summary, paired
from gradcost.results.tidy import Column, Row, Tidy
from gradcost.tables import grid, latex, references, said

SIZES = {"opt-1.3b": "1.3B", "opt-6.7b": "6.7B", "opt-13b": "13B"}


def render(data: Tidy) -> str:
    """Accuracy, difference to backpropagation of the same model, and cost."""
    models = list(dict.fromkeys(column.model for column in data.columns))

    def published(data: Tidy, column: Column, row: Row) -> str:
        size = column.model
        if size not in SIZES and len(models) == len(SIZES):
            size = list(SIZES)[models.index(column.model)]
        accuracy = paper.number("10", row.method, size)
        return latex.DASH if accuracy is None else f"{latex.number(accuracy, 2)} ({SIZES[size]})"

    entries = [
        *grid.ACCURACY,
        grid.minus("BP", references.bp),
        grid.Entry("paper (OPT)", published),
        grid.FORWARDS,
        grid.MEMORY,
        *grid.times(data),
    ]
    return grid.table(data, entries, title=grid.aimed(data))


def say(data: Tidy) -> str:
    """The gap to backpropagation of each model, and whether it grows from the first to the last."""
    rows = [row for row in data.trained if row.family != "bp"]
    return said.joined(said.differences(data, references.bp, rows), _growth(data, rows))


def _growth(data: Tidy, rows: list[Row]) -> str:
    tasks = {column.task for column in data.columns}
    if len(tasks) > 1 or len(data.columns) < 2:
        return ""
    first, last = data.columns[0], data.columns[-1]
    found = {
        row: growth
        for row in rows
        if (other := references.bp(data, row)) is not None
        and (growth := gap_growth(data, first, last, row, other)) is not None
        and growth.interval is not None
    }
    if not found:
        return ""
    said_of = [f"{latex.escape(row.label)} by {latex.difference(s)}" for row, s in found.items()]
    return (
        f"From {said.place(data, first)} to {said.place(data, last)} the difference to "
        f"backpropagation changes for {latex.listing(said_of)} points."
    )


def gap_growth(data: Tidy, first: Column, last: Column, row: Row, other: Row) -> Summary | None:
    """By how much `row` minus `other` is larger on `last` than on `first`, paired by seed."""
    gaps = [
        compare.accuracies(data, column, row) - compare.accuracies(data, column, other)
        for column in (last, first)
    ]
    return paired(gaps[0].dropna(), gaps[1].dropna())
