"""Each strategy against its family's Vanilla, for equal computation."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain

import pandas as pd
from matplotlib.figure import Figure

from gradcost.figures.curves import accuracy_text, curve, majority
from gradcost.figures.notes import note
from gradcost.figures.style import GREY, HEIGHT, WIDTH, Look, handle, log_x, look, styled
from gradcost.results import compare
from gradcost.results.tidy import Column, Row, Tidy

_OF_ZO = {"mezo": "MeZO", "signzo": "SignZO"}
PANELS: tuple[dict[str, str], ...] = (  # the strategies of each, and their names
    {"accumulate": "Accumulate"},
    {"multiple": "Multiple"},
    {"adaptive": "Adaptive"},
    {"svrg": "SVRG"},
    {"sparse": "Sparse"},
    _OF_ZO,
)
ACROSS = 3
MANY = 4  # tasks, which have a row each then
REFERENCES = ("bp-vanilla", "fmad-vanilla", "zo-vanilla")
_UNITS = {"E": 1e18, "P": 1e15, "T": 1e12, "G": 1e9, "M": 1e6}


@styled
def draw(data: Tidy) -> Figure:
    """A panel per task and strategy; x: FLOPs of training so far, logarithmic.

    FLOPs and not forward passes: those of MeZO and Sparse are of other models. Iterations
    would hide what several directions and snapshots cost.
    """
    rows = [row for row in data.trained if row.setting == "default" and not row.published]
    panels = {
        _title(names, found): found
        for names in PANELS
        if (found := [row for row in rows if row.strategy in names])
    }
    references = [row for row in rows if row.key in REFERENCES]
    drawn = [*references, *chain(*panels.values())]
    many = len(data.columns) >= MANY
    across = max(1, len(panels)) if many else ACROSS
    down = -(-len(panels) // across)
    text = note(data, drawn, accuracy_text(data, drawn), value=None)
    lines = 0.16 * text.count("\n")
    # its caption has a line more than that of others
    tall = min(1.1 * down * len(data.columns), HEIGHT - lines - 0.2)
    figure = Figure(figsize=(WIDTH, 1.0 + lines + tall), layout="constrained")
    if not panels:
        figure.text(0.5, 0.5, "no method has a strategy", ha="center", color=GREY)
        return figure
    unit, size = _unit(data, drawn)
    grid = figure.subplots(down * len(data.columns), across, squeeze=False, sharex=True)
    for axes in grid.ravel():
        axes.set_visible(False)
    for index, column in enumerate(data.columns):
        block = grid[index * down : (index + 1) * down].ravel()
        for place, (axes, title) in enumerate(zip(block, panels, strict=False)):
            axes.set_visible(True)
            axes.sharey(block[0])
            if not many or index == 0:
                axes.set_title(title, loc="left", pad=3, fontsize=7.5 if many else None)
            for row in references:
                curve(axes, _runs(data, column, row, size), _faint(row), "flops", band=False)
            for row in panels[title]:
                curve(axes, _runs(data, column, row, size), _bold(row), "flops")
            majority(axes, data, column)
            if place % across == 0:
                # a row of many is too low for a line
                label = column.label.replace(", ", ",\n") if many else column.label
                axes.set_ylabel(label)
            else:
                axes.tick_params(axis="y", labelleft=False)
    for axes in grid[-1, across // 2 : across // 2 + 1] if many else grid[-1]:
        axes.set_xlabel(f"computation [{unit}FLOP]")
    log_x(grid[-1, 0])
    _legend(figure, references, [*chain(*panels.values())])
    figure.supylabel("validation accuracy [%]", fontsize=8.5)
    figure.supxlabel(text, fontsize=7.5, color=GREY)
    return figure


def _title(names: dict[str, str], rows: list[Row]) -> str:
    """The names of those strategies that are there: `MeZO and SignZO`."""
    there = {row.strategy for row in rows}
    return " and ".join(name for strategy, name in names.items() if strategy in there)


def _runs(data: Tidy, column: Column, row: Row, size: float) -> pd.DataFrame:
    """The histories with the column `flops`, in units of `size`."""
    forward = float(compare.cost(data, column, row)["forward_flops"])
    curves = data.curves(column, row)
    return curves.assign(flops=curves["forward_equivalents"] * forward / size)


def _unit(data: Tidy, rows: list[Row]) -> tuple[str, float]:
    """The decimal prefix in which the longest run is at least 1."""
    most = max(
        (_runs(data, column, row, 1.0)["flops"].max() for column in data.columns for row in rows),
        default=0.0,
    )
    return next((one for one in _UNITS.items() if most >= one[1]), ("", 1.0))


def _faint(row: Row) -> Look:
    """A reference: FMAD and ZO in grey, behind all else."""
    style = replace(look(row), marker="", zorder=1.5)
    return style if row.family == "bp" else replace(style, color="#8C8C8C", dark="#8C8C8C")


def _bold(row: Row) -> Look:
    """In the family's dark tone, which a thin line needs; two of a panel keep their own."""
    style = look(row)
    if row.strategy in _OF_ZO:
        return style
    return replace(style, color=style.dark, face=style.dark)


def _legend(figure: Figure, references: list[Row], rows: list[Row]) -> None:
    """A method that is alone of its kind by its name, the others by their family."""
    handles = [handle(_faint(row), row.label) for row in references]
    for family, name in (("fmad", "FMAD"), ("zo", "ZO")):
        several = [row for row in rows if row.key.startswith(f"{family}-")]
        if several:
            style = replace(_bold(several[0]), marker="")
            handles.append(handle(style, f"{name} with the strategy"))
    named = [row for row in rows if not row.key.startswith(("fmad-", "zo-"))]
    handles += [handle(_bold(row), row.label) for row in named]
    figure.legend(
        handles=handles, loc="outside upper center", ncols=3, handlelength=3.0,
        columnspacing=2.5, labelspacing=0.35,
    )  # fmt: skip
