"""The one look of all figures: fonts, colours, lines and markers, and reproducible files.

A family (BP, FMAD, ZO) has a hue and a line style, a strategy (vanilla, multiple, ...) a
tone and a marker, so that no two methods are told apart by colour alone; as published, the
marker is hollow. The hues and tones are Paul Tol's medium-contrast scheme, made for
colour-blind readers and for grey print.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeVar

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator

from gradcost.results.tidy import Row, Tidy

WIDTH = 6.3  # inches of text in the report
GREY = "#555555"
Data = TypeVar("Data")  # what a figure is drawn from

_TONES = {  # family -> light, dark
    "bp": ("#6699CC", "#004488"),
    "fmad": ("#EECC66", "#997700"),
    "zo": ("#EE99AA", "#994455"),
    "none": ("#BBBBBB", "#555555"),
}
_DASHES: dict[str, Any] = {"bp": "-", "fmad": "-", "zo": (0, (3.5, 1.6)), "none": ":"}
_STRATEGIES = {  # strategy -> tone, marker
    "vanilla": (1, "o"),
    "checkpointing": (0, "D"),
    "accumulate": (0, "^"),
    "multiple": (0, "s"),
    "adaptive": (1, "v"),
    "svrg": (1, "P"),
    "sparse": (0, "X"),
    "mezo": (0, "*"),
    "signzo": (1, "<"),
    "in-place": (1, "H"),
    "segments": (1, "p"),
    "nested": (1, "h"),
    "selective": (0, "d"),
    "offload": (0, ">"),
}
# BP's lie on or near one another against iterations
_DASHES_OF_BP: dict[str, Any] = {
    "checkpointing": (0, (1.2, 1.2)),
    "accumulate": (0, (6, 1.2, 1.2, 1.2)),
    "segments": (0, (5, 2)),
    "nested": (0, (3, 1.2, 1.2, 1.2, 1.2, 1.2)),
    "selective": (0, (8, 2)),
    "offload": (0, (8, 2, 1.2, 2)),
}
_RC: dict[Any, Any] = {
    "font.family": "STIXGeneral",
    "mathtext.fontset": "stix",
    "font.size": 8.5,
    "axes.titlesize": 9,
    "axes.labelsize": 8.5,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "legend.fontsize": 8,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": "black",
    "ytick.labelcolor": "black",
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.minor.width": 0.4,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E4E4E4",
    "grid.linewidth": 0.5,
    "lines.linewidth": 1.3,
    "legend.frameon": False,
    "figure.dpi": 100,
    "pdf.fonttype": 42,
    "svg.fonttype": "path",
    "svg.hashsalt": "gradcost",
}


@dataclass(frozen=True)
class Look:
    """How a method is drawn everywhere."""

    color: str
    dark: str
    face: str  # of the marker
    linestyle: Any
    marker: str
    zorder: float


def look(row: Row) -> Look:
    """The look of a method. ZO lies over FMAD, dashed, so that both show where they coincide."""
    tone, marker = _STRATEGIES.get(row.strategy, (1, "o"))
    linestyle = ":" if row.setting != "default" else _DASHES[row.family]
    if row.family == "bp":
        linestyle = _DASHES_OF_BP.get(row.strategy, linestyle)
    order = 2 + list(_DASHES).index(row.family) * 0.2 + (row.strategy != "vanilla") * 0.05
    light, dark = _TONES[row.family]
    color = (light, dark)[tone]
    face = "white" if row.published else color
    return Look(color, dark, face, linestyle, marker, order)


def context() -> AbstractContextManager[None]:
    """The style as a context: nothing outside of it changes, and nothing outside changes it."""
    return mpl.rc_context({**dict(mpl.rcParamsDefault), **_RC, "backend": "agg"})


def styled(draw: Callable[[Data], Figure]) -> Callable[[Data], Figure]:
    """Let a `draw` function run in the style."""

    @wraps(draw)
    def within(data: Data) -> Figure:
        with context():
            return draw(data)

    return within


def handle(style: Look, label: str, *, line: bool = True) -> Line2D:
    """What a legend shows of a method: its line, if the figure has lines, and its marker."""
    return Line2D(
        [], [], color=style.color, linestyle=style.linestyle if line else "none",
        marker=style.marker, markersize=4.5, markerfacecolor=style.face,
        markeredgecolor=style.dark, markeredgewidth=0.7, label=label,
    )  # fmt: skip


def legend(figure: Figure, rows: Iterable[Row]) -> None:
    """One legend for the whole figure, above it, with a column for each family."""
    families = _by_family(rows)
    height = max(map(len, families), default=0)
    handles = []
    for of_family in families:
        handles += [handle(look(row), row.label) for row in of_family]
        handles += [_BLANK] * (height - len(of_family))
    figure.legend(
        handles=handles,
        loc="outside upper center",
        ncols=max(1, len(families)),
        handlelength=3.0,
        columnspacing=3.0,
        labelspacing=0.35,
    )


def legend_beside(figure: Figure, rows: Iterable[Row]) -> None:
    """One legend of markers for the whole figure, on its right, with a gap between families."""
    handles: list[Line2D] = []
    for of_family in _by_family(rows):
        handles += [_BLANK] * bool(handles)
        handles += [handle(look(row), row.label, line=False) for row in of_family]
    figure.legend(handles=handles, loc="outside right center", handlelength=1.2, labelspacing=0.45)


def _by_family(rows: Iterable[Row]) -> list[list[Row]]:
    families: dict[str, list[Row]] = {}
    for row in rows:
        families.setdefault(row.family, []).append(row)
    return list(families.values())


_BLANK = Line2D([], [], linestyle="none", label=" ")


def log_x(axes: Axes) -> None:
    """A logarithmic x axis with plain numbers: powers of ten, and 2 and 5 where there is room.

    Call it after the data are drawn.
    """
    axes.set_xscale("log")
    low, high = axes.get_xlim()
    _plain_numbers(axes.xaxis, (1.0, 2.0, 5.0) if high < 60 * low else (1.0,))


def log_y(axes: Axes) -> None:
    """The same for a y axis, where there is room."""
    axes.set_yscale("log")
    _plain_numbers(axes.yaxis, (1.0, 2.0, 5.0))


def _plain_numbers(axis: Axis, subs: tuple[float, ...]) -> None:
    axis.set_major_locator(LogLocator(subs=subs))
    axis.set_major_formatter(lambda value, _: f"{value:,g}".replace(",", "\u2009"))
    axis.set_minor_formatter(lambda *_: "")


def seeds_text(data: Tidy, rows: Iterable[Row]) -> str:
    """`3 seeds`, or `2 to 3 seeds` where the rows differ; counts completed runs."""
    counts = {
        len(data.cell(column, row, completed=True)) for row in rows for column in data.columns
    } - {0}
    if not counts:
        return "no run completed"
    low, high = min(counts), max(counts)
    plural = "" if high == 1 else "s"
    return f"{high} seed{plural}" if low == high else f"{low} to {high} seeds"
