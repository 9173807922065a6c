"""What SVRG's estimate is made of: the slopes of its two terms, and norms. Figure 11."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gradcost.figures.curves import relabelled, running_text, running_values, running_width
from gradcost.figures.notes import band_text, begun_seeds, note
from gradcost.figures.scatter import differences, far_text, scale_y, scatter, slopes, what
from gradcost.figures.sheet import nothing, sheet
from gradcost.figures.style import GREY, Line, Look, look, scale, styled
from gradcost.results.tidy import Column, Row, Tidy

NORMS = {
    "batch_gradient_norm": "estimate of the batch",
    "gradient_norm": "estimate of SVRG",
    "full_gradient_norm": "full gradient at the snapshot",
}


@styled
def draw(data: Tidy) -> Figure:
    """Four panels per task and method with SVRG: three of slopes, on one scale, and norms.

    If the control variate worked, the difference of the slopes would be small beside them,
    and so would the variance of the estimate.
    """
    rows = [row for row in data.trained if row.strategy == "svrg"]
    places = [(column, row) for column in data.columns for row in rows]
    width = running_width(data)
    references = [
        row
        for row in data.trained
        if row.strategy == "vanilla" and row.family in {one.family for one in rows}
    ]
    legend = [*(_norms(rows[0]) if rows else ()), *map(_reference, references)]
    found = {place: _parts(data, *place) for place in places}
    points = [one for parts in found.values() for one in parts.values()]
    text = note(
        data, [*rows, *references], what(points, width), far_text(points),
        _norms_text(data, [*rows, *references], width),
        value="gradient_norm",
    )  # fmt: skip
    figure, grid = sheet(
        2 * max(1, len(places)), 2, height=1.75, legend=[legend[::2], legend[1::2]], note=text
    )
    for axes in grid.ravel() if not places else ():
        nothing(axes)
    for place, (column, row) in enumerate(places):
        block = list(grid[2 * place : 2 * place + 2].ravel())
        ended = begun_seeds(data, column, row, "projections")
        for axes, (title, part) in zip(block, found[column, row].items(), strict=False):
            if axes is not block[0]:
                axes.sharey(block[0])
            _slopes(axes, title, part, row, width, ended)
        scale_y(block[0], points)
        lines = [
            *((row, style, name) for name, (_, style) in zip(NORMS, _norms(row), strict=True)),
            *((other, _reference(other)[1], "gradient_norm")
              for other in references if other.family == row.family),
        ]  # fmt: skip
        running_values(block[3], data, column, lines, "step", width)
        block[3].set_title("norms of gradients", loc="left")
        for axes in block[2:]:
            axes.set_xlabel("iterations")
        name = f"{row.label}, {column.label}\n" if len(places) > 1 else ""
        for axes in block[::2]:
            axes.set_ylabel(f"{name}slope")
    return figure


def _parts(data: Tidy, column: Column, row: Row) -> dict[str, pd.DataFrame]:
    """Slopes at the parameters, at the snapshot, and the ones minus the others."""
    return {
        "slope at the parameters": slopes(data, column, row),
        "slope at the snapshot": slopes(data, column, row, "snapshot_projections"),
        "their difference": differences(data, column, row),
    }


def _slopes(
    axes: Axes, title: str, points: pd.DataFrame, row: Row, width: int, ended: set[int]
) -> None:
    axes.set_title(title, loc="left")
    if points.empty:
        nothing(axes)
    else:
        scatter(axes, points, look(row), width, ended)


def _norms_text(data: Tidy, rows: list[Row], width: int) -> str:
    band = band_text(data, rows)
    if band == "no run completed":
        return ""
    return f"norms: {band.removeprefix('line: ')}; {running_text(width)}"


def _norms(row: Row) -> list[Line]:
    """A line for each of `NORMS`."""
    return scale(relabelled([row] * len(NORMS), list(NORMS.values())))


def _reference(row: Row) -> Line:
    """The same family without SVRG, in grey."""
    grey: Look = replace(look(row), color=GREY, dark=GREY, face=GREY, linestyle=":", zorder=3)
    return replace(row, label=f"estimate of {row.label}"), grey
