"""How a step changes a quadratic in expectation, against its size over the printed limit."""

from __future__ import annotations

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from gradcost.figures.style import GREY, WIDTH, styled
from gradcost.figures.theory.drawing import LABELS, LOOKS, line, nothing, points
from gradcost.results.theory import Theory

PANELS = {
    "isotropic": r"isotropic, $f=\frac{1}{2}\Vert w\Vert^2$",
    "anisotropic": "anisotropic, eigenvalues $L/i$",
}
_MARKERS = ("o", "s", "^", "D")


@styled
def draw(data: Theory) -> Figure:
    """Below zero a step descends. Scaled by 1 + (d + 1)/n, all d and n are one parabola."""
    figure = Figure(figsize=(WIDTH, 2.9), layout="constrained")
    panels = figure.subplots(1, len(PANELS), sharey=True)
    settings: dict[str, str] = {}  # d and n -> marker
    for axes, (kind, title) in zip(panels, PANELS.items(), strict=True):
        known = data.series(f"step/{kind}")
        axes.set_title(title, loc="left")
        axes.set_xlabel("step size over the printed limit")
        axes.axhline(0, color="black", linewidth=0.6)
        axes.axvline(1, color="black", linewidth=0.8, linestyle=(0, (4, 2)))
        if not known:
            nothing(axes)
        for name, series in known.items():
            estimator, _, setting = name.partition("/")
            shown = _setting(setting)
            marker = settings.setdefault(shown, _MARKERS[len(settings) % len(_MARKERS)])
            line(axes, series)
            points(axes, series, LOOKS[estimator], marker, hollow=estimator == "zeroth-order")
        axes.set_xlim(left=0)
    panels[0].set_ylabel(r"$\kappa\;(\mathrm{E}f(w^+)/f(w)-1)$")
    figure.legend(
        handles=[
            Line2D([], [], linestyle="none", marker=marker, color=GREY, label=shown)
            for shown, marker in settings.items()
        ],
        loc="outside lower center", ncols=max(1, len(settings)), markerscale=0.75,
        columnspacing=1.5, handletextpad=0.3,
    )  # fmt: skip
    figure.legend(
        handles=[
            *(
                Line2D(
                    [], [], linestyle="none", marker="o", color=LOOKS[name].dark, markersize=5,
                    markerfacecolor="none" if name == "zeroth-order" else LOOKS[name].color,
                    label=f"{label} ({'hollow' if name == 'zeroth-order' else 'filled'})",
                )
                for name, label in LABELS.items()
            ),
            Line2D([], [], color=GREY, linewidth=0.9, label="predicted"),
            Line2D([], [], color="black", linewidth=0.8, linestyle=(0, (4, 2)), label="limit"),
        ],
        loc="outside upper center", ncols=4,
    )  # fmt: skip
    return figure


def _setting(text: str) -> str:
    """`$d=4$, $n=1$` of `d-4-n-1`."""
    parts = text.split("-")
    pairs = zip(parts[::2], parts[1::2], strict=True)
    return ", ".join(f"${name}={number}$" for name, number in pairs)
