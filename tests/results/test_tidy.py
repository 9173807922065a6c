"""From records to tidy tables: nothing dropped, nothing doubled, the same bytes twice."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from gradcost.results import compare
from gradcost.results.tidy import HISTORY, MANIFEST, RUNS, Row, Tidy, aggregate
from gradcost.study import record
from gradcost.study.files import read_json, write_json
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


def test_rows_hold_what_distinguishes_a_method(tmp_path: Path) -> None:
    runs = study(tmp_path, tasks=("r8-4",), seeds=(0,)).runs.set_index("method")
    assert runs["variance_reduction"].dropna().to_dict() == {
        # the configuration leaves both settings of adaptive at their defaults
        f"{family}-{kind}": text
        for kind, text, families in (
            ("accumulate", '{"kind":"accumulate","window":10}', ("bp", "fmad", "zo")),
            ("adaptive", '{"calibration":4,"kind":"adaptive","momentum":0.9}', ("fmad", "zo")),
            ("svrg", '{"kind":"svrg","snapshot_every":5}', ("fmad", "zo")),
        )
        for family in families
    }
    assert runs.index[runs["objective"] == "label-words"].tolist() == [
        "no-finetuning-words",
        "mezo",
    ]
    assert runs.index[runs["trainable"] == "sparse"].tolist() == ["zo-sparse", "fmad-sparse"]
    assert set(runs["share"].dropna()) == {0.01}
    assert runs["clip_norm"].isna().all()
    # of the estimator that a variance reduction wraps
    assert runs.loc["zo-svrg", ["epsilon", "perturbations", "at_once"]].tolist() == [1e-3, 1, 1]
    assert '"distribution":"normal"' in runs.loc["zo-svrg", "estimator"]


@pytest.mark.parametrize(
    "estimator",
    [
        {"kind": "gone", "base": {"kind": "zeroth-order", "epsilon": 1e-2}, "window": 3},
        {"kind": "zeroth-order", "epsilon": 1e-2, "gone": True},
    ],
)
def test_settings_that_have_gone_since_are_kept_as_they_are(
    estimator: dict[str, object], tmp_path: Path
) -> None:
    shown = presentation(("zo-vanilla",), ("r8-4",), seeds=(0,))
    folder = write_run(tmp_path, shown["runs"][0])
    written = read_json(folder / record.RECORD)
    written["spec"]["method"] |= {"estimator": estimator, "variance_reduction": {"kind": "gone"}}
    write_json(folder / record.RECORD, written)
    aggregate([folder], shown, tmp_path / "tidy")
    one = Tidy.load(tmp_path / "tidy").runs.iloc[0]
    assert json.loads(one["estimator"]) == estimator
    assert one["epsilon"] == 1e-2
    assert one["variance_reduction"] == '{"kind":"gone"}'


@pytest.mark.parametrize(
    ("method", "family", "strategy", "published"),
    [
        ("fmad-svrg", "fmad", "svrg", False),
        ("zo-sparse-published", "zo", "sparse", True),
        ("mezo", "zo", "mezo", False),
        ("bp-checkpointing", "bp", "checkpointing", False),
    ],
)
def test_a_name_says_family_and_strategy(
    method: str, family: str, strategy: str, published: bool
) -> None:
    row = Row(method, "default", "a label", family)
    assert (row.strategy, row.published) == (strategy, published)


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
    assert not (tmp_path / "out").exists()


def test_a_bad_record_is_named_and_leaves_no_tables(tmp_path: Path) -> None:
    shown = presentation(**SMALL)
    folder = write_run(tmp_path, shown["runs"][0])
    (folder / record.RECORD).write_text("{}")
    with pytest.raises(record.BadRecord, match=re.escape(str(folder / record.RECORD))):
        aggregate([folder], shown, tmp_path / "out")
    assert not (tmp_path / "out" / MANIFEST).exists()


def test_a_folder_without_tables_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=str(tmp_path)):
        Tidy.load(tmp_path)


def test_the_manifest_counts_what_the_tables_hold(tmp_path: Path) -> None:
    data = study(tmp_path, FAILURES)
    manifest = read_json(tmp_path / "tidy" / MANIFEST)
    assert manifest["runs"] == len(data.runs)
    assert manifest["outcomes"] == {
        "completed": 108, "diverged": 2, "out-of-memory": 1, "missing": 3,
    }  # fmt: skip
    assert manifest["history_rows"] == len(data.history)


def test_a_diverged_run_keeps_its_history_and_leaves_the_curves(tmp_path: Path) -> None:
    data = study(tmp_path, FAILURES)
    of_run = data.history.query("task == 'r8-4' and method == 'fmad-vanilla' and seed == 0")
    assert of_run["step"].max() == 100
    row = next(row for row in data.rows if row.key == "fmad-vanilla")
    assert set(data.curves(data.columns[0], row)["seed"]) == {1}
    every = data.curves(data.columns[0], row, completed=False)
    assert every.groupby("seed")["step"].max().to_dict() == {0: 100, 1: 300, 2: 100}


def test_a_setting_is_a_row_of_its_own(tmp_path: Path) -> None:
    data = study(tmp_path, methods=("zo-vanilla",), tasks=("r8-4",), settings=("default", "wide"))
    assert [(row.key, row.label) for row in data.rows] == [
        ("zo-vanilla", "ZO-Vanilla"),
        ("zo-vanilla/wide", "ZO-Vanilla (wide)"),
    ]
