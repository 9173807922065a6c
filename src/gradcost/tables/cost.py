"""What a step and a run cost: counted memory and FLOPs, measured time, and the common target."""

from __future__ import annotations

from collections.abc import Sequence

from gradcost.results import compare
from gradcost.results.tidy import Column, Row, Tidy
from gradcost.tables import grid, latex

HEADER = [
    r" & trainable & \multicolumn{2}{c}{FLOPs of a} & step / & \multicolumn{2}{c}{memory [MB]}"
    r" & time of a & \multicolumn{4}{c}{until the target accuracy} \\",
    r"\cmidrule(lr){3-4}\cmidrule(lr){6-7}\cmidrule(l){9-12}",
    r"Method & numbers & forward & step & forward & weights & peak"
    r" & step [ms] & seeds & steps & forwards & time [s] \\",
]


def render(data: Tidy) -> str:
    """Per task and method; what it takes to the target is a median over seeds."""
    return latex.pages(
        [_part(data, columns) for columns in latex.by_page(data.columns, len(data.trained))]
    )


def _part(data: Tidy, columns: Sequence[Column]) -> str:
    body: list[list[str] | str] = []
    title = grid.aimed(data)
    for column in columns:
        goal = compare.target(data, column)
        body.append(latex.heading(title(column), 12, first=not body))
        lines = [_line(data, column, row, goal) for row in data.trained]
        body += latex.grouped(lines, [row.family for row in data.trained])
    return latex.tabular("@{}lrrrrrrrcrrr@{}", HEADER, body)


def _line(data: Tidy, column: Column, row: Row, goal: float | None) -> list[str]:
    cost = compare.cost(data, column, row)
    line = [
        latex.escape(row.label),
        latex.count(cost["trainable_parameters"]),
        latex.scaled(cost["forward_flops"], ""),
        latex.scaled(cost["step_flops"], ""),
        latex.number(cost["forward_equivalents"], 2),
        latex.number(cost["model_bytes"] / 1e6, 2),
        latex.number(cost["peak_bytes"] / 1e6, 2),
        latex.significant(1e3 * cost["seconds_per_step"]),
    ]
    if goal is None:
        return line + [latex.DASH] * 4
    reach = compare.reach(data, column, row, goal)
    return [
        *line,
        f"{reach.reached}/{reach.n}",
        latex.count(reach.step),
        latex.count(reach.forward_equivalents),
        latex.significant(reach.training_seconds, 2),
    ]
