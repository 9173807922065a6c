"""What a step costs: peak memory above the weights, and FLOPs in forward passes."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gradcost.figures.style import HEIGHT, WIDTH, look, styled
from gradcost.results import compare
from gradcost.results.tidy import Column, Row, Tidy

QUANTITIES = {
    "activation_bytes": ("peak memory above the weights [MB]", 1e-6),
    "forward_equivalents": ("FLOPs of a step / FLOPs of a forward pass", 1.0),
}


@styled
def draw(data: Tidy) -> Figure:
    """Counted, hence without interval; tasks that agree within one percent share a panel.

    All tasks share one, with a mark each, if a page has no room for their panels.
    """
    groups, places = _groups(data), _places(data.trained)
    panel = 0.35 + 0.175 * (max(places, default=0) + 1)
    if len(groups) * panel > HEIGHT:
        groups = [("one mark for each task", [one for _, costs in groups for one in costs])]
    figure = Figure(figsize=(WIDTH, 0.35 + len(groups) * panel), layout="constrained")
    grid = figure.subplots(
        len(groups), len(QUANTITIES), squeeze=False, sharex="col", sharey=True,
        gridspec_kw={"wspace": 0.08},
    )  # fmt: skip
    for panels, (title, costs) in zip(grid, groups, strict=True):
        for axes, key in zip(panels, QUANTITIES, strict=True):
            _bars(axes, data.trained, places, costs, key)
        panels[0].set_title(title, loc="left")
    for axes, (label, _) in zip(grid[-1], QUANTITIES.values(), strict=True):
        axes.set_xlabel(label)
    return figure


def _groups(data: Tidy) -> list[tuple[str, list[pd.DataFrame]]]:
    """Columns with the same costs, together: (labels, their costs by row number)."""
    groups: list[tuple[list[Column], pd.DataFrame]] = []
    for column in data.columns:
        costs = pd.DataFrame([compare.cost(data, column, row) for row in data.trained])
        costs = costs[list(QUANTITIES)]
        for columns, known in groups:
            if np.allclose(costs, known, rtol=0.01, equal_nan=True):
                columns.append(column)
                break
        else:
            groups.append(([column], costs))
    return [(", ".join(c.label for c in columns), [costs]) for columns, costs in groups]


def _places(rows: list[Row]) -> list[float]:
    """Where the bars stand, from above: evenly, with a gap between families."""
    changes = [a.family != b.family for a, b in pairwise(rows)]
    return [index + 0.5 * sum(changes[:index]) for index in range(len(rows))]


def _bars(
    axes: Axes, rows: list[Row], places: list[float], costs: list[pd.DataFrame], key: str
) -> None:
    scale = QUANTITIES[key][1]
    for index, (place, row) in enumerate(zip(places, rows, strict=True)):
        known = [value for one in costs if np.isfinite(value := float(one[key].iloc[index]))]
        values = [value * scale for value in known]
        style = look(row)
        if values:
            axes.hlines(place, 0, max(values), color=style.color, linewidth=3.2, zorder=2)
        axes.plot(
            values, [place] * len(values), linestyle="none", markersize=5, zorder=3, **style.mark,
        )  # fmt: skip
        axes.annotate(
            _said(values), (max(values, default=0), place), xytext=(6, 0),
            textcoords="offset points", va="center", fontsize=7.5,
        )  # fmt: skip
    axes.set_yticks(places, [row.label for row in rows])
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", visible=False)
    axes.set_ylim(max(places, default=0) + 0.6, -0.6)
    axes.margins(x=0.16)  # for the number at the longest bar
    axes.set_xlim(left=0)


def _said(values: list[float]) -> str:
    """What stands at a bar: its value, or the range of its values."""
    if not values:
        return "not known: no step was taken"
    ends = (f"{value:#.3g}".rstrip(".") for value in (min(values), max(values)))
    return "–".join(dict.fromkeys(ends))
