"""Accuracy against time, with memory as area: the paper's Figure 1 at the scale at hand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gradcost.figures.style import GREY, WIDTH, log_x, look, seeds_text, styled
from gradcost.results import compare
from gradcost.results.statistics import CONFIDENCE, Summary
from gradcost.results.tidy import Column, Row, Tidy

LARGEST = 420.0  # square points of the circle of the most memory


@dataclass(frozen=True)
class Point:
    """A method on a task."""

    row: Row
    seconds: float
    accuracy: Summary
    peak_bytes: float


@styled
def draw(data: Tidy) -> Figure:
    """One panel per task; x: mean training time of a run, y: mean test accuracy."""
    across = min(2, len(data.columns))
    down = -(-len(data.columns) // across)
    width = WIDTH if across == 2 else 0.7 * WIDTH
    figure = Figure(figsize=(width, 0.75 + 2.6 * down), layout="constrained")
    grid = figure.subplots(down, across, squeeze=False).ravel()
    most = float(np.nanmax([1.0, *data.runs["peak_bytes"].astype(float)]))
    labels: list[tuple[Axes, list[Point]]] = []
    for axes, column in zip(grid, data.columns, strict=False):
        points = _points(data, column)
        for point in points:
            _circle(axes, point, most)
        axes.set_title(column.label, loc="left")
        axes.set_xlabel("training time of a run [s]")
        axes.margins(x=0.3, y=0.1)
        if points:
            log_x(axes)
        labels.append((axes, points))
    for axes in grid[len(data.columns) :]:
        axes.set_visible(False)
    for axes in grid[::across]:
        axes.set_ylabel("test accuracy [%]")
    _sizes(figure, grid[0], most)
    figure.supxlabel(
        f"{seeds_text(data)}; bars: {CONFIDENCE:.0%} interval over seeds; "
        "area: peak memory, weights included",
        fontsize=7.5, color=GREY,
    )  # fmt: skip
    figure.draw_without_rendering()  # panels take their final place: labels can be fitted
    for axes, points in labels:
        _label(figure, axes, points, most)
    return figure


def _points(data: Tidy, column: Column) -> list[Point]:
    points = []
    for row in data.trained:
        accuracy = compare.accuracy(data, column, row)
        seconds = float(data.cell(column, row, completed=True)["training_seconds"].mean())
        peak = float(compare.cost(data, column, row)["peak_bytes"])
        if accuracy is not None and seconds > 0 and np.isfinite(peak):
            points.append(Point(row, seconds, accuracy, peak))
    return points


def _circle(axes: Axes, point: Point, most: float) -> None:
    style = look(point.row)
    axes.errorbar(
        point.seconds, point.accuracy.mean, yerr=point.accuracy.half_width, color=style.dark,
        linewidth=0.9, capsize=2, zorder=style.zorder,
    )  # fmt: skip
    axes.scatter(
        point.seconds, point.accuracy.mean, s=LARGEST * point.peak_bytes / most,
        color=style.color, edgecolor=style.dark, alpha=0.85, linewidth=0.8, zorder=style.zorder,
        linestyle="--" if point.row.family == "zo" else "-",
    )  # fmt: skip


def _sizes(figure: Figure, axes: Axes, most: float) -> None:
    """A key of circle areas, in round numbers."""
    unit, name = (1e9, "GB") if most >= 2e9 else (1e6, "MB")
    top = float(f"{most / unit:.1g}")
    top = top if top <= most / unit else float(f"{0.8 * most / unit:.1g}")
    handles = [
        axes.scatter(
            [], [], s=LARGEST * value * unit / most, color="none", edgecolor=GREY, linewidth=0.8,
            label=f"peak memory {value:g} {name}",
        )
        for value in (top / 4, top)
    ]  # fmt: skip
    figure.legend(
        handles=handles, loc="outside upper right", ncols=len(handles), fontsize=7.5, borderpad=0.8,
        handletextpad=0.8,
    )  # fmt: skip


def _label(figure: Figure, axes: Axes, points: list[Point], most: float) -> None:
    """Name each circle beside it, where the name hits least of the circles, bars and names."""
    taken: list[tuple[Box, float]] = []
    for point in points:
        half = point.accuracy.half_width or 0.0
        x, y = axes.transData.transform((point.seconds, point.accuracy.mean))
        _, top = axes.transData.transform((point.seconds, point.accuracy.mean + half))
        radius = _radius(point, most) * figure.dpi / 72
        taken.append(((x - radius, y - radius, x + radius, y + radius), 1.0))
        taken.append(((x - 3, 2 * y - top, x + 3, top), 0.5))
    inside = axes.get_window_extent()
    for point in points:
        away = _radius(point, most) + 2
        options = []
        for place, (dx, dy, ha, va) in enumerate(_PLACES):
            note = axes.annotate(
                point.row.label, (point.seconds, point.accuracy.mean),
                xytext=(dx * away, dy * away), textcoords="offset points", ha=ha, va=va,
                fontsize=7.5, zorder=5,
            )  # fmt: skip
            bounds = note.get_window_extent()
            box = (bounds.x0, bounds.y0, bounds.x1, bounds.y1)
            outside = max(0.0, bounds.x1 - inside.x1) + max(0.0, inside.x0 - bounds.x0)
            hit = sum(weight * _overlap(box, other) for other, weight in taken)
            options.append((hit + 50 * outside + 8 * place, place, note, box))
        chosen = min(options)
        for option in options:
            if option is not chosen:
                option[2].remove()
        taken.append((chosen[3], 1.5))


Box = tuple[float, float, float, float]
_PLACES = [
    (1, 0, "left", "center"), (-1, 0, "right", "center"),
    (0.75, 0.75, "left", "bottom"), (0.75, -0.75, "left", "top"),
    (-0.75, 0.75, "right", "bottom"), (-0.75, -0.75, "right", "top"),
    (0, 1, "center", "bottom"), (0, -1, "center", "top"),
]  # fmt: skip


def _radius(point: Point, most: float) -> float:
    """In points."""
    return float(np.sqrt(LARGEST * point.peak_bytes / most / np.pi))


def _overlap(one: Box, other: Box) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return max(0.0, width) * max(0.0, height)
