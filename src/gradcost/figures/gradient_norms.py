"""The norm of the gradient, as it is estimated, against training time: the paper's Figure 5."""

from __future__ import annotations

from matplotlib.figure import Figure

from gradcost.figures.curves import running_by_time
from gradcost.figures.style import styled
from gradcost.results.tidy import Tidy


@styled
def draw(data: Tidy) -> Figure:
    """A panel per task.

    The norm of an estimate along a direction is that of the gradient times, about, the root
    of the number of parameters: noise, and not a sign of how far training has come.
    """
    return running_by_time(data, "gradient_norm", "norm of the gradient estimate")
