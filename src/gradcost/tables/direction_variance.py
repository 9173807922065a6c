"""The variance of the directions, after the paper's Figure 7 and Appendix F.3.

The paper's best variance is 1 for FMAD and 0.001 for ZO, and it states how far the others fall
below it. What its public code calls the variance of ZO is the step of the finite difference,
whose default here is 0.001: so ZO is run both ways, and the paper's number stands beside both.
"""

from __future__ import annotations

from gradcost.results import paper
from gradcost.results.tidy import Row, Tidy
from gradcost.tables import grid, latex, references, said

BEST_OF_ZO = "variance-1e-3"


def render(data: Tidy) -> str:
    """Accuracy, and the difference to what the paper finds best."""
    entries = [
        *grid.ACCURACY,
        grid.minus("default", references.default),
        grid.minus("paper's best", best),
        grid.paper(_change, show=latex.signed),
        *grid.times(data),
    ]
    return grid.table(data, entries, title=grid.aimed(data))


def say(data: Tidy) -> str:
    """Every variance and step against the default."""
    return said.differences(data, references.default, name="the default setting")


def best(data: Tidy, row: Row) -> Row | None:
    """The variance that the paper finds best; of a step, the default."""
    if row.family == "zo" and row.setting.startswith("variance"):
        return references.setting(BEST_OF_ZO)(data, row)
    return references.default(data, row)


def _change(row: Row) -> float | None:
    variance = row.setting.replace("epsilon", "variance")
    drop = paper.number("F.3", row.family, f"accuracy-drop-{variance}")
    return None if drop is None else -drop
