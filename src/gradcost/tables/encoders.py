"""Encoders of medium size, after the paper's Figure 6 and Appendix F.2.

The paper states, for each model, the least and the most that FMAD and ZO end below
backpropagation, and not which of them is which: both have the same range here.
"""

from __future__ import annotations

from gradcost.results import paper
from gradcost.results.tidy import Column, Row, Tidy
from gradcost.tables import grid, latex, references, said


def render(data: Tidy) -> str:
    """Accuracy, difference to backpropagation and cost, model by model."""
    entries = [
        *grid.ACCURACY,
        grid.minus("BP", references.bp),
        grid.Entry("paper", _gap),
        grid.FORWARDS,
        grid.MEMORY,
        *grid.times(data),
    ]
    return grid.table(data, entries)


def say(data: Tidy) -> str:
    """Forward mode and zeroth order against backpropagation of the same model."""
    return said.differences(data, references.bp, [r for r in data.trained if r.family != "bp"])


def _gap(data: Tidy, column: Column, row: Row) -> str:
    if row.family not in ("fmad", "zo"):
        return latex.DASH
    ends = [
        paper.number("F.2", column.model, f"fmad-and-zo-below-bp-{end}")
        for end in ("least", "most")
    ]
    if None in ends:
        return latex.DASH
    return " to ".join(latex.number(None if end is None else -end, 2) for end in ends)
