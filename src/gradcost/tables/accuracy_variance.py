"""How far accuracies of different seeds lie apart, after the paper's Table 9.

The paper calls its numbers variance, in the plus-minus of a deviation, and computes them over
steady-state accuracies on the test split. Here both the standard deviation and the variance are
of test accuracy at the end of training; the deviation of the steady state is on the validation
split, the only one that is evaluated on the way.
"""

from __future__ import annotations

from collections.abc import Sequence

from scipy import stats

from gradcost.results import compare, paper
from gradcost.results.statistics import CONFIDENCE, summarise
from gradcost.results.tidy import Column, Row, Tidy
from gradcost.tables import grid, latex

AT_ONCE = 3  # tasks side by side; more go below


def render(data: Tidy) -> str:
    """Per task: seeds, deviation and variance, deviation of the steady state, and the paper's."""
    return latex.pages(
        [_block(data, columns) for columns in latex.in_parts(data.columns, AT_ONCE)], note=say(data)
    )


def say(data: Tidy) -> str:
    """How well so few seeds tell a standard deviation."""
    runs = data.runs.groupby(["model", "task", "method", "setting"])["seed"].nunique()
    return " ".join(_range(int(n)) for n in sorted(set(runs)))


def _range(n: int) -> str:
    if n < 2:
        return "A single seed gives no standard deviation."
    low, high = ((n - 1) / stats.chi2.ppf((1 + side * CONFIDENCE) / 2, n - 1) for side in (1, -1))
    return (
        f"Of {n} seeds, the {100 * CONFIDENCE:.0f}\\,\\% interval of a standard deviation reaches "
        f"from {latex.significant(low**0.5, 2)} to {latex.significant(high**0.5, 2)} times it."
    )


def _block(data: Tidy, columns: Sequence[Column]) -> str:
    entries: list[tuple[Column, grid.Entry]] = []
    for column in columns:
        over = latex.escape(column.label)
        cells = [("$n$", grid.seeds), ("sd", _deviation), ("var.", _variance), ("steady", _steady)]
        if column.paper:
            cells.append((f"paper, {paper.DATASETS[column.paper]}", _published))
        entries += [(column, grid.Entry(head, cell, over)) for head, cell in cells]
    width, lines, groups = 1 + len(entries), [], []
    for row in data.rows:
        line = [latex.escape(row.label), *(entry.cell(data, c, row) for c, entry in entries)]
        lines.append(line)
        groups.append(row.family)
        for column in columns:
            if failed := grid.failures(data, column, row):
                text = f"{latex.escape(column.label)}: {failed}" if len(columns) > 1 else failed
                lines.append(["", rf"\multicolumn{{{width - 1}}}{{l}}{{{text}}}"])
                groups.append(row.family)
    header = grid.heads("Method", [entry for _, entry in entries])
    return latex.tabular("@{}l" + "r" * len(entries) + "@{}", header, latex.grouped(lines, groups))


def _deviation(data: Tidy, column: Column, row: Row) -> str:
    summary = compare.accuracy(data, column, row)
    return latex.number(summary.sd if summary else None, 2)


def _variance(data: Tidy, column: Column, row: Row) -> str:
    summary = compare.accuracy(data, column, row)
    return latex.number(None if summary is None or summary.sd is None else summary.sd**2, 2)


def _steady(data: Tidy, column: Column, row: Row) -> str:
    summary = summarise(compare.steady(data, column, row).dropna())
    return latex.number(summary.sd if summary else None, 2)


def _published(data: Tidy, column: Column, row: Row) -> str:
    return latex.number(paper.variation(row.method, column.paper) if column.paper else None, 2)
