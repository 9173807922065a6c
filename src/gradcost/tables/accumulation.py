"""Over how many steps gradients accumulate, after the paper's Figure 2b and Section 4.2.

The paper's windows are 100 and 200 steps, and its gains are over Vanilla on AGNews; the window
of a scale with fewer steps is shorter.
"""

from __future__ import annotations

from gradcost.results import paper
from gradcost.results.tidy import Row, Tidy
from gradcost.tables import grid, latex, references, said


def render(data: Tidy) -> str:
    """Accuracy, differences and cost against the window."""
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
    """What a window gains, and a longer one."""
    several = [row for row in data.trained if row.family != "bp"]
    longer = [row for row in several if row.setting != "default"]
    return said.joined(
        said.differences(data, references.vanilla, several),
        said.differences(data, references.default, longer, name="the default setting"),
        said.durations(data, references.vanilla, several),
    )


def _gain(row: Row) -> float | None:
    end = "least" if row.setting == "default" else "most"
    return paper.number("4.2", row.method, f"agnews-accuracy-gain-window-100-200-{end}")
