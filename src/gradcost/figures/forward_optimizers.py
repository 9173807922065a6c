"""Accuracy and slopes of forward gradients under other optimisers: appendix F.5's question."""

from __future__ import annotations

from dataclasses import replace

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gradcost.figures.curves import accuracy, accuracy_text, running_width
from gradcost.figures.notes import begun_seeds, note
from gradcost.figures.scatter import slopes
from gradcost.figures.sheet import nothing, sheet
from gradcost.figures.style import Line, log_y, scale, styled
from gradcost.results.statistics import running_quantiles
from gradcost.results.tidy import Column, Tidy

LARGE = 0.95  # of the slopes are smaller


@styled
def draw(data: Tidy) -> Figure:
    """A row per task and method, a line per setting; accuracy, and how large slopes are."""
    rows = data.trained
    settings = {row.setting: row for row in reversed(rows)}
    ordered = [
        replace(settings[setting], label=settings[setting].setting_label)
        for setting in dict.fromkeys(row.setting for row in rows)
    ]
    families = {row.family for row in rows}
    legend = scale(ordered, None if len(families) == 1 else "none")
    order = [row.setting for row in ordered]
    methods = list(dict.fromkeys(row.method for row in rows))
    places = [(column, method) for column in data.columns for method in methods]
    width = running_width(data)
    text = note(
        data, rows, accuracy_text(data, rows),
        f"slopes: {LARGE:.0%} of all within {width} steps are smaller",
    )  # fmt: skip
    figure, grid = sheet(
        max(1, len(places)), 2, height=1.4, note=text, sharex="col", sharey="col",
        legend=[legend[start::3] for start in range(min(3, len(legend)))],
    )  # fmt: skip
    for (left, right), (column, method) in zip(grid, places, strict=False):
        of_method = [row for row in rows if row.method == method]
        looks = dict(
            zip(order, (look for _, look in scale(ordered, of_method[0].family)), strict=True)
        )
        lines = [(row, looks[row.setting]) for row in of_method]
        accuracy(left, data, column, lines, "step")
        _sizes(right, data, column, lines, width)
        title = of_method[0].label.removesuffix(f" ({of_method[0].setting_label})")
        left.set_title(
            ", ".join([title, column.label] if len(data.columns) > 1 else [title]), loc="left"
        )
        left.set_ylabel("validation\naccuracy [%]")
        right.set_ylabel("size of slopes")
    for axes in grid[-1]:
        axes.set_xlabel("iterations")
    return figure


def _sizes(axes: Axes, data: Tidy, column: Column, lines: list[Line], width: int) -> None:
    """A running quantile of absolute slopes, of all seeds together; a cross where runs ended."""
    for row, style in lines:
        points = slopes(data, column, row)
        sizes = running_quantiles(points["step"], points["value"].abs(), width, (LARGE,))
        if sizes.empty:
            continue
        axes.plot(
            sizes.index, sizes[LARGE], color=style.color, linestyle=style.linestyle,
            markevery=[-1], markersize=4.5, zorder=style.zorder, **style.mark,
        )  # fmt: skip
        for seed in begun_seeds(data, column, row, "projections"):
            last = points.loc[points["seed"] == seed, "step"].max()
            nearest = sizes.index[abs(sizes.index - last).argmin()]
            axes.plot(
                [last], [sizes.loc[nearest, LARGE]], marker="x", markersize=5,
                markeredgewidth=1.3, color=style.dark, linestyle="none", zorder=5,
            )  # fmt: skip
    if not axes.lines:
        nothing(axes)
        return
    log_y(axes)
    axes.set_xlim(left=0)
