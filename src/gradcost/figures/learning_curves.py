"""Validation accuracy against iterations, against computation and against time.

Of the methods that tell backpropagation, forward mode and zeroth order apart; how the
strategies differ is in `variance_reductions`.
"""

from __future__ import annotations

from matplotlib.figure import Figure

from gradcost.figures.curves import STRATEGIES, accuracy_text, curve, majority
from gradcost.figures.notes import note
from gradcost.figures.style import GREY, HEIGHT, WIDTH, legend, log_x, look, styled
from gradcost.results.tidy import Tidy

X = {
    "step": "iterations",
    "forward_equivalents": "forward-equivalents",
    "training_seconds": "training time [s]",
}


@styled
def draw(data: Tidy) -> Figure:
    """One row of panels per task; line: mean over seeds, band: lowest to highest seed.

    Only completed runs are drawn. The second and third columns are logarithmic and leave
    out the evaluation before the first step.
    """
    rows = [row for row in data.trained if row.strategy in STRATEGIES] or data.trained
    tall = min(1.8 * len(data.columns), HEIGHT)
    figure = Figure(figsize=(WIDTH, 0.75 + tall), layout="constrained")
    grid = figure.subplots(len(data.columns), len(X), squeeze=False, sharex="col", sharey="row")
    for panels, column in zip(grid, data.columns, strict=True):
        for axes, x in zip(panels, X, strict=True):
            for row in rows:
                curve(axes, data.curves(column, row), look(row), x)
            majority(axes, data, column)
        panels[0].set_title(column.label, loc="left", pad=3)
        panels[0].set_ylabel("validation\naccuracy [%]")
    for axes, (x, label) in zip(grid[-1], X.items(), strict=True):
        axes.set_xlabel(label)
        if x != "step":
            log_x(axes)
        else:
            axes.set_xlim(left=0)
    legend(figure, rows)
    text = note(data, rows, accuracy_text(data, rows), value=None)
    figure.supxlabel(text, fontsize=7.5, color=GREY)
    return figure
