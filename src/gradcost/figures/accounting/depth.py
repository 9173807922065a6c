"""Memory above the weights against depth and against directions, with the exponents (Table 2)."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gradcost.figures.accounting.labels import spread
from gradcost.figures.style import GREY, WIDTH, log_x, log_y, look, styled
from gradcost.results.accounting import DEPTH, DIRECTIONS, GB, Accounting, row

PANELS = {
    "layers": (DEPTH, "layers", (False,)),
    "directions": (DIRECTIONS, "directions of a step", (False, True)),
}

LINE = 0.06  # of the panels' height that a line of text takes


@styled
def draw(data: Accounting) -> Figure:
    """Both axes logarithmic, so that a power law is a line; its slope stands at its end."""
    figure = Figure(figsize=(WIDTH, 2.9), layout="constrained")
    panels = figure.subplots(1, len(PANELS), sharey=True, width_ratios=[1.0, 0.95])
    ends: list[list[tuple[float, float, str]]] = []
    for axes, (against, (sheet, label, hows)) in zip(panels, PANELS.items(), strict=True):
        ends.append([])
        for method in dict.fromkeys(data.steps(sheet)["method"]):
            for together in hows:
                ends[-1] += _line(axes, data, sheet, method, against, together=together)
        axes.set_xlabel(label)
        if ends[-1]:
            log_x(axes)
            ticks = sorted(set(data.steps(sheet)[against]))
            axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
            axes.set_xticks([], minor=True)
            axes.set_xlim(ticks[0] / 1.12, ticks[-1] * (ticks[-1] / ticks[0]) ** 0.75)
        else:
            axes.text(
                0.5, 0.5, "nothing is varied", ha="center", transform=axes.transAxes, color=GREY
            )
    panels[0].set_ylabel("memory above the weights [GB]")
    if any(ends):
        log_y(panels[0])
        low, high = panels[0].get_ylim()
        for axes, labels in zip(panels, ends, strict=True):
            for x, y, text in spread(labels, (high / low) ** LINE):
                axes.annotate(
                    text, (x, y), xytext=(6, 0), textcoords="offset points", va="center",
                    fontsize=7.5,
                )  # fmt: skip
    figure.supxlabel("numbers: exponents, slopes of the lines", fontsize=7.5, color=GREY)
    return figure


def _line(
    axes: Axes, data: Accounting, sheet: str, method: str, against: str, *, together: bool
) -> list[tuple[float, float, str]]:
    """Draw a method; where its line ends, and what stands there."""
    steps = data.series(sheet, method, against, together=together)
    if steps.empty:
        return []
    style, last = look(row(steps.iloc[-1])), steps.iloc[-1]
    axes.plot(
        steps[against], steps["above_weights"] / GB, color=style.dark, linestyle=style.linestyle,
        markersize=4.5, zorder=style.zorder, linewidth=1.1, **style.mark,
    )  # fmt: skip
    grows = data.growth(sheet, method, against, "above_weights", together=together)
    how = "" if against != "directions" else ", together" if together else ", in turn"
    slope = "" if grows is None else f"  {round(grows.exponent, 2) + 0.0:.2f}"
    return [(float(last[against]), float(last["above_weights"]) / GB, last["label"] + how + slope)]
