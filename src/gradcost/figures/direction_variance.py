"""Accuracy by the variance of the directions, and by the step of differences: Figure 7."""

from __future__ import annotations

from collections import Counter

from matplotlib.figure import Figure

from gradcost.figures.curves import accuracy, accuracy_text, relabelled
from gradcost.figures.notes import note
from gradcost.figures.sheet import sheet
from gradcost.figures.style import Line, by_family, scale, styled
from gradcost.results import compare
from gradcost.results.tidy import Row, Tidy


@styled
def draw(data: Tidy) -> Figure:
    """A row of panels per task: a family's variances each, and the steps of zeroth order.

    What the public code calls the variance of zeroth order is that step, epsilon. Greater
    values are darker; the default is in all panels of its family.
    """
    groups: list[tuple[str, list[Line]]] = []
    for rows in by_family(data.trained):
        family = rows[0].family.upper()
        steps = [row for row in rows if _epsilon(data, row) not in (None, _usual(data, rows))]
        variances = [row for row in rows if row not in steps]
        groups.append((f"{family}, variance", scale(_named(data, variances, "variance"))))
        if steps:
            default = [row for row in variances if row.setting == "default"]
            lines = scale(_named(data, [*default, *steps], "step"))
            groups.append((f"{family}, step of differences", lines))
    text = note(data, data.trained, accuracy_text(data, data.trained))
    figure, grid = sheet(
        len(data.columns),
        max(1, len(groups)),
        height=1.9,
        legend=[lines for _, lines in groups],
        note=text,
        sharey="row",
    )
    for panels, column in zip(grid, data.columns, strict=True):
        for axes, (title, lines) in zip(panels, groups, strict=True):
            accuracy(axes, data, column, lines, "step")
            axes.set_title(title, loc="left")
            axes.set_xlabel("iterations")
        panels[0].set_ylabel(f"{column.label}\nvalidation accuracy [%]")
    return figure


def _epsilon(data: Tidy, row: Row) -> float | None:
    value: float | None = compare.estimator(data, row).get("epsilon")
    return value


def _usual(data: Tidy, rows: list[Row]) -> float | None:
    """The step that most of these rows have."""
    known = Counter(step for row in rows if (step := _epsilon(data, row)) is not None)
    return known.most_common(1)[0][0] if known else None


def _variance(data: Tidy, row: Row) -> float | None:
    value: float | None = compare.estimator(data, row).get("directions", {}).get("variance")
    return value


def _named(data: Tidy, rows: list[Row], what: str) -> list[Row]:
    """Rows by a setting's value, and called by it; without a record, by their own names."""
    value = _variance if what == "variance" else _epsilon
    known = {row: value(data, row) for row in rows}
    ordered = sorted(rows, key=lambda row: known[row] or 0.0)
    labels = [
        row.label if known[row] is None else f"{row.family.upper()}, {what} {known[row]:g}"
        for row in ordered
    ]
    return relabelled(ordered, labels)
