"""Accuracy by the number of directions of a step: Figure 2a."""

from __future__ import annotations

from matplotlib.figure import Figure

from gradcost.figures.curves import by_steps_and_time, relabelled
from gradcost.figures.style import by_family, plain, scale, styled
from gradcost.results import compare
from gradcost.results.tidy import Row, Tidy


@styled
def draw(data: Tidy) -> Figure:
    """A row of panels per task and family: more directions, darker; BP in each for reference.

    Against iterations, more directions are better; against time they also cost more.
    """
    families = by_family(data.trained)
    references = [plain(rows) for rows in families if rows[0].family == "bp"]
    swept = [scale(by_directions(data, rows)) for rows in families if rows[0].family != "bp"]
    reference = [line for lines in references for line in lines]
    groups = [(lines[0][0].family.upper(), [*reference, *lines]) for lines in swept]
    return by_steps_and_time(data, groups or [("", reference)], [*references, *swept])


def by_directions(data: Tidy, rows: list[Row]) -> list[Row]:
    """Rows of a family by their number of directions, and called by it."""
    known = {row: compare.directions(data, row) for row in rows}
    ordered = sorted(rows, key=lambda row: known[row] or 0)
    labels = [
        f"{row.family.upper()}, $n$ = {known[row]}" if known[row] else row.label for row in ordered
    ]
    return relabelled(ordered, labels)
