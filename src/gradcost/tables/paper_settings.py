"""The paper's hyperparameters (its Tables 5 to 8) beside those of the runs that stand for them.

A dataset of the paper that no task of a scale stands for has the paper's alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from gradcost.results import paper
from gradcost.results.tidy import Tidy
from gradcost.tables import hyperparameters, latex, references

GROUPS = {  # table of the paper -> the methods that it is of, and the one that is shown of ours
    "5": ("BP-Vanilla", "bp-vanilla"),
    "6": ("BP-Checkpointing and BP-Accumulate", "bp-checkpointing"),
    "7": ("ZO, all methods", "zo-vanilla"),
    "8": ("FMAD, all methods", "fmad-vanilla"),
}
HEADER = [
    r" & \multicolumn{4}{c}{paper} & \multicolumn{6}{c@{}}{here} \\",
    r"\cmidrule(lr){2-5}\cmidrule(l){6-11}",
    r"Dataset & optimiser & rate & batch & $\varepsilon$"
    r" & task & method & optimiser & rate & batch & $\varepsilon$ \\",
]
WIDTH = len(HEADER[-1].split("&"))
_WRITTEN = {"ADAMW": "AdamW", "SGD": "SGD,", "Mmtm": "momentum", "Momentum": "momentum"}


def render(data: Tidy) -> str:
    """A block for each table of the paper, a line for each dataset and task that stands for it."""
    parts = latex.in_parts(list(GROUPS), 2) if len(data.columns) > len(GROUPS) else [list(GROUPS)]
    return latex.pages([_part(data, list(numbers)) for numbers in parts])


def _part(data: Tidy, numbers: list[str]) -> str:
    body: list[list[str] | str] = []
    for table in numbers:
        title, method = GROUPS[table]
        body.append(latex.heading(f"Table {table}: {title}", WIDTH, first=not body))
        for dataset in paper.DATASETS:
            theirs, ours = _theirs(table, dataset), list(_ours(data, dataset, method))
            body += [
                [*(theirs if index == 0 else [""] * len(theirs)), *cells]
                for index, cells in enumerate(
                    ours or [[latex.DASH, *[""] * (WIDTH - len(theirs) - 1)]]
                )
            ]
    return latex.tabular("@{}llrrrlllrrr@{}", HEADER, body)


@cache
def _optimizers() -> dict[tuple[str, str], str]:
    """Names, which are no numbers: as they stand in the paper, by table and dataset."""
    cells = paper.table()
    cells = cells[cells["row"] == "optimizer"]
    keys = zip(cells["table"], cells["column"], strict=True)
    return dict(zip(keys, cells["printed"], strict=True))


def _theirs(table: str, dataset: str) -> list[str]:
    words = _optimizers()[table, dataset].split()
    return [
        paper.DATASETS[dataset],
        latex.escape(" ".join(_WRITTEN.get(word, word) for word in words).rstrip(",")),
        latex.scientific(paper.number(table, "learning-rate", dataset)),
        latex.count(paper.number(table, "batch-size", dataset)),
        latex.scientific(paper.number(table, "perturbation-step-size", dataset)),
    ]


def _ours(data: Tidy, dataset: str, method: str) -> Iterator[list[str]]:
    row = references.find(data, method, "default")
    for column in data.columns:
        if row is None or column.paper != dataset:
            continue
        runs = data.cell(column, row)
        runs = runs[runs["spec"].notna()]
        if not runs.empty:
            # optimiser, rate, batch and, past the steps, epsilon
            optimizer, rate, batch, _, epsilon, *_ = hyperparameters.settings(runs)
            label = latex.escape(row.label)
            yield [latex.escape(column.label), label, optimizer, rate, batch, epsilon]
