"""The written rule by which learning rates are chosen, applied to a screening experiment."""

from __future__ import annotations

from typing import Any

import pandas as pd

from gradcost.results import compare
from gradcost.results.tidy import Column, Row, Tidy

COLUMNS = [
    "task", "task_label", "method", "method_label", "setting", "optimizer", "learning_rate",
    "seeds", "validation_accuracy", "outcomes", "chosen",
]  # fmt: skip
DECIMALS = 4  # of an accuracy in percent: finer than one text more or less, coarser than rounding


def choose(data: Tidy) -> pd.DataFrame:
    """Choose a learning rate for each task and method; each setting is one candidate.

    The rule: the rate with the highest mean over seeds of the steady-state validation
    accuracy. A rate with any run that did not complete is out. Ties go to the smaller rate.
    The test split plays no part.

    Returns:
        One row a candidate, in the order of the configuration, with the columns `COLUMNS`;
        `validation_accuracy` is in percent and of the completed runs. Optimizer and rate are
        those of the records, and unknown for a candidate that has none.

    Raises:
        ValueError: if the experiment has more than one model, which the table cannot tell.
    """
    if len({column.model for column in data.columns}) > 1:
        raise ValueError("learning rates are screened one model at a time")
    rows = []
    for column in data.columns:
        for method in dict.fromkeys(row.method for row in data.trained):
            candidates = [
                _candidate(data, column, row)
                for row in data.trained
                if row.method == method and len(data.cell(column, row))
            ]
            able = [one for one in candidates if one["outcomes"] == "completed"]
            winner = min(
                able,
                key=lambda one: (-one["validation_accuracy"], one["learning_rate"]),
                default=None,
            )
            rows += [{**one, "chosen": one is winner} for one in candidates]
    return pd.DataFrame(rows, columns=COLUMNS)


def _candidate(data: Tidy, column: Column, row: Row) -> dict[str, Any]:
    runs = data.cell(column, row)
    failed = compare.not_completed(data, column, row)
    known = runs.dropna(subset=["learning_rate"])
    return {
        "task": column.task,
        "task_label": column.label,
        "method": row.method,
        "method_label": runs["method_label"].iloc[0],
        "setting": row.setting,
        "optimizer": None if known.empty else known["optimizer"].iloc[0],
        "learning_rate": float("nan") if known.empty else float(known["learning_rate"].iloc[0]),
        "seeds": " ".join(str(seed) for seed in runs.index),
        "validation_accuracy": round(float(compare.steady(data, column, row).mean()), DECIMALS),
        "outcomes": ", ".join(f"{n} of {len(runs)} {kind}" for kind, n in failed.items())
        or "completed",
    }
