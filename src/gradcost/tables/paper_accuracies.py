"""What is left of the paper's Tables 3 and 9: datasets and methods that stand beside none of ours.

Together with the tables of accuracies and of their variation, all of their cells are in a report,
at every scale.
"""

from __future__ import annotations

from collections.abc import Callable

from gradcost.results import paper
from gradcost.results.tidy import Tidy
from gradcost.tables import latex

TABLES: dict[str, str] = {
    "3": r"Table 3: accuracy [\%], and in brackets the gap to BP-Vanilla [points]",
    "9": "Table 9: experimental variance",
}


def render(data: Tidy) -> str:
    """Methods by datasets, for both tables; a sentence where ours has all of them beside it."""
    parts = [
        _part(table, title, cell, wanted)
        for (table, title), cell in zip(TABLES.items(), (accuracy, _variation), strict=True)
        if (wanted := _wanted(data, table))
    ]
    return latex.pages(parts) if parts else "There is a task and a method for every cell of them.\n"


def accuracy(method: str, dataset: str) -> str:
    """A cell of Table 3: the accuracy and, but for those that it is taken to, the gap."""
    gap = paper.number("3", method, f"{dataset}-gap")
    text = latex.number(paper.accuracy(method, dataset))
    return text if gap is None else f"{text} ({latex.signed(gap)})"


def _variation(method: str, dataset: str) -> str:
    return latex.number(paper.variation(method, dataset), 2)


def _wanted(data: Tidy, table: str) -> dict[str, set[str]]:
    """Datasets -> the methods whose cells stand beside none of ours."""
    cells = paper.table()
    cells = cells[(cells["table"] == table) & cells["column"].isin(list(paper.DATASETS))]
    shown = {row.method for row in data.rows if row.setting == "default"}
    stands = {column.paper for column in data.columns}
    found = {
        dataset: {one for one in cells["row"] if dataset not in stands or one not in shown}
        for dataset in paper.DATASETS
    }
    return {dataset: missing for dataset, missing in found.items() if missing}


def _part(
    table: str, title: str, cell: Callable[[str, str], str], wanted: dict[str, set[str]]
) -> str:
    order = paper.table().query("table == @table")["row"].unique()
    methods = [method for method in order if any(method in one for one in wanted.values())]
    lines = [
        [
            name(method),
            *(cell(method, key) if method in one else "" for key, one in wanted.items()),
        ]
        for method in methods
    ]
    families = [method.partition("-")[0].replace("mezo", "zo") for method in methods]
    header = " & ".join(["Method", *(paper.DATASETS[dataset] for dataset in wanted)]) + r" \\"
    body = [latex.heading(title, 1 + len(wanted), first=True)]
    return latex.tabular(
        f"@{{}}l{'r' * len(wanted)}@{{}}", [header], [*body, *latex.grouped(lines, families)]
    )


def name(method: str) -> str:
    """As the study writes it: `BP-Vanilla` of `bp-vanilla`; the paper shouts."""
    family, _, strategy = method.partition("-")
    known = {"mezo": "MeZO", "no-finetuning": "No Finetuning"}
    strategy = strategy.upper() if strategy == "svrg" else strategy.capitalize()
    return known.get(method, f"{family.upper()}-{strategy}")
