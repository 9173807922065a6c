"""SignZO against zeroth order and its strategies: Figure 15."""

from __future__ import annotations

from matplotlib.figure import Figure

from gradcost.figures.curves import by_steps_and_time
from gradcost.figures.style import apart, by_family, plain, styled
from gradcost.results.tidy import Tidy


@styled
def draw(data: Tidy) -> Figure:
    """A row of panels per task: against iterations and against time."""
    columns = [
        plain(rows) if rows[0].family == "bp" else apart(rows) for rows in by_family(data.trained)
    ]
    lines = [line for column in columns for line in column]
    height = max(1, -(-len(lines) // 3))
    legend = [lines[start : start + height] for start in range(0, len(lines), height)]
    return by_steps_and_time(data, [("", lines)], legend)
