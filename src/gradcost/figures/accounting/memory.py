"""Peak memory of a step by category, after the paper's Figure 3."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from gradcost.figures.style import GREY, WIDTH, context, styled
from gradcost.results import paper
from gradcost.results.accounting import GB, MODELS, ON_DEVICE, PAPER_MODEL, Accounting

CARDS = (24, 48)  # GB
EDGE = 54.0  # GB; a longer bar is cut, and its number says so
# what is drawn of the categories, from left to right: name, the columns, fill and hatch
PARTS: dict[str, tuple[tuple[str, ...], str, str]] = {
    "weights": (("frozen_weights",), "#D9D9D9", ""),
    "trained, gradients, states": (
        ("trainable_parameters", "gradients", "states"), "#333333", "",
    ),
    "activations": (("activations",), "#6699CC", ""),
    "tangents and directions": (("directions",), "#EECC66", "/////"),
    "workspace": (("workspace",), "#FFFFFF", "....."),
}  # fmt: skip
_EQUAL = 0.005  # share of the peak within which two bars are the same


@styled
def draw(data: Accounting) -> Figure:
    """A panel for each model of the paper."""
    return _panels(data, MODELS, CARDS, EDGE)


def draw_steps(data: Accounting, card: float | None) -> Figure:
    """A panel for each sheet, and the memory of one card in GB as a line."""
    longest = float(data.rows["peak_bytes"].max()) / GB
    edge = longest if card is None else min(longest, max(2.2 * card, longest / 8))
    with context():
        return _panels(data, [*data.facts], () if card is None else (card,), edge)


def _panels(data: Accounting, sheets: Sequence[str], cards: Sequence[float], edge: float) -> Figure:
    """A panel for each sheet; methods of a family with the same bar share it."""
    panels = {name: _bars(data.steps(name)) for name in sheets if data.sheet(name)}
    counts = [len(bars) for bars in panels.values()]
    figure = Figure(figsize=(WIDTH, 1.1 + 0.3 * len(counts) + 0.19 * sum(counts)),
                    layout="constrained")  # fmt: skip
    if not panels:
        figure.text(0.5, 0.5, "no model is priced", ha="center", color=GREY)
        return figure
    grid = figure.subplots(
        len(panels), 1, squeeze=False, sharex=True,
        gridspec_kw={"height_ratios": [count + 0.6 for count in counts]},
    )[:, 0]  # fmt: skip
    for axes, (name, bars) in zip(grid, panels.items(), strict=True):
        _panel(axes, bars, cards, edge, theirs=name == PAPER_MODEL)
        axes.set_title(data.facts[name].label, loc="left")
    for card in cards:
        grid[0].annotate(
            f"{card:.3g} GB", (card, 1), xycoords=("data", "axes fraction"), xytext=(0, 2),
            textcoords="offset points", ha="center", fontsize=7.5, color=GREY,
        )  # fmt: skip
    grid[-1].set_xlabel("memory at the peak of a step [GB]")
    _legend(figure, pd.concat(list(panels.values())), theirs=PAPER_MODEL in panels)
    return figure


def _bars(steps: pd.DataFrame) -> pd.DataFrame:
    """The steps to draw: of those of a family with the same bar, the first, named for all."""
    kept: list[pd.Series[Any]] = []
    columns = [f"peak_{name}" for name in (*ON_DEVICE, "host")]
    for _, step in steps.iterrows():
        like = next(
            (
                one
                for one in kept
                if one["family"] == step["family"]
                and np.allclose(
                    one[columns].astype(float), step[columns].astype(float),
                    rtol=0, atol=_EQUAL * float(step["peak_bytes"]),
                )
            ),
            None,
        )  # fmt: skip
        if like is None:
            kept.append(step)
    return pd.DataFrame(kept)


def _panel(
    axes: Axes, bars: pd.DataFrame, cards: Sequence[float], edge: float, *, theirs: bool
) -> None:
    for card in cards:
        axes.axvline(card, color=GREY, linewidth=0.7, linestyle=(0, (4, 2)), zorder=1)
    changes = [a != b for a, b in pairwise(bars["family"])]
    places = [index + 0.45 * sum(changes[:index]) for index in range(len(bars))]
    for place, (_, step) in zip(places, bars.iterrows(), strict=True):
        left = 0.0
        for columns, color, hatch in PARTS.values():
            width = sum(float(step[f"peak_{name}"]) for name in columns) / GB
            shown = min(width, edge - left)
            if shown > 0:
                axes.barh(
                    place, shown, left=left, height=0.66, color=color, hatch=hatch,
                    edgecolor="black", linewidth=0.4 if width > 0.03 else 0, zorder=2,
                )  # fmt: skip
            left += width
        host = float(step["peak_host"]) / GB
        if host:
            axes.barh(
                place, host, left=left, height=0.66, color="none", edgecolor="black",
                linewidth=0.6, linestyle=(0, (2, 1.5)), zorder=2,
            )  # fmt: skip
        # the paper's are of one model, and of directions in turn
        known = theirs and int(step["at_once"]) == 1
        mark = paper.memory(str(step["method"])) if known else None
        _number(axes, place, left, host, mark, edge)
    axes.set_yticks(places, [*bars["name"]])
    axes.set_ylim(max(places) + 0.6, -0.6)
    axes.set_xlim(0, edge * 10 / 9)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", visible=False)


def _number(
    axes: Axes, place: float, total: float, host: float, theirs: float | None, edge: float
) -> None:
    """The total at the end of the bar; the paper's as a mark, and both by whose they are."""
    if theirs is not None:
        axes.plot(
            theirs, place, marker="D", markersize=4.2, color="white", markeredgecolor="black",
            markeredgewidth=0.9, zorder=4,
        )  # fmt: skip
    cut = total > edge
    if cut:  # two strokes across the bar
        for shift in (-0.011, 0.0):
            axes.plot(
                [edge * (0.944 + shift), edge * (0.956 + shift)], [place + 0.45, place - 0.45],
                color="white", linewidth=1.6, zorder=3,
            )  # fmt: skip
    said = f"{total:.1f}"
    axes.annotate(
        said if theirs is None else f"ours {said}, paper's {theirs:g}",
        (edge if cut else max(total + host, theirs or 0.0), place),
        xytext=(3 if theirs is None or theirs < total - 1 else 5, 0), textcoords="offset points",
        va="center", fontsize=7.5, zorder=5,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6},
    )  # fmt: skip


def _legend(figure: Figure, bars: pd.DataFrame, *, theirs: bool) -> None:
    """The categories that are there, and the marks."""
    handles: list[Any] = [
        Patch(facecolor=color, hatch=hatch, edgecolor="black", linewidth=0.4, label=label)
        for label, (columns, color, hatch) in PARTS.items()
        if sum(bars[f"peak_{name}"].max() for name in columns) > 0
    ]
    if bars["peak_host"].max() > 0:
        handles.append(
            Patch(
                facecolor="none", edgecolor="black", linewidth=0.6, linestyle=(0, (2, 1.5)),
                label="besides, in host memory",
            )
        )  # fmt: skip
    if theirs:
        handles.append(
            Line2D(
                [], [], linestyle="none", marker="D", markersize=4.2, color="white",
                markeredgecolor="black", markeredgewidth=0.9, label="the paper's total",
            )
        )  # fmt: skip
    figure.legend(
        handles=handles, loc="outside upper center", ncols=3, columnspacing=2.0,
        labelspacing=0.35, handlelength=1.8,
    )  # fmt: skip
