"""The one look of all figures: fonts, colours, lines and markers, and reproducible files.

A family (BP, FMAD, ZO) has a hue and a line style, a strategy (vanilla, multiple, ...) a
tone and a marker, so that no two methods are told apart by colour alone: the markers of ZO are
half filled. As published, the marker is hollow. The hues and tones are Paul Tol's
medium-contrast scheme, made for colour-blind readers and for grey print. Settings of one
method go from light to dark.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import wraps
from typing import Any, Literal, TypeVar

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, MaxNLocator

from gradcost.results.tidy import Row, Tidy

WIDTH = 6.3  # inches of text in the report
HEIGHT = 8.0  # inches that panels may take, which leaves room for a legend and a caption
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
    "clipped": (1, "d"),
    "normalised": (0, "p"),
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
_DARKEST = {"bp": "#00203F", "fmad": "#4D3B00", "zo": "#4A1A28", "none": "#1A1A1A"}
_DASHES_APART: tuple[Any, ...] = (  # of methods of one family
    "-",
    (0, (5, 1.6)),
    (0, (2.2, 1.1)),
    (0, (6, 1.3, 1.2, 1.3)),
    (0, (1, 1)),
    (0, (9, 2)),
    (0, (6, 1.3, 1.2, 1.3, 1.2, 1.3)),
)
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")  # of settings, from light to dark
_SHORTEST = 0.3  # share of the line that the shortest dashes of settings are
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
    "savefig.dpi": 300,  # of what is rasterised within a vector file
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
    fill: Literal["full", "left"] = "full"  # how much of the marker is filled

    @property
    def mark(self) -> dict[str, Any]:
        """The marker, as arguments of a line."""
        return {
            "marker": self.marker, "fillstyle": self.fill, "markerfacecolor": self.face,
            "markerfacecoloralt": "white", "markeredgecolor": self.dark, "markeredgewidth": 0.7,
        }  # fmt: skip


def look(row: Row) -> Look:
    """The look of a method. ZO lies over FMAD, dashed, so that both show where they coincide."""
    tone, marker = _STRATEGIES.get(row.strategy, (1, "o"))
    linestyle = ":" if row.setting != "default" else _DASHES[row.family]
    if row.family == "bp":
        linestyle = _DASHES_OF_BP.get(row.strategy, linestyle)
    order = 2 + list(_DASHES).index(row.family) * 0.2 + (row.strategy != "vanilla") * 0.05
    light, dark = _TONES[row.family]
    color = (light, dark)[tone]
    fill = _fill(row.family)
    face = "white" if row.published else dark if fill == "left" else color
    return Look(color, dark, face, linestyle, marker, order, fill)


def _fill(family: str) -> Literal["full", "left"]:
    """What tells ZO from FMAD where there are no lines, and no colours."""
    return "left" if family == "zo" else "full"


Line = tuple[Row, Look]  # what is drawn of a row, under the row's label


def plain(rows: Iterable[Row]) -> list[Line]:
    """Every method as it is drawn everywhere."""
    return [(row, look(row)) for row in rows]


def apart(rows: Iterable[Row]) -> list[Line]:
    """Methods of one family in their own tones and markers, with a dash of its own for each."""
    return [
        (row, replace(look(row), linestyle=_DASHES_APART[order % len(_DASHES_APART)]))
        for order, row in enumerate(rows)
    ]


def scale(rows: Sequence[Row], family: str | None = None) -> list[Line]:
    """Rows of one family that have an order, such as numbers of directions, light to dark.

    Each has a dash and a marker of its own, too. Dashes begin together, and each is shorter than
    the last and lies over it: where lines coincide, a piece of each shows.
    """
    if not rows:
        return []
    family = family or rows[0].family
    light, dark = _TONES[family]
    anchors = [to_rgb(color) for color in (light, dark, _DARKEST[family])]
    fill, period = _fill(family), 2.0 * max(4, len(rows))
    dashes = period * np.linspace(1, max(1 / len(rows), _SHORTEST), len(rows))
    places = np.linspace(0, 1, len(rows)) if len(rows) > 2 else (0.0, 0.6)
    lines: list[Line] = []
    for order, (row, place) in enumerate(zip(rows, places, strict=False)):
        red, green, blue = (
            float(np.interp(place, (0, 0.6, 1), part)) for part in zip(*anchors, strict=True)
        )
        color = to_hex((red, green, blue))
        on = float(dashes[order])
        style = (0, (on, period - on)) if order else "-"
        marker = _MARKERS[order % len(_MARKERS)]
        # the marker's edge shows on light tones
        edge = dark if place < 0.6 else color
        face = color if fill == "full" else edge
        lines.append((row, Look(color, edge, face, style, marker, 2.4 + 0.05 * order, fill)))
    return lines


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
        markersize=5, label=label, **style.mark,
    )  # fmt: skip


def legend(figure: Figure, rows: Iterable[Row]) -> None:
    """One legend for the whole figure, above it, with a column for each family."""
    legend_columns(figure, [plain(of_family) for of_family in by_family(rows)])


def legend_columns(figure: Figure, columns: Sequence[Sequence[Line]]) -> None:
    """One legend for the whole figure, above it, with these columns."""
    height = max(map(len, columns), default=0)
    handles = []
    for lines in columns:
        handles += [handle(style, row.label) for row, style in lines]
        handles += [_BLANK] * (height - len(lines))
    figure.legend(
        handles=handles,
        loc="outside upper center",
        ncols=max(1, len(columns)),
        handlelength=3.0,
        columnspacing=3.0,
        labelspacing=0.35,
    )


def legend_beside(figure: Figure, rows: Iterable[Row]) -> None:
    """One legend of markers for the whole figure, on its right, with a gap between families."""
    handles: list[Line2D] = []
    for of_family in by_family(rows):
        handles += [_BLANK] * bool(handles)
        handles += [handle(look(row), row.label, line=False) for row in of_family]
    figure.legend(handles=handles, loc="outside right center", handlelength=1.2, labelspacing=0.45)


def by_family(rows: Iterable[Row]) -> list[list[Row]]:
    """The rows of each family, in the order in which families come."""
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
    axis.set_major_locator(_TwoTicks(subs=subs))
    axis.set_major_formatter(lambda value, _: f"{value:,g}".replace(",", "\u2009"))
    axis.set_minor_formatter(lambda *_: "")


class _TwoTicks(LogLocator):
    """Ticks at multiples of powers of ten; at others where fewer than two are in view.

    One number alone does not tell how long a decade is.
    """

    def tick_values(self, vmin: float, vmax: float) -> Any:
        multiples = LogLocator(subs=(1.0, 2.0, 5.0)).tick_values
        for ticks_of in (super().tick_values, multiples, MaxNLocator(4).tick_values):
            ticks = np.asarray(ticks_of(vmin, vmax))
            if np.count_nonzero((vmin <= ticks) & (ticks <= vmax)) > 1:
                break
        return ticks[ticks > 0]


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
