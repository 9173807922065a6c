"""What the report says of an experiment, computed once for tables, figures and prose.

Accuracies and their differences are in percent and percentage points of the test split,
at the end of training; a run that did not complete has none and is shown by its outcome.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pandas as pd

from gradcost.results.statistics import (
    Summary,
    first_reach,
    median_of_reached,
    paired,
    steady_state,
    summarise,
)
from gradcost.results.tidy import Column, Row, Tidy

TARGET_SHARE = 0.75  # of the way from the majority class to the best method
PLATEAU_POINTS = 1.0  # how far below its steady state a run counts as having converged


@dataclass(frozen=True)
class Reach:
    """What it takes to an accuracy: medians over seeds, a seed that never arrives last."""

    step: float
    forward_equivalents: float
    training_seconds: float
    reached: int
    n: int


@dataclass(frozen=True)
class Equality:
    """In how many of `n` pairs of runs two accuracies are equal; the largest gap in points."""

    equal: int
    n: int
    largest: float


@dataclass(frozen=True)
class Pair:
    """FMAD and ZO with the same strategy and setting, hence with the same draws for one seed."""

    strategy: str
    fmad: Row
    zo: Row


def reference(data: Tidy) -> Row:
    """What differences are taken to: BP-Vanilla or, without it, the first BP or first method."""
    for wanted in ("bp-vanilla", "bp-checkpointing"):
        for row in data.rows:
            if row.key == wanted:
                return row
    return next((row for row in data.rows if row.family == "bp"), data.rows[0])


def accuracies(data: Tidy, column: Column, row: Row) -> pd.Series[float]:
    """Test accuracy of the completed runs by seed, in percent."""
    return 100 * data.cell(column, row, completed=True)["test_accuracy"].dropna().astype(float)


def accuracy(data: Tidy, column: Column, row: Row) -> Summary | None:
    """Test accuracy over seeds, in percent; None if no run completed."""
    return summarise(accuracies(data, column, row))


def lenient(data: Tidy, column: Column, row: Row) -> Summary | None:
    """Test accuracy by the scorer of the paper's public code; None where answers are classes."""
    cell = data.cell(column, row, completed=True)
    return summarise(100 * cell["test_accuracy_published"].dropna().astype(float))


def scored_twice(data: Tidy, column: Column) -> bool:
    """Whether a task's answers are text, which the public code scores otherwise."""
    return any(lenient(data, column, row) is not None for row in data.rows)


def difference(data: Tidy, column: Column, left: Row, right: Row) -> Summary | None:
    """Test accuracy of `left` minus `right`, paired by seed, in points."""
    return paired(accuracies(data, column, left), accuracies(data, column, right))


def majority(data: Tidy, column: Column, split: str = "test") -> float | None:
    """The share of the largest class of a split, in percent."""
    runs = data.runs
    values = runs.loc[
        (runs["model"] == column.model) & (runs["task"] == column.task), f"{split}_majority"
    ].dropna()
    return None if values.empty else 100 * float(values.iloc[0])


def test_examples(data: Tidy, column: Column) -> int | None:
    """The size of the test split."""
    runs = data.runs
    values = runs.loc[
        (runs["model"] == column.model) & (runs["task"] == column.task), "test_examples"
    ].dropna()
    return None if values.empty else int(values.iloc[0])


def not_completed(data: Tidy, column: Column, row: Row) -> dict[str, int]:
    """How many runs of a cell had which outcome other than `completed`."""
    counts = data.cell(column, row)["outcome"].value_counts()
    others = ("diverged", "out-of-memory", "missing")
    return {outcome: int(counts[outcome]) for outcome in others if outcome in counts}


def steady(data: Tidy, column: Column, row: Row) -> pd.Series[float]:
    """Steady-state validation accuracy of the completed runs by seed, in percent."""
    curves = _since_the_start(data, column, row)
    return 100 * curves.groupby("seed")["validation_accuracy"].apply(steady_state).astype(float)


def best(data: Tidy, column: Column, *, families: tuple[str, ...] | None = None) -> Row | None:
    """The method with the highest mean test accuracy; of equals, the first."""
    means = {
        row: summary.mean
        for row in data.rows
        if (families is None or row.family in families)
        and (summary := accuracy(data, column, row)) is not None
    }
    return max(means, key=lambda row: means[row]) if means else None


def equal(data: Tidy, left: Row, right: Row) -> Equality:
    """Compare the test accuracies of two methods run by run, over all tasks and seeds."""
    gaps = [
        abs(gap)
        for column in data.columns
        for gap in (accuracies(data, column, left) - accuracies(data, column, right)).dropna()
    ]
    return Equality(sum(gap == 0 for gap in gaps), len(gaps), max(gaps, default=0.0))


def target(data: Tidy, column: Column) -> float | None:
    """The common validation accuracy to reach, in percent.

    A rule and not a choice: `TARGET_SHARE` of the way from the majority class to the highest
    steady state that any method has on average over its seeds, rounded to a whole percent.
    """
    base = majority(data, column, "validation")
    means = [
        values.mean() for row in data.trained if len(values := steady(data, column, row).dropna())
    ]
    if base is None or not means or max(means) <= base:
        return None
    return float(round(base + TARGET_SHARE * (max(means) - base)))


def reach(data: Tidy, column: Column, row: Row, goal: float) -> Reach:
    """What the runs of a method spend until validation accuracy is `goal` percent."""
    return _median(arrivals(data, column, row, goal))


def plateau(data: Tidy, column: Column, row: Row) -> Reach:
    """What the runs of a method spend until they have converged, each to its own plateau.

    A run has converged at its first evaluation of at least its own steady-state accuracy
    minus `PLATEAU_POINTS`. The paper reports the time and the iterations until convergence
    without giving a rule; this one is ours. The measure rewards a method that stalls early:
    it has converged soon, however low, and one that learns nothing has when it is first looked
    at. `reach` asks all methods for the same accuracy.
    """
    return _median(arrivals(data, column, row))


def arrivals(data: Tidy, column: Column, row: Row, goal: float | None = None) -> pd.DataFrame:
    """What each run had spent on reaching `goal` percent or, without a goal, its own plateau.

    Returns:
        A row for every seed, with `step`, `forward_equivalents` and `training_seconds`: NaN
        for a run that never arrived, such as one that did not complete.
    """
    columns = ["step", "forward_equivalents", "training_seconds"]
    curves = _since_the_start(data, column, row)
    own = steady(data, column, row) - PLATEAU_POINTS
    spent = {
        seed: first_reach(run, (own[seed] if goal is None else goal) / 100)
        for seed, run in curves.groupby("seed")
    }
    found = pd.DataFrame(spent, index=columns, dtype=float).T
    return found.reindex(data.cell(column, row).index)


def _since_the_start(data: Tidy, column: Column, row: Row) -> pd.DataFrame:
    """The histories of completed runs without step 0, which is the model's and no method's."""
    curves = data.curves(column, row)
    return curves[curves["step"] > 0]


def _median(spent: pd.DataFrame) -> Reach:
    """Over the seeds of `arrivals`."""
    median = spent.apply(median_of_reached)
    return Reach(
        step=float(median["step"]),
        forward_equivalents=float(median["forward_equivalents"]),
        training_seconds=float(median["training_seconds"]),
        reached=int(spent["step"].notna().sum()),
        n=len(spent),
    )


def cost(data: Tidy, column: Column, row: Row) -> pd.Series[float]:
    """Counted cost of a step, as in `study.record.Cost`, and `seconds_per_step`; NaN if none.

    Over completed runs or, without one, over all: a step is one on average over its run, and
    a run that ended early has its snapshot spread over fewer.
    """
    keys = [
        "trainable_parameters", "total_parameters", "forward_flops", "step_flops", "model_bytes",
        "peak_bytes", "forward_equivalents", "seconds_per_step", "training_seconds",
    ]  # fmt: skip
    done = data.cell(column, row, completed=True)
    found = (data.cell(column, row) if done.empty else done)[keys].astype(float).mean()
    found["activation_bytes"] = found["peak_bytes"] - found["model_bytes"]
    return found


def pairs(data: Tidy) -> list[Pair]:
    """All FMAD methods that have a ZO partner.

    As published, a strategy is not the same in both, and has none.
    """
    described = [row for row in data.rows if not row.published]
    zo = {(row.strategy, row.setting): row for row in described if row.family == "zo"}
    return [
        Pair(row.key.removeprefix("fmad-"), row, zo[row.strategy, row.setting])
        for row in described
        if row.family == "fmad" and (row.strategy, row.setting) in zo
    ]


def departures(data: Tidy) -> dict[Row, list[Row]]:
    """What a family's methods depart from, and they: the same without their strategy.

    BP-Accumulate departs from BP-Checkpointing, whose batches it has, and all others from
    their family's Vanilla.
    """
    found: dict[Row, list[Row]] = {}
    for family, wanted in (
        ("bp", ("bp-checkpointing", "bp-vanilla")),
        ("fmad", ("fmad-vanilla",)),
        ("zo", ("zo-vanilla",)),
    ):
        base = next((row for key in wanted if (row := by_name(data, key)) is not None), None)
        others = [
            row
            for row in data.rows
            if row.family == family
            and row.setting == "default"
            and row.strategy not in ("vanilla", "checkpointing")
            and not row.published
        ]
        if base is not None and others:
            found[base] = others
    return found


def by_name(data: Tidy, key: str) -> Row | None:
    """The row of a method in its default setting, if the experiment has it."""
    return next((row for row in data.rows if row.key == key), None)


def estimator(data: Tidy, row: Row) -> dict[str, Any]:
    """The settings of a row's estimator, defaults included; empty if no run has a record."""
    return _settings(data, row, "estimator")


def directions(data: Tidy, row: Row) -> int | None:
    """Along how many directions a step looks; None without any, or without a record."""
    return estimator(data, row).get("perturbations")


def window(data: Tidy, row: Row) -> int | None:
    """How many steps there are from one update to the next; None without a record."""
    if not estimator(data, row):
        return None
    return int(_settings(data, row, "variance_reduction").get("window", 1))


def _settings(data: Tidy, row: Row, column: str) -> dict[str, Any]:
    runs = data.runs
    of_row = (runs["method"] == row.method) & (runs["setting"] == row.setting)
    known = runs.loc[of_row, column].dropna()
    return json.loads(known.iloc[0]) if len(known) else {}
