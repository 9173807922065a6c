"""What each strategy changes: accuracy against its family's Vanilla, and the cost of a step."""

from __future__ import annotations

from collections.abc import Sequence

from gradcost.results import compare
from gradcost.results.tidy import Column, Row, Tidy
from gradcost.tables import latex
from gradcost.tables.sentences import ratios, span

AT_ONCE = 3  # tasks side by side; more go below


def render(data: Tidy) -> str:
    """Per family: paired differences to the same without the strategy; bold, if not of 0."""
    return latex.pages([_block(data, columns) for columns in latex.in_parts(data.columns, AT_ONCE)])


def _block(data: Tidy, chosen: Sequence[Column]) -> str:
    count = len(chosen)
    width = 1 + 2 * count + 4
    tasks = [rf"\multicolumn{{2}}{{c}}{{{latex.escape(c.label)}}}" for c in chosen]
    first = ["", *tasks, "forwards", r"\multicolumn{3}{c@{}}{as multiples} \\"]
    rules = [rf"\cmidrule(lr){{{2 * i + 2}-{2 * i + 3}}}" for i in range(count)]
    rules.append(rf"\cmidrule(l){{{width - 2}-{width}}}")
    second = ["Method", *["points", "interval"] * count]
    second += ["of a step", "FLOPs", "time", r"memory \\"]
    body: list[list[str] | str] = []
    for base, rows in compare.departures(data).items():
        title = f"minus {latex.escape(base.label)}"
        body.append(latex.heading(title, width, first=not body))
        body += [_line(data, chosen, row, base) for row in rows]
    if not body:
        body = [rf"\multicolumn{{{width}}}{{@{{}}l}}{{no method is run with and without one}} \\"]
    columns = "@{}l" + "rl" * count + "rrrr@{}"
    return latex.tabular(columns, [" & ".join(first), "".join(rules), " & ".join(second)], body)


def _line(data: Tidy, columns: Sequence[Column], row: Row, base: Row) -> list[str]:
    cells = [latex.escape(row.label)]
    for column in columns:
        cells += _difference(data, column, row, base)
    forwards = [compare.cost(data, column, row)["forward_equivalents"] for column in columns]
    times = ratios(data, row, base)
    return [
        *cells,
        span(forwards, 3),
        *(times[key] for key in ("step_flops", "seconds_per_step", "activation_bytes")),
    ]


def _difference(data: Tidy, column: Column, row: Row, base: Row) -> list[str]:
    summary = compare.difference(data, column, row, base)
    if summary is None:
        return [latex.DASH, latex.DASH]
    text = latex.signed(summary.mean)
    if summary.sign:
        # \boldmath for the sign, which is mathematics
        text = rf"\textbf{{\boldmath {text}}}"
    return [text, latex.interval(summary)]
