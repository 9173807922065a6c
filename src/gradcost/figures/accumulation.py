"""Accuracy by the number of steps over which gradients accumulate: Figure 2b."""

from __future__ import annotations

from matplotlib.figure import Figure

from gradcost.figures.curves import by_steps_and_time, relabelled
from gradcost.figures.style import by_family, plain, scale, styled
from gradcost.results import compare
from gradcost.results.tidy import Row, Tidy


@styled
def draw(data: Tidy) -> Figure:
    """A row of panels per task and family: longer windows, darker; BP in each for reference."""
    families = by_family(data.trained)
    references = [plain(rows) for rows in families if rows[0].family == "bp"]
    swept = [scale(_by_window(data, rows)) for rows in families if rows[0].family != "bp"]
    reference = [line for lines in references for line in lines]
    groups = [(lines[0][0].family.upper(), [*reference, *lines]) for lines in swept]
    return by_steps_and_time(data, groups or [("", reference)], [*references, *swept])


def _by_window(data: Tidy, rows: list[Row]) -> list[Row]:
    """Rows of a family by the steps from one update to the next, and called by them."""
    known = {row: compare.window(data, row) for row in rows}
    ordered = sorted(rows, key=lambda row: known[row] or 0)
    labels = [_label(row, known[row]) for row in ordered]
    return relabelled(ordered, labels)


def _label(row: Row, window: int | None) -> str:
    if window is None:
        return row.label
    steps = "each step" if window == 1 else f"every {window} steps"
    return f"{row.family.upper()}, update {steps}"
