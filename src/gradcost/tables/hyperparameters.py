"""The hyperparameters as used: this study's Tables 5 to 8 of the paper."""

from __future__ import annotations

from typing import Any

import pandas as pd

from gradcost.results.tidy import Tidy
from gradcost.tables import latex

OPTIMISERS = {"adamw": "AdamW", "sgd": "SGD"}  # as they are written
HEADER = [
    r"Method & optimiser & learning rate & batch & steps"
    r" & $\varepsilon$ & directions & at once \\"
]


def render(data: Tidy) -> str:
    """Per task and method, read from the specs of the runs and not from the configuration."""
    body: list[list[str] | str] = []
    for index, column in enumerate(data.columns):
        body.append(latex.heading(latex.escape(column.label), 8, first=index == 0))
        for row in data.rows:
            cell = data.cell(column, row)
            body.append([latex.escape(row.label), *_settings(cell[cell["spec"].notna()])])
    return latex.tabular("@{}llrrrrrr@{}", HEADER, body)


def _settings(runs: pd.DataFrame) -> list[str]:
    if runs.empty:
        return ["no run", *[latex.DASH] * 6]
    if runs["optimizer"].isna().all():
        return ["not trained", *[latex.DASH] * 6]
    return [
        _joined(_optimizer(run) for _, run in runs.iterrows()),
        *(
            _joined(show(value) for value in runs[key])
            for key, show in (
                ("learning_rate", latex.scientific),
                ("batch_size", latex.count),
                ("planned_steps", latex.count),
                ("epsilon", latex.scientific),
                ("perturbations", latex.count),
                ("at_once", latex.count),
            )
        ),
    ]


def _optimizer(run: pd.Series[Any]) -> str:
    name = latex.OPTIMIZERS.get(run["optimizer"], str(run["optimizer"]))
    if run["momentum"]:
        name += f", {'Nesterov ' if run['nesterov'] else ''}momentum {run['momentum']:g}"
    if run["weight_decay"]:
        name += f", weight decay {run['weight_decay']:g}"
    return latex.escape(name)


def _joined(values: Any) -> str:
    """What all runs of a cell have in common or, should they differ, each of it."""
    return " / ".join(dict.fromkeys(values))
