"""The rank of the adapters, after the paper's Table 11.

For FMAD above rank 1 the paper has no accuracy and `jvp = NaN`, which here would be the outcome
`diverged`. Its public code runs FMAD in half precision; here the precision is the model's.
"""

from __future__ import annotations

from gradcost.results import paper
from gradcost.results.tidy import Column, Row, Tidy
from gradcost.tables import grid, latex, references, said


def render(data: Tidy) -> str:
    """Accuracy and differences to the default rank and to backpropagation of the same rank."""
    entries = [
        *grid.ACCURACY,
        grid.minus("default rank", references.default),
        grid.minus("BP", references.bp),
        grid.Entry("paper", _published),
        grid.TRAINABLE,
        grid.FORWARDS,
        grid.MEMORY,
    ]
    return grid.table(data, entries)


def say(data: Tidy) -> str:
    """Every rank against the default, and runs that diverged."""
    return said.differences(data, references.default, name="the default rank")


def _published(data: Tidy, column: Column, row: Row) -> str:
    """The accuracy or, without one, what the paper has in its place."""
    rank = "rank-1" if row.setting == "default" else row.setting
    accuracy = paper.number("11", row.method, rank)
    if accuracy is not None:
        return latex.number(accuracy, 2)
    numbers = paper.table()
    found = numbers[
        (numbers["table"] == "11") & (numbers["row"] == row.method) & (numbers["column"] == rank)
    ]
    return latex.DASH if found.empty else latex.escape(found["printed"].iloc[0])
