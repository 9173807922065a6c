"""What the other experiments of a report set otherwise than the first: rates and optimisers, too.

Experiment by experiment, every method in a setting of its own, and whichever has not the
hyperparameters that the first experiment has for it on the same tasks. What is not listed has
those of the table of hyperparameters.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd

from gradcost.results.tidy import Row, Tidy
from gradcost.tables import hyperparameters, latex
from gradcost.tables.hyperparameters import COLUMNS, WIDTH

MOST = latex.LINES // 2  # lines of a part: parts do not break, and large ones leave gaps
HEADER = [hyperparameters.HEADER[0].replace("Method", "Method and setting")]


def write(experiments: Sequence[Tidy]) -> str:
    """A table of all but the first, which they are compared with; a sentence if none differs."""
    first, *others = experiments
    parts = []
    lines: list[list[str] | str] = []
    for data in others:
        found = list(_lines(data, first))
        if not found:
            continue
        if lines and len(lines) + len(found) > MOST:
            parts.append(latex.tabular(COLUMNS, HEADER, lines))
            lines = []
        title = latex.escape(data.presentation["title"])
        lines += [latex.heading(title, WIDTH, first=not lines), *found]
    if lines:
        parts.append(latex.tabular(COLUMNS, HEADER, lines))
    return latex.pages(parts) if parts else "No experiment sets anything otherwise.\n"


def _lines(data: Tidy, first: Tidy) -> Iterator[list[str]]:
    for row in data.trained:
        runs = _runs(data, row)
        if runs.empty:
            continue
        known = _runs(first, row)
        known = known[known["task"].isin(runs["task"])]
        settings = hyperparameters.settings(runs)
        if row.setting != "default" or known.empty or settings != hyperparameters.settings(known):
            yield [latex.escape(row.label), *settings]


def _runs(data: Tidy, row: Row) -> pd.DataFrame:
    """The runs of a method in a setting that have a record, of all models and tasks."""
    runs = data.runs
    of_it = (runs["method"] == row.method) & (runs["setting"] == row.setting)
    return runs[of_it & runs["spec"].notna()]
