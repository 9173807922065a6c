"""Optimisers and stabilised estimates for forward gradients, asked for in Appendix F.5.

There is nothing published to compare with beyond AdamW and SGD (see `optimizers`).
"""

from __future__ import annotations

from gradcost.results.tidy import Row, Tidy
from gradcost.tables import grid, histories, optimizers, references, said


def render(data: Tidy) -> str:
    """Accuracy against SGD and against the plain estimate, and slopes."""
    entries = [
        *grid.ACCURACY,
        grid.minus("SGD", optimizers.SGD),
        grid.minus("Vanilla", plain),
        histories.MEDIAN,
        histories.LARGEST,
    ]
    return grid.table(data, entries, group=lambda row: row.method)


def say(data: Tidy) -> str:
    """Vanilla under every optimiser against SGD; stabilised estimates against plain ones."""
    vanilla = [row for row in data.trained if row.strategy == "vanilla"]
    return said.joined(
        said.differences(data, optimizers.SGD, vanilla),
        said.differences(data, plain, name="the plain estimate under the same optimiser"),
        optimizers.slopes(data, vanilla),
    )


def plain(data: Tidy, row: Row) -> Row | None:
    """Vanilla of the family, under the same optimiser."""
    other = references.vanilla(data, row)
    return other if other is not None and other.method != row.method else None
