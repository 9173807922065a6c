"""The gradient that an update takes, by method and optimiser: Figures 10 and 13."""

from __future__ import annotations

from dataclasses import replace

from matplotlib.figure import Figure

from gradcost.figures.curves import running, running_text, running_width
from gradcost.figures.notes import band_text, note
from gradcost.figures.sheet import sheet
from gradcost.figures.style import apart, by_family, plain, styled
from gradcost.results.tidy import Tidy


@styled
def draw(data: Tidy) -> Figure:
    """A row of panels per task, a column per setting, such as the optimiser; a line a method.

    The mean absolute component. Accumulated gradients have a value at each update only.
    """
    rows = data.trained
    settings = list(dict.fromkeys(row.setting for row in rows)) or ["default"]
    labels = {row.setting: row.setting_label for row in rows}
    unnamed = [
        replace(row, label=row.label.removesuffix(f" ({row.setting_label})"), setting="default")
        for row in rows
    ]
    columns = [
        plain(family) if family[0].family == "bp" else apart(family)
        for family in by_family(dict.fromkeys(replace(row, setting_label="") for row in unnamed))
    ]
    looks = {row.method: look for lines in columns for row, look in lines}
    width = running_width(data)
    text = note(data, rows, band_text(data, rows), running_text(width), value="gradient_mean")
    figure, grid = sheet(
        len(data.columns), len(settings), height=2.1, legend=columns, note=text, sharex="col",
        sharey="row",
    )  # fmt: skip
    for panels, column in zip(grid, data.columns, strict=True):
        for axes, setting in zip(panels, settings, strict=True):
            lines = [(row, looks[row.method]) for row in rows if row.setting == setting]
            running(axes, data, column, lines, "step", "gradient_mean", width)
            axes.set_title(f"{column.label}, {labels.get(setting, setting)}", loc="left")
        panels[0].set_ylabel("mean absolute component")
    for axes in grid[-1]:
        axes.set_xlabel("iterations")
    return figure
