"""Directions with a structure, a question that the paper leaves open (Appendices A.1 and D).

There is nothing published to compare with. All have the identity as their covariance.
"""

from __future__ import annotations

from gradcost.results.tidy import Tidy
from gradcost.tables import grid, references, said


def render(data: Tidy) -> str:
    """Accuracy and differences to normal directions."""
    entries = [
        *grid.ACCURACY,
        grid.minus("normal", references.default),
        *grid.STEP,
        *grid.times(data),
    ]
    return grid.table(data, entries, title=grid.aimed(data))


def say(data: Tidy) -> str:
    """Every structure against normal directions."""
    return said.differences(data, references.default, name="normal directions")
