"""Made-up experiments for the tests of their figures, as the configuration has them.

One study is written and read for all; experiments are parts of it, with other outcomes.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pandas as pd

from gradcost.results.tidy import NAME, Tidy

METHODS = (
    "bp-vanilla", "bp-checkpointing",
    "zo-vanilla", "zo-accumulate", "zo-multiple", "zo-svrg", "signzo",
    "fmad-vanilla", "fmad-accumulate", "fmad-multiple", "fmad-adaptive", "fmad-svrg",
)  # fmt: skip
SETTINGS = ("default", "more", "less", "wide", "adamw", "sgd")
TASK = "r8-4"
Outcomes = dict[tuple[str, int], str]  # method, seed -> what became of its runs
_ENDS = 100  # step at which a run that diverged does
_RESULTS = ["test_accuracy", "validation_accuracy", "test_loss", "validation_loss"]


def failures(methods: tuple[str, ...]) -> Outcomes:
    """Of the last method a run diverged, of the first all are missing."""
    return {(methods[0], seed): "missing" for seed in range(3)} | {(methods[-1], 0): "diverged"}


def nothing(methods: tuple[str, ...]) -> Outcomes:
    """No run is there."""
    return {(method, seed): "missing" for method in methods for seed in range(3)}


def experiment(
    everything: Tidy,
    methods: tuple[str, ...],
    outcomes: Outcomes | None = None,
    *,
    settings: tuple[str, ...] = ("default",),
    models: tuple[str, ...] = ("tiny",),
    seeds: tuple[int, ...] = (0, 1, 2),
    only: Callable[[str, str], bool] = lambda method, setting: True,
    estimators: dict[str, dict[str, Any]] | None = None,
    reductions: dict[str, dict[str, Any]] | None = None,
) -> Tidy:
    """A part of a study of `METHODS` in `SETTINGS`.

    Args:
        models: names; all have the runs of the one that there is.
        only: which methods have which settings.
        estimators: what the estimators of some rows, by `method/setting`, have of their own.
        reductions: the same of variance reductions.
    """
    rows = {
        f"{method}/{setting}" for method in methods for setting in settings if only(method, setting)
    }
    frames = []
    for frame in (everything.runs, everything.history):
        row = frame["method"] + "/" + frame["setting"]
        chosen = frame[row.isin(rows) & frame["seed"].isin(seeds)]
        part = [chosen.assign(model=model) for model in models]
        frames.append(pd.concat(part, ignore_index=True))
    runs, history = frames
    runs = runs.astype(dict.fromkeys(runs.select_dtypes(["bool", "int"]).columns, object))
    runs["seed"] = runs["seed"].astype(int)
    for column, of_rows in (("estimator", estimators), ("variance_reduction", reductions)):
        for key, own in (of_rows or {}).items():
            there = (runs["method"] + "/" + runs["setting"]) == key
            runs.loc[there, column] = [
                json.dumps((json.loads(text) if text else {}) | own)
                for text in runs.loc[there, column]
            ]
    for (method, seed), outcome in (outcomes or {}).items():
        there = (runs["method"] == method) & (runs["seed"] == seed)
        lost = _RESULTS if outcome == "diverged" else runs.columns.difference(
            [*NAME, *(f"{kind}_label" for kind in ("model", "task", "method")), "family"]
        )  # fmt: skip
        runs.loc[there, list(lost)] = None
        runs.loc[there, "outcome"] = outcome
        there = (history["method"] == method) & (history["seed"] == seed)
        history = history[~there | (outcome == "diverged") & (history["step"] <= _ENDS)]
    shown = dict(everything.presentation)
    for kind, names in (("methods", methods), ("settings", settings)):
        by_name = {one["name"]: one for one in shown[kind]}
        shown[kind] = [by_name[name] for name in names]
    shown["models"] = [{"name": model, "label": model} for model in models]
    return Tidy(runs, history.reset_index(drop=True), shown)
