"""Training loss against training time: the paper's Figure 4."""

from __future__ import annotations

from matplotlib.figure import Figure

from gradcost.figures.curves import running_by_time
from gradcost.figures.style import styled
from gradcost.results.tidy import Tidy


@styled
def draw(data: Tidy) -> Figure:
    """A panel per task. The loss is that of a batch, and so smoothed before seeds are averaged."""
    return running_by_time(data, "loss", "training loss")
