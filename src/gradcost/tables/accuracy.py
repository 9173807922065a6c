"""Test accuracy of each method on each task, beside the paper's."""

from __future__ import annotations

from collections import Counter

from gradcost.results import compare, paper
from gradcost.results.tidy import Column, Row, Tidy
from gradcost.tables import latex, paper_accuracies

WIDTH = 4  # columns of tasks side by side; more go below
# The rest of MMLU's public scorer asks the model's logits, and a text does not tell them.
NOTE = (
    "As published: by the scorers of the paper's public code, which look for the right answer "
    "anywhere in the text. That of MMLU also counts what has the letter that the model itself "
    "finds likeliest; that half is left out here."
)


def render(data: Tidy) -> str:
    """Per task: mean, half width of the interval, deviation; the paired difference to BP-Vanilla.

    Where answers are text, also the accuracy by the scorer of the paper's public code, and
    below what that is.
    """
    twice = any(compare.scored_twice(data, column) for column in data.columns)
    parts = [_block(data, columns) for columns in _side_by_side(data)]
    return latex.pages(parts, note=NOTE if twice else "")


def _side_by_side(data: Tidy) -> list[list[Column]]:
    """The tasks, in order, as many at once as a line has room for."""
    blocks: list[list[Column]] = []
    for column in data.columns:
        fits = blocks and sum(_width(data, c) for c in [*blocks[-1], column]) <= WIDTH
        blocks = [*blocks[:-1], [*blocks[-1], column]] if fits else [*blocks, [column]]
    return blocks


def _width(data: Tidy, column: Column) -> int:
    """How many columns a task takes."""
    return 3 if compare.scored_twice(data, column) else 2


def seeds(data: Tidy) -> int | None:
    """The usual number of runs of a cell, or None if there is none."""
    counts = Counter(len(data.cell(column, row)) for column in data.columns for row in data.rows)
    return next((n for n, _ in counts.most_common(1) if n), None)


def failures(data: Tidy, column: Column, row: Row) -> str:
    """`2 of 3 diverged`, or nothing if all runs of the cell completed."""
    total = len(data.cell(column, row))
    failed = compare.not_completed(data, column, row)
    return ", ".join(f"{n} of {total} {outcome}" for outcome, n in failed.items())


def _block(data: Tidy, columns: list[Column]) -> str:
    reference = compare.reference(data)
    # those that a task stands for; the others are in a table of their own
    theirs = list(dict.fromkeys(c.paper for c in columns if c.paper))
    models = list(dict.fromkeys(paper.model(name) for name in theirs))
    n = seeds(data)
    known = [compare.accuracy(data, column, row) for column in columns for row in data.rows]
    unless = " unless said" if any(one and one.n != n for one in known) else ""
    shown = f" ($n={n}${unless})" if n is not None else ""
    widths = [_width(data, column) for column in columns]
    first = [
        rf"\multicolumn{{{width}}}{{c}}{{{latex.escape(c.label)}{shown}}}"
        for c, width in zip(columns, widths, strict=True)
    ]
    if theirs:
        named = rf"\shortstack{{Paper,\\{latex.escape(latex.listing(models))}}}"
        first.append(rf"\multicolumn{{{len(theirs)}}}{{c@{{}}}}{{{named}}}")
    rules, second, last = [], ["Method"], 1
    for width in widths:
        rules.append(rf"\cmidrule(lr){{{last + 1}-{last + width}}}")
        lenient = ["as published"] * (width - 2)
        second += ["accuracy [\\%] (sd)", *lenient, f"$-$ {latex.escape(reference.label)}"]
        last += width
    if theirs:
        rules.append(rf"\cmidrule(l){{{last + 1}-{last + len(theirs)}}}")
    second += [paper.DATASETS[name] for name in theirs]
    lines: list[list[str]] = []
    for row in data.rows:
        cells = [latex.escape(row.label)]
        for column, width in zip(columns, widths, strict=True):
            text, difference = _cell(data, column, row, reference, n)
            lenient = [_lenient(data, column, row)] * (width - 2)
            cells += [text, *lenient, difference]
        for name in theirs:
            cells.append(paper_accuracies.accuracy(row.method, name))
        lines.append(cells)
    body = latex.grouped(lines, [row.family for row in data.rows])
    cells = ["Majority class"]
    for column, width in zip(columns, widths, strict=True):
        cells += [latex.number(compare.majority(data, column)), *[""] * (width - 1)]
    body += [r"\midrule", cells + [""] * len(theirs)]
    return latex.tabular(
        "@{}l" + "l" * sum(widths) + "r" * len(theirs) + "@{}",
        [" & ".join(["", *first]) + r" \\", "".join(rules), " & ".join(second) + r" \\"],
        body,
    )


def _lenient(data: Tidy, column: Column, row: Row) -> str:
    summary = compare.lenient(data, column, row)
    return latex.DASH if summary is None else latex.number(summary.mean)


def _cell(data: Tidy, column: Column, row: Row, reference: Row, n: int | None) -> list[str]:
    """Accuracy and difference. A mean over fewer runs than were asked for says so."""
    summary = compare.accuracy(data, column, row)
    failed = failures(data, column, row)
    if not len(data.cell(column, row)):
        return [latex.DASH, latex.DASH]
    if summary is None:
        return [failed, latex.DASH]
    text = latex.plus_minus(summary)
    if summary.sd is not None:
        text += f" ({latex.number(summary.sd)})"
    if n is None or summary.n != n:
        text += f" ($n={summary.n}$)"
    if failed:
        text = rf"\begin{{tabular}}[t]{{@{{}}l@{{}}}}{text}\\{failed}\end{{tabular}}"
    difference = compare.difference(data, column, row, reference)
    if row == reference or difference is None:
        return [text, latex.DASH]
    return [text, f"{latex.signed(difference.mean)} {latex.interval(difference)}"]
