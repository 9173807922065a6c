"""The screening of learning rates: every candidate, and the one that the rule chose."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from gradcost.tables import latex


def render(screening: Path) -> str:
    """The candidates of `results.screening.choose`, from its CSV, with a column for each rate.

    Accuracies are in percent; the chosen one is bold. A candidate with a run that did not
    complete shows how many instead, and one without a record, whose rate is not known, has a
    line of its own.
    """
    text = ["task_label", "method_label", "setting", "optimizer", "seeds", "outcomes"]
    table = pd.read_csv(screening, dtype=dict.fromkeys(text, "str"))
    rates = sorted(table["learning_rate"].dropna().unique())
    width = 2 + len(rates)
    body: list[list[str] | str] = []
    for (task, seeds), of_task in table.groupby(["task_label", "seeds"], sort=False):
        title = f"{task}, seeds {latex.listing(str(seeds).split())}"
        body.append(latex.heading(latex.escape(title), width, first=not body))
        for method, of_method in of_task.groupby("method_label", sort=False):
            name = latex.escape(method)
            for optimiser in of_method["optimizer"].dropna().unique():
                found = of_method[of_method["optimizer"] == optimiser]
                cells = [_cell(found[found["learning_rate"] == rate]) for rate in rates]
                body.append(
                    [name, latex.escape(latex.OPTIMISERS.get(optimiser, optimiser)), *cells]
                )
                name = ""
            for one in of_method[of_method["optimizer"].isna()].to_dict("records"):
                fate = latex.escape(f"{one['setting']}: {one['outcomes']}")
                body.append([name, rf"\multicolumn{{{width - 1}}}{{l@{{}}}}{{{fate}}}"])
                name = ""
    header = [
        rf" & & \multicolumn{{{len(rates)}}}{{c@{{}}}}{{learning rate}} \\",
        rf"\cmidrule(l){{3-{width}}}",
        " & ".join(["Method", "optimiser", *map(latex.scientific, rates)]) + r" \\",
    ]
    if not rates:
        header = [r"Method & outcome \\"]
    return latex.tabular("@{}ll" + "r" * len(rates) + "@{}", header, body)


def _cell(candidates: pd.DataFrame) -> str:
    """Settings that differ in something else than the rate share a cell."""
    return " / ".join(map(_shown, candidates.to_dict("records")))


def _shown(candidate: dict[Any, Any]) -> str:
    if candidate["outcomes"] != "completed":
        return latex.escape(candidate["outcomes"])
    value = latex.number(candidate["validation_accuracy"])
    return rf"\textbf{{{value}}}" if candidate["chosen"] else value
