"""Accuracy of zeroth order by its number of directions, on a large model: Figure 16."""

from __future__ import annotations

from matplotlib.figure import Figure

from gradcost.figures.curves import by_steps_and_time
from gradcost.figures.perturbations import by_directions
from gradcost.figures.style import by_family, scale, styled
from gradcost.results.tidy import Tidy


@styled
def draw(data: Tidy) -> Figure:
    """All directions in one row of panels per task: against iterations and against time."""
    swept = [scale(by_directions(data, rows)) for rows in by_family(data.trained)]
    legend = [[line] for lines in swept for line in lines] if len(swept) == 1 else swept
    return by_steps_and_time(data, [("", [line for lines in swept for line in lines])], legend)
