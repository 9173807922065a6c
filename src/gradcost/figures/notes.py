"""What stands below a figure: what lines and bands are, of how many seeds, and what is missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from textwrap import fill

import pandas as pd

from gradcost.figures.style import seeds_text
from gradcost.results.tidy import Column, Row, Tidy

LETTERS = 128  # of a line of the note, in the width of a figure


def note(
    data: Tidy, rows: Sequence[Row], *parts: str, value: str | None = "validation_accuracy"
) -> str:
    """All that stands below a figure: `parts`, and the runs that did not complete.

    Args:
        value: a column of the history of which such runs are drawn up to where they got; None
            if the figure draws nothing of them.
    """
    first = _wrapped("", filter(None, parts))
    return "\n".join(filter(None, (first, failures_text(data, rows, value=value))))


def band_text(data: Tidy, rows: Sequence[Row]) -> str:
    """What a line and its band are; of one seed there is no band."""
    seeds = seeds_text(data, rows)
    if seeds == "no run completed":
        return seeds
    if seeds == "1 seed":
        return "line: 1 seed"
    failed = any(
        (data.cell(column, row)["outcome"] != "completed").any()
        for column in data.columns
        for row in rows
    )
    completed = " that completed" if failed else ""
    return f"line: mean of {seeds}{completed}; band: lowest to highest seed"


def failures_text(data: Tidy, rows: Iterable[Row], *, value: str | None) -> str:
    """Which runs a figure of `value` does not have, or only up to where they got."""
    ended, absent = [], []
    for row in rows:
        failed: dict[bool, list[tuple[Column, str]]] = {True: [], False: []}
        for column in data.columns:
            outcomes = data.cell(column, row)["outcome"]
            outcomes = outcomes[outcomes != "completed"]
            if len(outcomes):
                begun = set() if value is None else begun_seeds(data, column, row, value)
                for seed, outcome in outcomes.items():
                    failed[seed in begun].append((column, outcome))
        ended += [_count(data, row, failed[True])] * bool(failed[True])
        absent += [_count(data, row, failed[False])] * bool(failed[False])
    lines = (("ended early, at a cross", ended), ("not drawn", absent))
    return "\n".join(_wrapped(f"{what}: ", of) for what, of in lines if of)


def _wrapped(before: str, parts: Iterable[str]) -> str:
    """The parts in lines that break between them."""
    text = before + "; ".join(part.replace(" ", "\xa0") for part in parts)
    lines = fill(text, LETTERS, break_on_hyphens=False, break_long_words=False)
    return lines.replace("\xa0", " ")


def begun_seeds(data: Tidy, column: Column, row: Row, value: str) -> set[int]:
    """The seeds of the runs that did not complete and have values."""
    return set(unfinished(data, column, row, value)["seed"])


def unfinished(data: Tidy, column: Column, row: Row, value: str) -> pd.DataFrame:
    """The histories of the runs that did not complete, where they have a value."""
    history = data.curves(column, row, completed=False).dropna(subset=[value])
    completed = data.cell(column, row, completed=True).index
    return history[~history["seed"].isin(completed) & (history["step"] > 0)]


def _count(data: Tidy, row: Row, failed: Sequence[tuple[Column, str]]) -> str:
    """`FMAD-Vanilla, 2 of 3 diverged`, and on which task if it is one of several."""
    columns = list(dict.fromkeys(column for column, _ in failed))
    one = len(columns) == 1
    total = sum(len(data.cell(column, row)) for column in (columns if one else data.columns))
    where = f" on {columns[0].label}" if one and len(data.columns) > 1 else ""
    counts = Counter(outcome.replace("-", " ") for _, outcome in failed)
    text = ", ".join(f"{count} of {total} {outcome}" for outcome, count in counts.items())
    return f"{row.label}, {text}{where}"
