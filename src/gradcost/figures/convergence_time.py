"""Training time until convergence, by the paper's kind of measure and by a common one: Figure 8."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gradcost.figures.curves import TIME
from gradcost.figures.notes import note
from gradcost.figures.sheet import sheet
from gradcost.figures.style import GREY, log_x, look, seeds_text, styled
from gradcost.results import compare
from gradcost.results.statistics import median_of_reached
from gradcost.results.tidy import Column, Row, Tidy


@styled
def draw(data: Tidy) -> Figure:
    """A row per model, or task, and two panels: to a run's own plateau, to a common accuracy.

    A marker is the median over seeds, where one that never arrives comes last; a bar reaches
    from the first seed to the last that arrived. Beside an own plateau stands how high it is.
    """
    rows = data.trained
    text = note(
        data, rows, _marker_text(data, rows),
        f"own plateau: {compare.PLATEAU_POINTS:g} point below the mean of a run's last accuracies",
        value=None,
    )  # fmt: skip
    figure, grid = sheet(
        len(data.columns), 2, height=0.62 + 0.19 * len(rows), legend=[], note=text, sharex=True
    )
    for (own, common), column in zip(grid, data.columns, strict=True):
        goal = compare.target(data, column)
        for axes in (own, common):
            axes.set_ylim(len(rows) - 0.5, -0.5)
            axes.set_yticks(range(len(rows)), [row.label for row in rows])
            axes.tick_params(axis="y", length=0)
            axes.grid(visible=False, axis="y")
        common.tick_params(axis="y", labelleft=False)
        own.set_title(f"{column.label}: to its own plateau", loc="left")
        common.set_title(
            "no common accuracy" if goal is None else f"to a common {goal:g}%", loc="left"
        )
        for place, row in enumerate(rows):
            steady = compare.steady(data, column, row)
            _arrival(own, data, column, row, place, None, f"at {steady.mean():.0f}%")
            if goal is not None:
                _arrival(common, data, column, row, place, goal, "")
    for axes in grid[-1]:
        axes.set_xlabel(TIME)
    first = grid[0, 0]
    times = [float(x) for axes in grid.ravel() for line in axes.lines for x in line.get_xdata()]
    if times:
        low, high = min(times), max(times)
        room = max(high / low, 3.0) ** 0.5  # for words beside the last marker
        first.set_xlim(low / room**0.2, high * room)
        log_x(first)
    else:
        first.set_xticks([])
    return figure


def _marker_text(data: Tidy, rows: list[Row]) -> str:
    seeds = seeds_text(data, rows)
    if seeds == "no run completed":
        return seeds
    return f"marker: median of {seeds}; bar: first to last to arrive"


def _arrival(
    axes: Axes, data: Tidy, column: Column, row: Row, place: int, goal: float | None, beside: str
) -> None:
    """When the runs of a method arrive: a marker with a bar, or in words why there is none."""
    seconds = compare.arrivals(data, column, row, goal)["training_seconds"]
    arrived, median = seconds.dropna(), median_of_reached(seconds)
    style = look(row)
    words = "" if len(arrived) == len(seconds) else f"{len(arrived)} of {len(seconds)} seeds"
    if data.cell(column, row, completed=True).empty:
        return _say(axes, place, "no run completed")
    if arrived.empty:
        return _say(axes, place, "never")
    axes.plot(
        [arrived.min(), arrived.max()], [place, place], color=style.dark, linewidth=1.0, marker="|",
        markersize=4, zorder=2,
    )  # fmt: skip
    if median > 0:
        axes.plot(
            [median], [place], markersize=5, zorder=3, **style.mark
        )  # fmt: skip
    axes.annotate(
        ", ".join(filter(None, (beside, words))), (arrived.max(), place), xytext=(6, 0),
        textcoords="offset points", va="center", fontsize=7.5,
    )  # fmt: skip
    return None


def _say(axes: Axes, place: int, words: str) -> None:
    axes.text(
        0.02, place, words, transform=axes.get_yaxis_transform(), va="center", fontsize=7.5,
        color=GREY,
    )  # fmt: skip
