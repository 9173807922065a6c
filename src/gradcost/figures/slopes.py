"""Directional derivatives against iterations, by method and optimiser: Figures 9 and 12."""

from __future__ import annotations

from matplotlib.figure import Figure

from gradcost.figures.curves import running_width
from gradcost.figures.notes import begun_seeds, note
from gradcost.figures.scatter import far_text, scale_y, scatter, slopes, what
from gradcost.figures.sheet import nothing, sheet
from gradcost.figures.style import look, styled
from gradcost.results.tidy import Row, Tidy


@styled
def draw(data: Tidy) -> Figure:
    """A row of panels per task and method, a column per setting, such as the optimiser.

    The panels of a row share their scale, so that what one optimiser amplifies shows.
    """
    rows = [row for row in data.trained if row.family != "bp"]
    settings = list(dict.fromkeys(row.setting for row in rows)) or ["default"]
    by_name = {(row.method, row.setting): row for row in rows}
    places = [
        (column, method)
        for column in data.columns
        for method in dict.fromkeys(row.method for row in rows)
    ]
    points = {(column, row): slopes(data, column, row) for column in data.columns for row in rows}
    width = running_width(data)
    text = note(
        data, rows, what(points.values(), width), far_text(points.values()), value="projections"
    )
    figure, grid = sheet(
        max(1, len(places)), len(settings), height=1.35, legend=[], note=text, sharex="col",
        sharey="row",
    )  # fmt: skip
    for panels, (column, method) in zip(grid, places, strict=False):
        for axes, setting in zip(panels, settings, strict=True):
            row = by_name.get((method, setting))
            if row is not None:
                axes.set_title(_title(row), loc="left")
            if row is None or points[column, row].empty:
                nothing(axes)
                continue
            ended = begun_seeds(data, column, row, "projections")
            scatter(axes, points[column, row], look(row), width, ended)
        task = f"{column.label}\n" if len(data.columns) > 1 else ""
        panels[0].set_ylabel(f"{task}slope")
        scale_y(panels[0], points.values())
    for axes in grid[-1]:
        axes.set_xlabel("iterations")
    return figure


def _title(row: Row) -> str:
    """`FMAD-Vanilla, AdamW`."""
    method = row.label.removesuffix(f" ({row.setting_label})")
    return method if row.setting == "default" else f"{method}, {row.setting_label}"
