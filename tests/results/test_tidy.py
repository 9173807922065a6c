"""From records to tidy tables: nothing dropped, nothing doubled, the same bytes twice."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from gradcost.results import compare, screening
from gradcost.results.tidy import HISTORY, MANIFEST, RUNS, Tidy, aggregate
from gradcost.study import record
from tests.results.synthetic import FAILURES, METHODS, SEEDS, TASKS, presentation, study, write_run

SMALL = {"methods": ("bp-vanilla", "fmad-vanilla", "zo-vanilla"), "tasks": ("r8-4",)}


def test_every_listed_run_is_a_row_whatever_became_of_it(tmp_path: Path) -> None:
    data = study(tmp_path, FAILURES)
    assert len(data.runs) == len(METHODS) * len(TASKS) * len(SEEDS)
    assert data.runs["outcome"].value_counts().to_dict() == {
        "completed": len(data.runs) - 6,
        "diverged": 2,
        "out-of-memory": 1,
        "missing": 3,
    }
    unfinished = data.runs[data.runs["outcome"] != "completed"]
    assert unfinished["test_accuracy"].isna().all()
    missing = data.runs[data.runs["outcome"] == "missing"]
    assert set(missing["method_label"]) == {"ZO-Multiple"}


def test_rows_hold_what_the_records_hold(tmp_path: Path) -> None:
    data = study(tmp_path)
    one = data.runs.query("method == 'zo-multiple' and task == 'r8-4' and seed == 1").iloc[0]
    assert one["test_accuracy"] == pytest.approx(0.633)
    assert one["seconds_per_step"] == pytest.approx(0.102 * 1.04)
    assert (one["epsilon"], one["perturbations"], one["at_once"]) == (1e-3, 10, 10)
    # the configuration leaves this at the estimator's default
    assert set(data.runs.query("method == 'zo-vanilla'")["at_once"]) == {1}
    untrained = data.runs.query("method == 'no-finetuning'")
    assert untrained["optimizer"].isna().all()
    assert (untrained["steps"] == 0).all()
    history = data.history.query("method == 'zo-multiple' and task == 'r8-4' and seed == 1")
    assert history["step"].tolist() == list(range(301))


def test_rows_and_columns_come_in_the_order_of_the_presentation(tmp_path: Path) -> None:
    data = study(tmp_path, methods=("zo-vanilla", "bp-vanilla"), tasks=("ng-4", "r8-4"))
    assert [row.key for row in data.rows] == ["zo-vanilla", "bp-vanilla"]
    assert [column.key for column in data.columns] == ["ng-4", "r8-4"]


def test_aggregating_twice_gives_the_same_bytes_in_any_order(tmp_path: Path) -> None:
    shown = presentation(**SMALL)
    folders = [write_run(tmp_path, run) for run in shown["runs"]]
    aggregate(folders, shown, tmp_path / "one")
    aggregate([folder / record.RECORD for folder in reversed(folders)], shown, tmp_path / "two")
    for name in (RUNS, HISTORY, MANIFEST):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_an_experiment_without_any_record_is_all_missing(tmp_path: Path) -> None:
    shown = presentation(**SMALL)
    aggregate([], shown, tmp_path)
    data = Tidy.load(tmp_path)
    assert set(data.runs["outcome"]) == {"missing"}
    assert data.history.empty
    assert compare.accuracy(data, data.columns[0], data.rows[0]) is None


def test_records_that_do_not_belong_are_refused(tmp_path: Path) -> None:
    shown = presentation(**SMALL)
    folder = write_run(tmp_path, shown["runs"][0])
    with pytest.raises(ValueError, match="is here twice"):
        aggregate([folder, folder], shown, tmp_path / "out")
    stranger = write_run(tmp_path, {**shown["runs"][0], "method": "zo-multiple"})
    with pytest.raises(ValueError, match=r"zo-multiple.* is not one of the experiment's runs"):
        aggregate([stranger], shown, tmp_path / "out")
    (folder / record.RECORD).write_text("{}")
    with pytest.raises(record.BadRecord):
        aggregate([folder], shown, tmp_path / "out")


def test_a_folder_without_tables_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=str(tmp_path)):
        Tidy.load(tmp_path)


def test_only_completed_runs_enter_means_and_differences(tmp_path: Path) -> None:
    data = study(tmp_path, FAILURES)
    column, rows = data.columns[0], {row.key: row for row in data.rows}
    fmad = compare.accuracy(data, column, rows["fmad-vanilla"])
    assert fmad is not None
    assert (round(fmad.mean, 1), fmad.n) == (58.7, 1)
    # BP lacks seed 1, FMAD has only seed 1: no pair is left
    assert compare.difference(data, column, rows["bp-vanilla"], rows["fmad-vanilla"]) is None
    assert compare.not_completed(data, column, rows["fmad-vanilla"]) == {"diverged": 2}


def test_forward_mode_and_zeroth_order_are_paired(tmp_path: Path) -> None:
    data = study(tmp_path)
    pairs = compare.pairs(data)
    assert [pair.strategy for pair in pairs] == ["vanilla", "multiple"]
    same = compare.equal(data, pairs[0].fmad, pairs[0].zo)
    assert (same.equal, same.n, same.largest) == (6, 6, 0.0)


def test_the_target_is_common_and_a_late_method_does_not_reach_it(tmp_path: Path) -> None:
    data = study(tmp_path)
    column, rows = data.columns[0], {row.key: row for row in data.rows}
    goal = compare.target(data, column)
    assert goal == 61.0
    fast = compare.reach(data, column, rows["bp-vanilla"], goal)
    assert (fast.reached, fast.n, fast.step) == (3, 3, 30.0)
    slow = compare.reach(data, column, rows["zo-vanilla"], goal)
    assert slow.reached == 0
    assert pd.isna(slow.training_seconds)


def screened(root: Path, finals: dict[str, tuple[float, float, record.Outcome]]) -> pd.DataFrame:
    """A screening of one method: setting -> (rate, validation accuracy, outcome of seed 1)."""
    shown = presentation(("zo-vanilla",), ("r8-4",), tuple(finals), (0, 1))
    folders = []
    for run in shown["runs"]:
        rate, final, outcome = finals[run["setting"]]
        folders.append(
            write_run(
                root, run, outcome if run["seed"] else "completed", learning_rate=rate, final=final
            )
        )
    aggregate(folders, shown, root / "screening")
    return screening.choose(Tidy.load(root / "screening"))


def test_the_rate_with_the_best_validation_accuracy_is_chosen(tmp_path: Path) -> None:
    table = screened(
        tmp_path,
        {
            "low": (1e-3, 50.0, "completed"),
            "middle": (3e-3, 60.0, "completed"),
            "high": (1e-2, 80.0, "diverged"),
        },
    )
    assert list(table.columns) == screening.COLUMNS
    assert table["chosen"].tolist() == [False, True, False]
    assert table["outcomes"].tolist() == ["completed", "completed", "1 of 2 diverged"]
    assert set(table["seeds"]) == {"0 1"}


def test_ties_go_to_the_smaller_rate_and_failures_to_none(tmp_path: Path) -> None:
    tied = screened(
        tmp_path / "tied", {"b": (3e-3, 60.0, "completed"), "a": (1e-3, 60.0, "completed")}
    )
    assert tied.loc[tied["chosen"], "learning_rate"].tolist() == [1e-3]
    failed = screened(tmp_path / "failed", {"a": (1e-3, 60.0, "diverged")})
    assert not failed["chosen"].any()
