"""The rule that chooses learning rates, and that the demo uses what it chose."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest

from gradcost.results import screening
from gradcost.results.tidy import Tidy, aggregate
from gradcost.study import config, record, runs
from tests.results.synthetic import presentation, study, write_run

ROOT = Path(__file__).parents[2]
CHOSEN = ROOT / "workflow/scales/demo-learning-rates.csv"
SCREENINGS = ("learning-rates", "learning-rates-of-signs")


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


def test_the_choice_is_made_for_each_task_and_method(tmp_path: Path) -> None:
    table = screening.choose(study(tmp_path, seeds=(0,)))
    assert table.groupby(["task", "method"])["chosen"].sum().eq(1).all()
    assert "no-finetuning" not in set(table["method"])
    assert set(table["task_label"]) == {"Reuters topics", "20 Newsgroups"}
    one = table.query("task == 'r8-4' and method == 'zo-multiple'").iloc[0]
    assert (one["method_label"], one["optimizer"], one["learning_rate"]) == (
        "ZO-Multiple", "sgd", 1e-2,
    )  # fmt: skip
    assert round(one["validation_accuracy"], 4) == one["validation_accuracy"]


def test_a_candidate_without_a_record_is_shown_and_not_chosen(tmp_path: Path) -> None:
    gone = {("r8-4", "zo-vanilla", seed): None for seed in (0, 1)}
    table = screening.choose(
        study(tmp_path, gone, methods=("zo-vanilla",), tasks=("r8-4",), seeds=(0, 1))
    )
    assert table["outcomes"].tolist() == ["2 of 2 missing"]
    assert table["optimizer"].isna().all()
    assert not table["chosen"].any()


@pytest.fixture(scope="module")
def demo() -> config.Study:
    return config.read(ROOT / "config.yaml", ROOT / "workflow/scales/demo.yaml")


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return pd.read_csv(CHOSEN, dtype={"seeds": "str"})


def tuned_as(method: str) -> str:
    """Whose rate a method takes: that of the one whose gradient it computes or approaches."""
    return {"bp-checkpointing": "bp-vanilla"}.get(method, re.sub("^zo-", "fmad-", method))


def test_the_demo_trains_with_the_rates_that_were_chosen(
    demo: config.Study, table: pd.DataFrame
) -> None:
    chosen = table[table["chosen"]].set_index(["task", "method"])
    assert chosen.index.is_unique
    trained = 0
    for run in runs.plan(demo)["accuracy"]:
        spec = runs.spec(demo, run)
        if spec["method"]["estimator"] is None:
            continue
        wanted = chosen.loc[(run.task, tuned_as(run.method))]
        used = spec["hyperparameters"]
        assert (used["optimizer"], used["learning_rate"]) == (
            wanted["optimizer"],
            wanted["learning_rate"],
        ), run.path
        trained += 1
    assert trained


def test_the_rule_still_chooses_what_is_marked(table: pd.DataFrame) -> None:
    for _, candidates in table.groupby(["task", "method"]):
        able = candidates[candidates["outcomes"] == "completed"]
        best = able[able["validation_accuracy"] == able["validation_accuracy"].max()]
        assert candidates.loc[candidates["chosen"], "learning_rate"].tolist() == [
            best["learning_rate"].min()
        ]


def test_every_candidate_of_the_screening_is_in_the_file(
    demo: config.Study, table: pd.DataFrame
) -> None:
    planned = {
        (run.task, run.method, run.setting): runs.spec(demo, run)["hyperparameters"]
        for grid in SCREENINGS
        for run in runs.plan(demo)[grid]
    }
    listed = table.set_index(["task", "method", "setting"])
    assert list(listed.index) == list(planned)
    for name, used in planned.items():
        assert listed.loc[name, "optimizer"] == used["optimizer"]
        assert listed.loc[name, "learning_rate"] == used["learning_rate"]


def test_no_rate_was_chosen_at_the_edge_of_its_grid(table: pd.DataFrame) -> None:
    for _, candidates in table.groupby(["task", "method"]):
        chosen = candidates[candidates["chosen"]].iloc[0]
        tried = candidates.loc[candidates["optimizer"] == chosen["optimizer"], "learning_rate"]
        assert tried.min() < chosen["learning_rate"] < tried.max(), chosen["method"]


def test_no_seed_is_both_screened_and_reported(demo: config.Study, table: pd.DataFrame) -> None:
    screened = {int(seed) for seeds in table["seeds"] for seed in seeds.split()}
    grids = runs.plan(demo)
    assert screened == {run.seed for grid in SCREENINGS for run in grids[grid]}
    assert not screened & {run.seed for run in grids["accuracy"]}


def test_the_laptop_scale_trains_at_the_rates_that_were_chosen() -> None:
    laptop = config.read(ROOT / "config.yaml", ROOT / "workflow/scales/laptop.yaml")
    table = pd.read_csv(ROOT / "workflow/scales/laptop-learning-rates.csv")
    chosen = table[table["chosen"]]
    assert len(chosen) == 2 * 3
    for row in chosen.itertuples():
        group = str(laptop.methods[str(row.method)].hyperparameters)
        column = laptop.hyperparameters[group][str(row.task)]
        assert (column.optimizer, column.learning_rate) == (row.optimizer, row.learning_rate)
