"""What the report compares: who enters, against whom, and the common target."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from gradcost.results import compare
from gradcost.results.tidy import Tidy
from tests.results.synthetic import FAILURES, METHODS, study


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Tidy:
    return study(tmp_path_factory.mktemp("good"))


def test_accuracy_and_difference_by_hand(data: Tidy) -> None:
    column, rows = data.columns[0], {row.key: row for row in data.rows}
    summary = compare.accuracy(data, column, rows["bp-vanilla"])
    assert summary is not None
    assert summary.mean == pytest.approx((77.7 + 77.7 + 75.7) / 3)
    gap = compare.difference(data, column, rows["bp-vanilla"], rows["fmad-multiple"])
    assert gap is not None
    assert gap.mean == pytest.approx((8.7 + 14.4 + 8.0) / 3)
    assert compare.majority(data, column) == 25.0
    assert compare.test_examples(data, column) == 300


def test_the_best_method_and_the_reference(data: Tidy, tmp_path: Path) -> None:
    best = compare.best(data, data.columns[0])
    rival = compare.best(data, data.columns[0], families=("fmad", "zo"))
    assert best is not None
    assert rival is not None
    assert (best.key, rival.key) == ("bp-vanilla", "zo-multiple")  # of equals, the first
    assert compare.best(data, data.columns[0], families=("other",)) is None
    assert compare.reference(data).key == "bp-vanilla"
    for methods, wanted in (
        (("zo-vanilla", "bp-accumulate", "bp-checkpointing"), "bp-checkpointing"),
        (("zo-vanilla", "bp-accumulate"), "bp-accumulate"),
        (("zo-vanilla",), "zo-vanilla"),
    ):
        one = study(tmp_path / wanted, methods=methods, tasks=("r8-4",), seeds=(0,))
        assert compare.reference(one).key == wanted


def test_memory_above_the_weights(data: Tidy) -> None:
    for row in data.trained:
        cost = compare.cost(data, data.columns[0], row)
        assert cost["activation_bytes"] == METHODS[row.method].activations
        assert cost["forward_equivalents"] == pytest.approx(METHODS[row.method].forwards, abs=1e-6)


def test_the_steady_state_is_of_the_last_evaluations(data: Tidy) -> None:
    column, row = data.columns[0], compare.reference(data)
    curves = data.curves(column, row).query("seed == 0").set_index("step")
    last = 100 * curves.loc[[280, 290, 300], "validation_accuracy"]
    assert compare.steady(data, column, row)[0] == pytest.approx(last.mean())


def test_a_task_that_nothing_learns_has_no_target(tmp_path: Path) -> None:
    data = study(tmp_path, methods=("no-finetuning",), seeds=(0,))
    assert compare.target(data, data.columns[0]) is None


def test_only_completed_runs_enter_means_and_differences(tmp_path: Path) -> None:
    data = study(tmp_path, FAILURES)
    column, rows = data.columns[0], {row.key: row for row in data.rows}
    fmad = compare.accuracy(data, column, rows["fmad-vanilla"])
    assert fmad is not None
    assert (round(fmad.mean, 1), fmad.n) == (58.7, 1)
    # BP lacks seed 1, FMAD has only seed 1: no pair is left
    assert compare.difference(data, column, rows["bp-vanilla"], rows["fmad-vanilla"]) is None
    assert compare.not_completed(data, column, rows["fmad-vanilla"]) == {"diverged": 2}


def test_forward_mode_and_zeroth_order_are_paired(data: Tidy) -> None:
    pairs = compare.pairs(data)
    assert [pair.strategy for pair in pairs] == [
        "vanilla", "accumulate", "multiple", "adaptive", "svrg", "sparse",
    ]  # fmt: skip
    assert {pair.zo.key for pair in pairs}.isdisjoint({"mezo", "signzo"})
    for pair in pairs:
        assert pair.fmad.key == pair.zo.key.replace("zo-", "fmad-")
    same = compare.equal(data, pairs[0].fmad, pairs[0].zo)
    assert (same.equal, same.n, same.largest) == (6, 6, 0.0)


def test_what_runs_as_published_is_no_partner_and_no_departure(data: Tidy) -> None:
    shown = dict(data.presentation)
    shown["methods"] = [
        *shown["methods"],
        {"name": "zo-vanilla-published", "label": "published", "family": "zo"},
        {"name": "fmad-svrg-published", "label": "published", "family": "fmad"},
    ]
    renamed = data.runs.replace(
        {"method": {"zo-vanilla": "zo-vanilla-published", "fmad-svrg": "fmad-svrg-published"}}
    )
    published = Tidy(renamed, data.history, shown)
    assert {row.key for row in published.rows} >= {"zo-vanilla-published", "fmad-svrg-published"}
    assert [pair.strategy for pair in compare.pairs(published)] == [
        "accumulate", "multiple", "adaptive", "sparse",
    ]  # fmt: skip
    bases = compare.departures(published)
    assert [row.key for row in bases] == ["bp-checkpointing", "fmad-vanilla"]
    assert not any(row.published for rows in bases.values() for row in rows)


def test_a_strategy_departs_from_its_own_family(data: Tidy) -> None:
    found = {base.key: [row.key for row in rows] for base, rows in compare.departures(data).items()}
    strategies = ["accumulate", "multiple", "adaptive", "svrg", "sparse"]
    assert found == {
        "bp-checkpointing": ["bp-accumulate"],
        "fmad-vanilla": [f"fmad-{name}" for name in strategies],
        "zo-vanilla": [*(f"zo-{name}" for name in strategies), "mezo", "signzo"],
    }


def test_a_run_that_ended_early_leaves_the_cost_of_a_step_alone(data: Tidy, tmp_path: Path) -> None:
    column, rows = data.columns[0], {row.key: row for row in data.rows}
    runs = data.runs.copy()
    first = (runs["method"] == "zo-svrg") & (runs["task"] == column.task) & (runs["seed"] == 0)
    runs.loc[first, ["outcome", "forward_equivalents"]] = ["diverged", 100.0]
    one = Tidy(runs, data.history, data.presentation)
    wanted = METHODS["zo-svrg"].forwards
    found = compare.cost(one, column, rows["zo-svrg"])["forward_equivalents"]
    assert found == pytest.approx(wanted, abs=1e-6)


def test_the_target_is_common_and_a_late_method_does_not_reach_it(data: Tidy) -> None:
    column, rows = data.columns[0], {row.key: row for row in data.rows}
    goal = compare.target(data, column)
    assert goal == 61.0
    fast = compare.reach(data, column, rows["bp-vanilla"], goal)
    assert (fast.reached, fast.n, fast.step) == (3, 3, 30.0)
    slow = compare.reach(data, column, rows["zo-vanilla"], goal)
    assert slow.reached == 0
    assert pd.isna(slow.training_seconds)


def test_a_run_has_converged_within_a_point_of_its_own_steady_state(data: Tidy) -> None:
    column, rows = data.columns[0], {row.key: row for row in data.rows}
    for key in ("bp-vanilla", "zo-vanilla"):
        steps = []
        for _, run in data.curves(column, rows[key]).groupby("seed"):
            evaluated = run.dropna(subset=["validation_accuracy"])
            goal = evaluated["validation_accuracy"].tail(3).mean() - 0.01
            steps.append(evaluated.loc[evaluated["validation_accuracy"] >= goal, "step"].iloc[0])
        found = compare.plateau(data, column, rows[key])
        assert (found.step, found.reached, found.n) == (sorted(steps)[1], 3, 3)
        assert found.forward_equivalents == pytest.approx(METHODS[key].forwards * found.step)
    # the worse method is at its own plateau, and never at the common target
    assert compare.reach(data, column, rows["zo-vanilla"], 61.0).reached == 0


def test_a_run_that_stalls_at_the_start_has_converged_when_first_looked_at(data: Tidy) -> None:
    column, rows = data.columns[0], {row.key: row for row in data.rows}
    history = data.history.copy()
    stalled = history["method"] == "zo-vanilla"
    evaluated = stalled & history["validation_accuracy"].notna()
    history.loc[evaluated, "validation_accuracy"] = 0.25
    one = Tidy(data.runs, history, data.presentation)
    looked = history.loc[evaluated & (history["step"] > 0), "step"].min()
    assert compare.plateau(one, column, rows["zo-vanilla"]).step == looked
    assert compare.plateau(one, column, rows["bp-vanilla"]).step > looked


def test_what_a_model_knows_before_its_first_step_is_no_methods(data: Tidy) -> None:
    """Neither of the steady state, with few evaluations, nor of the steps to an accuracy."""
    column, rows = data.columns[0], {row.key: row for row in data.rows}
    history = data.history.copy()
    looks = history["validation_accuracy"].notna()
    last = history["step"] == history.loc[looks, "step"].max()
    history.loc[looks & (history["step"] > 0) & ~last, "validation_accuracy"] = float("nan")
    history.loc[history["step"] == 0, "validation_accuracy"] = 1.0
    one = Tidy(data.runs, history, data.presentation)
    of_row = history[last & (history["method"] == "bp-vanilla") & (history["seed"] == 0)]
    of_task = of_row[(of_row["model"] == column.model) & (of_row["task"] == column.task)]
    known = 100 * of_task["validation_accuracy"].iloc[0]
    assert compare.steady(one, column, rows["bp-vanilla"])[0] == pytest.approx(known)
    assert compare.reach(one, column, rows["bp-vanilla"], 99.9).reached == 0


def test_a_run_that_did_not_complete_has_no_plateau(tmp_path: Path) -> None:
    data = study(tmp_path, FAILURES)
    rows = {row.key: row for row in data.rows}
    first, second = data.columns
    some = compare.plateau(data, first, rows["bp-vanilla"])
    assert (some.reached, some.n) == (2, 3)
    few = compare.plateau(data, first, rows["fmad-vanilla"])
    assert (few.reached, few.n) == (1, 3)
    assert pd.isna(few.step)
    none = compare.plateau(data, second, rows["zo-multiple"])
    assert (none.reached, none.n) == (0, 3)
    assert pd.isna(none.training_seconds)
    arrivals = compare.arrivals(data, first, rows["bp-vanilla"])
    assert arrivals["step"].isna().tolist() == [False, True, False]


def test_rows_are_known_by_what_their_estimators_are_set_to(data: Tidy, tmp_path: Path) -> None:
    rows = {row.key: row for row in data.rows}
    directions = {key: compare.directions(data, rows[key]) for key in ("zo-vanilla", "zo-multiple")}
    assert directions == {"zo-vanilla": 1, "zo-multiple": 10}
    assert compare.directions(data, rows["bp-vanilla"]) is None
    windows = {key: compare.window(data, rows[key]) for key in ("zo-vanilla", "zo-accumulate")}
    assert windows == {"zo-vanilla": 1, "zo-accumulate": 10}
    assert compare.estimator(data, rows["zo-vanilla"])["directions"]["variance"] == 1.0
    lost = {(task, "zo-multiple", seed): None for task in ("r8-4", "ng-4") for seed in range(3)}
    without = study(tmp_path, lost, methods=("zo-multiple",))  # type: ignore[arg-type]
    (row,) = without.rows
    assert compare.estimator(without, row) == {}
    assert (compare.directions(without, row), compare.window(without, row)) == (None, None)
