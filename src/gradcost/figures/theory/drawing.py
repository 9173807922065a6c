"""What the figures of the theory share: the looks of the two estimators, points and lines."""

from __future__ import annotations

from matplotlib.axes import Axes

from gradcost.figures.style import GREY, Look, look
from gradcost.results.theory import Series
from gradcost.results.tidy import Row

LABELS = {"forward-mode": "forward mode", "zeroth-order": "zeroth order"}
LOOKS: dict[str, Look] = {
    "forward-mode": look(Row("fmad-vanilla", "default", "", "fmad")),
    "zeroth-order": look(Row("zo-vanilla", "default", "", "zo")),
}


def points(axes: Axes, series: Series, style: Look, marker: str, *, hollow: bool = False) -> None:
    """Measured points with their intervals, over the lines."""
    axes.errorbar(
        [point.x for point in series.points],
        [point.y for point in series.points],
        yerr=[
            [point.y - (point.y if point.low is None else point.low) for point in series.points],
            [(point.y if point.high is None else point.high) - point.y for point in series.points],
        ],
        linestyle="none", marker=marker, markersize=5 if hollow else 3.6, color=style.dark,
        markerfacecolor="none" if hollow else style.color, markeredgecolor=style.dark,
        markeredgewidth=0.8, elinewidth=0.8, capsize=2, zorder=3,
    )  # fmt: skip


def line(axes: Axes, series: Series) -> None:
    """What is predicted."""
    axes.plot(
        [place.x for place in series.line], [place.y for place in series.line], color=GREY,
        linewidth=0.9, zorder=2,
    )  # fmt: skip


def nothing(axes: Axes) -> None:
    """An empty panel says that it is empty."""
    axes.text(0.5, 0.5, "nothing was verified", ha="center", transform=axes.transAxes, color=GREY)
