"""Accuracy against training time of the methods without a strategy: Figure 2, on the right."""

from __future__ import annotations

from matplotlib.figure import Figure

from gradcost.figures.curves import by_time
from gradcost.figures.style import by_family, plain, styled
from gradcost.results.tidy import Tidy

STRATEGIES = ("vanilla", "checkpointing")


@styled
def draw(data: Tidy) -> Figure:
    """A panel per task; line: mean over seeds, band: lowest to highest seed."""
    rows = [
        row
        for row in data.trained
        if row.strategy in STRATEGIES and row.setting == "default" and not row.published
    ] or data.trained
    return by_time(data, plain(rows), [plain(family) for family in by_family(rows)])
