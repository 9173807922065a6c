"""The error of a central difference against epsilon: its order, and where rounding takes over."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from gradcost.figures.style import GREY, WIDTH, styled
from gradcost.figures.theory.drawing import nothing
from gradcost.results.theory import Series, Theory

# what is drawn, its order, colour, marker, and on which side of the line its name stands
ORDERS = {
    "smooth": (r"$\sum 1-\cos w_i$", r"$\varepsilon^2$", "#004488", "o", 8),
    "kink": (r"$\sum w_i|w_i|/2$ at 0", r"$\varepsilon$", "#997700", "s", -8),
}
PRECISIONS: dict[str, tuple[str, Any]] = {
    "float64": ("#004488", "-"),
    "float32": ("#994455", (0, (5, 2))),
    "bfloat16": ("#997700", (0, (1.2, 1.2))),
}


@styled
def draw(data: Theory) -> Figure:
    """Left: two functions in exact arithmetic, nearly. Right: one function in three precisions."""
    figure = Figure(figsize=(WIDTH, 2.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    orders = data.series("epsilon")
    for name, series in orders.items():
        label, order, color, marker, dx = ORDERS[name]
        left.plot(
            [place.x for place in series.line], [place.y for place in series.line], color=GREY,
            linewidth=0.9,
        )  # fmt: skip
        kept = series.points[::2]
        left.plot(
            [point.x for point in kept], [point.y for point in kept], linestyle="none",
            marker=marker, markersize=3.6, color=color,
        )  # fmt: skip
        middle = series.points[len(series.points) // 2]
        left.annotate(
            f"{label}: {order}", (middle.x, middle.y), xytext=(dx, -dx), va="center",
            textcoords="offset points", fontsize=7.5, color=color,
            ha="left" if dx > 0 else "right",
        )  # fmt: skip
    left.set_title("order", loc="left")
    left.set_ylabel("RMS error of the slope along $v$")
    rounded = data.series("rounding")
    for name, series in rounded.items():
        color, dashes = PRECISIONS[name]
        right.plot(
            [point.x for point in series.points], [point.y for point in series.points],
            color=color, linestyle=dashes,
        )  # fmt: skip
        _least(right, name, series, color)
    right.set_title("rounding", loc="left")
    right.set_ylabel("RMS error / RMS slope")
    for axes, known in ((left, orders), (right, rounded)):
        axes.set_xlabel(r"$\varepsilon$")
        if not known:
            nothing(axes)
            continue
        axes.set_xscale("log")
        axes.set_yscale("log")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(LogLocator(base=100 if axis is axes.yaxis else 10, numticks=9))
        axes.minorticks_off()
        axes.margins(y=0.1)
    return figure


def _least(axes: Axes, name: str, series: Series, color: str) -> None:
    """Mark the best epsilon, and name the precision there."""
    if not series.points:
        return
    least = min(series.points, key=lambda point: point.y)
    axes.plot([least.x], [least.y], marker="o", markersize=4.5, color=color)
    axes.annotate(
        name, (least.x, least.y), xytext=(-7, -8), textcoords="offset points", fontsize=7.5,
        ha="right", color=color,
    )  # fmt: skip
