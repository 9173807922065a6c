"""Accuracy and loss by the distribution of the directions: Figure 14."""

from __future__ import annotations

from matplotlib.figure import Figure

from gradcost.figures.curves import (
    accuracy,
    accuracy_text,
    relabelled,
    running,
    running_text,
    running_width,
)
from gradcost.figures.notes import note
from gradcost.figures.sheet import sheet
from gradcost.figures.style import by_family, scale, styled
from gradcost.results import compare
from gradcost.results.tidy import Row, Tidy


@styled
def draw(data: Tidy) -> Figure:
    """A row of two panels per task: validation accuracy, training loss."""
    rows = relabelled(data.trained, [_label(data, row) for row in data.trained])
    lines = [line for family in by_family(rows) for line in scale(family)]
    width = running_width(data)
    figure, grid = sheet(
        len(data.columns),
        2,
        height=2.1,
        legend=[lines[::2], lines[1::2]],
        note=note(data, rows, accuracy_text(data, rows), f"loss: {running_text(width)}"),
        sharex="col",
    )
    for (left, right), column in zip(grid, data.columns, strict=True):
        accuracy(left, data, column, lines, "step")
        running(right, data, column, lines, "step", "loss", width)
        left.set_title(column.label, loc="left")
        left.set_ylabel("validation accuracy [%]")
        right.set_ylabel("training loss")
    for axes in grid[-1]:
        axes.set_xlabel("iterations")
    return figure


def _label(data: Tidy, row: Row) -> str:
    """`FMAD, uniform, normalised`; without a record, its own name."""
    directions = compare.estimator(data, row).get("directions")
    if directions is None:
        return row.label
    normalised = ", normalised" if directions["normalise"] else ""
    return f"{row.family.upper()}, {directions['distribution']}{normalised}"
