"""Peak memory against FLOPs of a step: what can be had for what."""

from __future__ import annotations

from matplotlib.figure import Figure

from gradcost.figures.accounting.labels import place
from gradcost.figures.style import GREY, WIDTH, log_x, log_y, look, styled
from gradcost.results.accounting import GB, PAPER_MODEL, Accounting, front, row

# what tells the families and policies apart; the other strategies lie at or near these
_WITHOUT = ("accumulate", "adaptive", "svrg", "sparse", "mezo", "signzo")
_EQUAL = 0.01  # share within which two points are one


@styled
def draw(data: Accounting) -> Figure:
    """Both axes logarithmic; down and to the left is better."""
    figure = Figure(figsize=(WIDTH, 3.9), layout="constrained")
    axes = figure.subplots()
    steps = data.steps(PAPER_MODEL)
    steps = steps[[row(step).strategy not in _WITHOUT for _, step in steps.iterrows()]]
    if steps.empty:
        figure.text(0.5, 0.5, "no step is priced", ha="center", color=GREY)
        return figure
    best = front(steps[(steps["family"] == "bp") & ~steps["published"]])
    axes.plot(
        best["peak_bytes"] / GB, best["forward_equivalents"], color="#004488", linewidth=1.0,
        zorder=1.5,
    )  # fmt: skip
    labels: dict[tuple[float, float], list[str]] = {}
    for _, step in steps.iterrows():
        style = look(row(step))
        x, y = float(step["peak_bytes"]) / GB, float(step["forward_equivalents"])
        axes.plot(
            x, y, linestyle="none", markersize=6, zorder=style.zorder + 1, **style.mark,
        )  # fmt: skip
        at = next(
            (
                known
                for known in labels
                if abs(known[0] / x - 1) < _EQUAL and abs(known[1] / y - 1) < _EQUAL
            ),
            (x, y),
        )
        labels.setdefault(at, []).append(str(step["name"]))
    axes.set_xlabel("memory at the peak of a step [GB]")
    axes.set_ylabel("FLOPs of a step / FLOPs of a forward pass")
    axes.margins(y=0.12)
    log_x(axes)
    log_y(axes)
    axes.set_xlim(min(x for x, _ in labels) / 2.1, max(x for x, _ in labels) * 1.6)
    place(figure, axes, [(x, y, ", ".join(names)) for (x, y), names in labels.items()])
    return figure
