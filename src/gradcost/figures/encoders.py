"""Accuracy against training time on models of medium size, a panel each: Figure 6."""

from __future__ import annotations

from matplotlib.figure import Figure

from gradcost.figures.curves import by_time
from gradcost.figures.style import by_family, plain, styled
from gradcost.results.tidy import Tidy


@styled
def draw(data: Tidy) -> Figure:
    """Line: mean over seeds, band: lowest to highest seed."""
    rows = data.trained
    return by_time(data, plain(rows), [plain(family) for family in by_family(rows)])
