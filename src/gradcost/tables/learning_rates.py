"""The screening of learning rates: every candidate, and the one that the rule chose."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from gradcost.tables import latex

HEADER = [r"Method & optimiser & learning rate & seeds & validation accuracy [\%] & outcome \\"]


def render(screening: Path) -> str:
    """The candidates of `results.screening.choose`, from its CSV; the chosen rate is bold."""
    text = ["task", "method", "setting", "optimizer", "seeds", "outcomes"]
    table = pd.read_csv(screening, dtype=dict.fromkeys(text, "str"))
    body: list[list[str] | str] = []
    for index, (task, candidates) in enumerate(table.groupby("task", sort=False)):
        body.append(latex.heading(latex.escape(task), 6, first=index == 0))
        last = None
        for one in candidates.to_dict("records"):
            rate = latex.scientific(one["learning_rate"])
            if one["chosen"]:
                rate = rf"$\mathbf{{{rate.strip('$')}}}$"
            body.append(
                [
                    "" if one["method"] == last else latex.escape(one["method"]),
                    latex.DASH
                    if pd.isna(one["optimizer"])
                    else latex.escape(latex.OPTIMIZERS.get(one["optimizer"], one["optimizer"])),
                    rate,
                    latex.escape(one["seeds"]),
                    latex.number(one["validation_accuracy"]),
                    latex.escape(one["outcomes"]) + (", chosen" if one["chosen"] else ""),
                ]
            )
            last = one["method"]
    return latex.tabular("@{}llrlrl@{}", HEADER, body)
