"""AdamW and SGD: accuracy, slopes and gradients, after the paper's Figures 9, 10, 12 and 13.

The paper reads off its figures of FMAD-Vanilla on GSM8K that slopes under AdamW reach 8 to 10
times those under SGD and that the variance of effective gradients is 4 to 6 times as large. Here
both ratios are by seed: of the largest absolute slope of a run, and of the variance over its
steps of the mean absolute component of the gradient estimate. BP has no slopes.
"""

from __future__ import annotations

from gradcost.results import paper
from gradcost.results.statistics import Summary
from gradcost.results.tidy import Column, Row, Tidy
from gradcost.tables import grid, histories, latex, references, said

SGD = references.setting("sgd")


def render(data: Tidy) -> str:
    """Accuracy against SGD, and how slopes and gradients differ from those under SGD."""
    spikes, variance = (
        "paper: "
        + " to ".join(
            latex.number(paper.number("4.6", "fmad", f"{what}-{end}"), 0)
            for end in ("least", "most")
        )
        for what in ("jvp-spikes-under-adamw", "gradient-variance-of-adamw-over-sgd")
    )
    entries = [
        *grid.ACCURACY,
        grid.minus("SGD", SGD),
        histories.LARGEST,
        grid.Entry(spikes, _times(histories.largest_slope), "largest, in SGD's", "l"),
        grid.Entry(variance, _times(histories.gradient_variance), "variance, in SGD's", "l"),
    ]
    return grid.table(data, entries, group=lambda row: row.method)


def say(data: Tidy) -> str:
    """Every optimiser against SGD: in accuracy, and in the largest slope."""
    return said.joined(said.differences(data, SGD, name="SGD"), slopes(data))


def slopes(data: Tidy, rows: list[Row] | None = None) -> str:
    """The largest slope in that of the same method under SGD."""

    def say(column: Column) -> str:
        found = [
            f"{histories.times(ratio, prose=True)} for {latex.escape(row.label)}"
            for row in (data.trained if rows is None else rows)
            if (ratio := _over_sgd(data, column, row, histories.largest_slope)) is not None
        ]
        if not found:
            return ""
        return (
            "the largest absolute slope of a run, as a multiple of that of the same method under "
            f"SGD, is {latex.listing(found)}."
        )

    return said.each(data, say)


def _over_sgd(data: Tidy, column: Column, row: Row, measure: histories.Measure) -> Summary | None:
    other = SGD(data, row)
    if other is None:
        return None
    return histories.ratio(measure(data, column, row), measure(data, column, other))


def _times(measure: histories.Measure) -> grid.Cell:
    """What is measured of each run, as a multiple of what it is under SGD, by seed."""
    return lambda data, column, row: histories.times(_over_sgd(data, column, row, measure))
