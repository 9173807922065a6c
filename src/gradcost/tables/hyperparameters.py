"""The hyperparameters as used: this study's Tables 5 to 8 of the paper."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from gradcost.results.tidy import Column, Tidy
from gradcost.tables import latex

HEADER = [
    r"Method & optimiser & rate & batch & steps"
    r" & $\varepsilon$ & directions & at once & particulars \\"
]
COLUMNS = "@{}llrrrrrrl@{}"
WIDTH = len(HEADER[0].split("&"))


def render(data: Tidy) -> str:
    """Per task and method, read from the specs of the runs and not from the configuration."""
    return latex.pages(
        [_part(data, columns) for columns in latex.by_page(data.columns, len(data.rows))]
    )


def _part(data: Tidy, columns: Sequence[Column]) -> str:
    body: list[list[str] | str] = []
    for column in columns:
        body.append(latex.heading(latex.escape(column.label), WIDTH, first=not body))
        lines = []
        for row in data.rows:
            cell = data.cell(column, row)
            lines.append([latex.escape(row.label), *settings(cell[cell["spec"].notna()])])
        body += latex.grouped(lines, [row.family for row in data.rows])
    return latex.tabular(COLUMNS, HEADER, body)


def particulars(run: pd.Series[Any]) -> str:
    """What else distinguishes a method: `window 10`, `1 % of the weights`, `label words`."""
    return ", ".join(_particulars(run))


def _particulars(run: pd.Series[Any]) -> Iterator[str]:
    reduction = _read(run["variance_reduction"])
    kind = str(reduction.pop("kind", "")).removeprefix("published-")
    for key, value in reduction.items():
        if key == "snapshot_every":
            yield f"snapshot every {value} epochs"
        elif kind == "sparse" and key == "share":
            yield f"{100 * value:g} % of the parameters"
        else:
            yield f"{key.replace('_', ' ')} {value}"
    if run["trainable"] == "sparse":
        yield f"{100 * run['share']:g} % of the weights"
    if run["trainable"] == "all":
        yield "all parameters"
    if run["objective"] == "label-words":
        # a word of several tokens is told apart by its first
        tokens = [token.strip() for token in _read(run["label_words"]).values()]
        yield " ".join(["label words", *([", ".join(tokens)] if tokens else [])])
    if pd.notna(run["checkpointing"]) and run["checkpointing"] != "none":
        yield f"checkpointing: {run['checkpointing'].replace('-', ' ')}"
    if pd.notna(run["frozen_linears"]) and not run["frozen_linears"]:
        yield "stock linears"
    if run["clip_norm"] > 0:
        yield f"norm clipped to {run['clip_norm']:g}"
    yield from _of_estimator(_read(run["estimator"]))


def _read(text: Any) -> dict[str, Any]:
    """JSON from a column, whose empty cells are not text."""
    return json.loads(text) if isinstance(text, str) else {}


def _of_estimator(settings: dict[str, Any]) -> Iterator[str]:
    """Settings that have no column of their own, where they are not the usual ones."""
    if settings.get("kind") == "zeroth-order-in-place":
        yield "in place"
    if settings.get("difference") == "one-sided":
        yield "one-sided"
    directions = settings.get("directions") or {}
    distribution = directions.get("distribution", "normal")
    if distribution != "normal":
        rank = f" of rank {directions['rank']}" if distribution == "low-rank" else ""
        yield f"{distribution} directions{rank}"
    if directions.get("variance", 1.0) != 1.0:
        yield f"of variance {directions['variance']:g}"
    if directions.get("normalise"):
        yield "normalised"


def settings(runs: pd.DataFrame) -> list[str]:
    """The cells of `HEADER` beside the method, of runs that have a record; `no run` of none."""
    if runs.empty:
        return ["no run", *[latex.DASH] * (WIDTH - 3), ""]
    others = _joined(latex.escape(particulars(run)) for _, run in runs.iterrows())
    if runs["optimizer"].isna().all():
        return ["not trained", *[latex.DASH] * (WIDTH - 3), others]
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
        others,
    ]


def _optimizer(run: pd.Series[Any]) -> str:
    name = latex.OPTIMISERS.get(run["optimizer"], str(run["optimizer"]))
    if run["momentum"]:
        name += f", {'Nesterov ' if run['nesterov'] else ''}momentum {run['momentum']:g}"
    if run["weight_decay"]:
        name += f", weight decay {run['weight_decay']:g}"
    return latex.escape(name)


def _joined(values: Any) -> str:
    """What all runs of a cell have in common or, should they differ, each of it."""
    return " / ".join(dict.fromkeys(values))
