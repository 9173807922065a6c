"""How many directions on the largest model, after the paper's Figure 16 and Appendix F.8.

The paper has accuracies and times until convergence, in minutes, for 1, 10 and 50 directions on
OPT (13B), in turn.
"""

from __future__ import annotations

from gradcost.results import paper
from gradcost.results.tidy import Row, Tidy
from gradcost.tables import grid, latex, references, said


def render(data: Tidy) -> str:
    """Accuracy, difference to one direction, cost, and time to the plateau."""
    entries = [
        *grid.ACCURACY,
        grid.minus("Vanilla", references.vanilla),
        *grid.STEP,
        *grid.times(data),
        grid.paper(lambda row: _published(row, "accuracy"), "acc.", over="paper"),
        grid.paper(lambda row: _published(row, "convergence-time"), "min", latex.count, "paper"),
    ]
    return grid.table(data, entries, title=grid.aimed(data))


def say(data: Tidy) -> str:
    """What more directions gain over one, and in what time they settle."""
    return said.joined(
        said.differences(data, references.vanilla),
        said.durations(data, references.vanilla),
    )


def _published(row: Row, what: str) -> float | None:
    count = 50 if row.setting != "default" else 1 if row.strategy == "vanilla" else 10
    return paper.number("F.8", row.method, f"{what}-n-{count}")
