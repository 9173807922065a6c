"""Accuracy against time, with memory as area: the paper's Figure 1 at the scale at hand."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gradcost.figures.notes import note
from gradcost.figures.sheet import lowest
from gradcost.figures.style import (
    GREY,
    HEIGHT,
    WIDTH,
    legend_beside,
    log_x,
    look,
    seeds_text,
    styled,
)
from gradcost.results import compare
from gradcost.results.statistics import CONFIDENCE
from gradcost.results.tidy import Column, Row, Tidy

LARGEST = 480.0  # square points of the circle of the most memory


@styled
def draw(data: Tidy) -> Figure:
    """One panel per task; x: mean training time of a run, y: mean test accuracy."""
    across = 1 if len(data.columns) < 4 else 2
    down = -(-len(data.columns) // across)
    figure = Figure(figsize=(WIDTH, 0.75 + min(2.2 * down, HEIGHT)), layout="constrained")
    panels = list(figure.subplots(down, across, squeeze=False).ravel())
    for axes in panels[len(data.columns) :]:
        axes.remove()
    panels = panels[: len(data.columns)]
    most = float(np.nanmax([1.0, *data.runs["peak_bytes"].astype(float)]))
    for axes, column in zip(panels, data.columns, strict=True):
        drawn = [_circle(axes, data, column, row, most) for row in data.trained]
        axes.set_title(column.label, loc="left")
        axes.set_ylabel("test accuracy [%]")
        axes.margins(x=0.1, y=0.1)
        if any(drawn):
            log_x(axes)
    for axes in lowest(panels):
        axes.set_xlabel("training time of a run [s]")
    legend_beside(figure, data.trained)
    text = note(
        data, data.trained, seeds_text(data, data.trained),
        f"bars: {CONFIDENCE:.0%} interval over seeds", "area: peak memory, weights included",
        value=None,
    )  # fmt: skip
    _sizes(figure, panels[0], most, text)
    return figure


def _circle(axes: Axes, data: Tidy, column: Column, row: Row, most: float) -> bool:
    """Draw a method, its marker in its circle; False if there is nothing to draw."""
    accuracy = compare.accuracy(data, column, row)
    seconds = float(data.cell(column, row, completed=True)["training_seconds"].mean())
    peak = float(compare.cost(data, column, row)["peak_bytes"])
    if accuracy is None or not seconds > 0 or not np.isfinite(peak):
        return False
    style = look(row)
    axes.scatter(
        seconds, accuracy.mean, s=LARGEST * peak / most, color=style.color, edgecolor=style.dark,
        alpha=0.22, linewidth=0.6, zorder=style.zorder - 1,
    )  # fmt: skip
    axes.errorbar(
        seconds, accuracy.mean, yerr=accuracy.half_width, color=style.dark, alpha=0.6,
        linewidth=0.8, linestyle="none", capsize=1.5, zorder=style.zorder,
    )  # fmt: skip
    axes.plot(
        seconds, accuracy.mean, markersize=5, zorder=style.zorder + 1, **style.mark,
    )  # fmt: skip
    return True


def _sizes(figure: Figure, axes: Axes, most: float, text: str) -> None:
    """Below the panels, what they show and a key of circle areas, in round numbers."""
    unit, name = (1e9, "GB") if most >= 2e9 else (1e6, "MB")
    top = float(f"{0.8 * most / unit:.1g}")
    handles = [
        axes.scatter(
            [], [], s=LARGEST * value * unit / most, color="none", edgecolor=GREY, linewidth=0.8,
            label=f"{value:g} {name}",
        )
        for value in (top / 4, top)
    ]  # fmt: skip
    key = figure.legend(
        handles=handles, loc="outside lower center", ncols=len(handles), fontsize=7.5,
        labelspacing=1.2, scatteryoffsets=[0.3], borderpad=0.9, handletextpad=1.2,
        columnspacing=3.0, title=text, title_fontsize=7.5,
    )  # fmt: skip
    key.get_title().set_color(GREY)
