"""The variance of an estimate against d and against n (Lemmas I.4 and I.6)."""

from __future__ import annotations

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from gradcost.figures.style import GREY, WIDTH, log_x, log_y, styled
from gradcost.figures.theory.drawing import LABELS, LOOKS, line, nothing, points
from gradcost.results.theory import Theory

PANELS = {"dimension": "trained parameters $d$", "directions": "directions $n$ of an estimate"}
_MARKERS = {"forward-mode": "o", "zeroth-order": "s"}


@styled
def draw(data: Theory) -> Figure:
    """Both axes logarithmic: (d + 1)/n is a line of slope 1, and then of slope -1."""
    figure = Figure(figsize=(WIDTH, 2.5), layout="constrained")
    panels = figure.subplots(1, len(PANELS))
    for axes, (against, label) in zip(panels, PANELS.items(), strict=True):
        known = data.series(f"variance/{against}")
        for name, series in known.items():
            line(axes, series)
            points(axes, series, LOOKS[name], _MARKERS[name], hollow=name == "zeroth-order")
        axes.set_xlabel(label)
        if not known:
            nothing(axes)
            continue
        log_x(axes)
        log_y(axes)
        ticks = sorted({point.x for series in known.values() for point in series.points})
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.set_xticks([], minor=True)
    panels[0].set_ylabel(r"$\mathrm{Var}[\hat g]\;/\;\Vert\nabla f\Vert^2$")
    figure.legend(
        handles=[
            *(
                Line2D(
                    [], [], linestyle="none", marker=_MARKERS[name], color=LOOKS[name].dark,
                    markerfacecolor="none" if name == "zeroth-order" else LOOKS[name].color,
                    markersize=5, label=f"{label}, measured",
                )
                for name, label in LABELS.items()
            ),
            Line2D([], [], color=GREY, linewidth=0.9, label="$(d+1)/n$"),
        ],
        loc="outside upper center", ncols=3,
    )  # fmt: skip
    return figure
