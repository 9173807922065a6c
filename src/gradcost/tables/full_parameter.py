"""All parameters trained against adapters alone, an open question of the paper's Appendix D.

There is nothing published to compare with. Learning rates differ with what is trained.
"""

from __future__ import annotations

from gradcost.results.tidy import Tidy
from gradcost.tables import grid, references, said


def render(data: Tidy) -> str:
    """Accuracy, differences to the same with adapters and to backpropagation, and cost."""
    entries = [
        *grid.ACCURACY,
        grid.minus("adapters", references.default),
        grid.minus("BP", references.bp),
        grid.TRAINABLE,
        grid.FORWARDS,
        grid.MEMORY,
        grid.time_to_plateau(data),
    ]
    return grid.table(data, entries)


def say(data: Tidy) -> str:
    """All parameters against adapters, both against backpropagation, and what a step takes."""
    whole = [row for row in data.trained if row.setting != "default"]
    other = [row for row in data.trained if row.family != "bp"]
    return said.joined(
        said.differences(data, references.default, whole, name="adapters"),
        said.differences(data, references.bp, other, name="backpropagation of the same parameters"),
        said.costs(data, references.default, whole, name="with adapters"),
    )
