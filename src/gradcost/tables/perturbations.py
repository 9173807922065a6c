"""How many directions a step looks along, after the paper's Figure 2a and Section 4.2.

The paper states gains over Vanilla on AGNews for 10 and 50 directions. Here each count is
compared with Vanilla (one direction) and with the method's default (ten), by seed.
"""

from __future__ import annotations

from gradcost.results import paper
from gradcost.results.tidy import Row, Tidy
from gradcost.tables import grid, latex, references, said


def render(data: Tidy) -> str:
    """Accuracy, differences and cost against the number of directions."""
    entries = [
        *grid.ACCURACY,
        grid.minus("Vanilla", references.vanilla),
        grid.minus("default", references.default),
        grid.paper(_gain, "gain", latex.signed, "paper"),
        grid.FORWARDS,
        grid.MEMORY,
        grid.time_to_plateau(data),
    ]
    return grid.table(data, entries)


def say(data: Tidy) -> str:
    """What more directions gain, and what they cost."""
    several = [row for row in data.trained if row.family != "bp"]
    more = [row for row in several if row.setting != "default"]
    return said.joined(
        said.differences(data, references.vanilla, several),
        said.differences(data, references.default, more, name="the default setting"),
        said.costs(data, references.default, more, name="in the default setting"),
    )


def _gain(row: Row) -> float | None:
    end = "least" if row.setting == "default" else "most"
    return paper.number("4.2", row.method, f"agnews-accuracy-gain-n-10-50-{end}")
