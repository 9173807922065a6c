"""A sheet: equal panels in a grid, one legend above them and one note below."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gradcost.figures.style import GREY, WIDTH, Line, legend_columns

_LINE, _MARGIN = 0.16, 0.25  # inches of a line of text, and of what is around the panels


def sheet(
    down: int,
    across: int,
    *,
    height: float,
    legend: Sequence[Sequence[Line]],
    note: str,
    **sharing: Any,
) -> tuple[Figure, np.ndarray[Any, Any]]:
    """A figure as wide as the report's text, and its panels.

    Args:
        height: inches of a panel with its labels.
        legend: its columns.
        note: below the panels.
        sharing: `sharex` and `sharey`, as of `Figure.subplots`.
    """
    text = max(map(len, legend), default=0) + note.count("\n") + 1
    figure = Figure(figsize=(WIDTH, _MARGIN + _LINE * text + height * down), layout="constrained")
    grid = figure.subplots(down, across, squeeze=False, **sharing)
    if any(legend):
        legend_columns(figure, legend)
    figure.supxlabel(note, fontsize=7.5, color=GREY)
    return figure, grid


def panels(
    count: int,
    *,
    across: int = 3,
    height: float = 1.75,
    legend: Sequence[Sequence[Line]],
    note: str,
    **sharing: Any,
) -> tuple[Figure, list[Axes]]:
    """As many panels as there are tasks or models, two or three across.

    Four are two by two; the places that are left over are empty.
    """
    across = 2 if count == 4 else max(1, min(across, count))
    down = max(1, -(-count // across))
    tall = height if across > 1 else height + 0.6
    figure, grid = sheet(down, across, height=tall, legend=legend, note=note, **sharing)
    for axes in grid.ravel()[count:]:
        axes.remove()
    return figure, list(grid.ravel()[:count])


def lowest(places: Sequence[Axes]) -> list[Axes]:
    """The panels with none below them."""
    columns = {_place(axes)[1]: axes for axes in places}
    return list(columns.values())


def nothing(axes: Axes) -> None:
    """Say in a panel that there is nothing to show in it, and take its ticks away.

    But not those of the panels that share its axes: the next on the right gets the labels.
    """
    axes.text(
        0.5, 0.5, "no run completed", ha="center", va="center", transform=axes.transAxes,
        color=GREY,
    )  # fmt: skip
    above = axes.get_shared_x_axes().get_siblings(axes)
    if not any(other.lines for other in above):
        axes.tick_params(which="both", bottom=False, labelbottom=False)
    for other in axes.get_shared_y_axes().get_siblings(axes):
        if _place(other) == (_place(axes)[0], _place(axes)[1] + 1):
            other.tick_params(labelleft=axes.yaxis.get_tick_params()["labelleft"])
    axes.tick_params(which="both", left=False, labelleft=False)
    axes.grid(visible=False)


def _place(axes: Axes) -> tuple[int, int]:
    """The row and the column of a panel in its grid."""
    spec = axes.get_subplotspec()
    assert spec is not None
    return spec.rowspan.start, spec.colspan.start
