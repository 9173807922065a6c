"""The transcription of the paper's tables: counts, spot checks, and its own consistency."""

from __future__ import annotations

from pathlib import Path

import pytest

from gradcost.results import paper
from gradcost.study import config


def test_every_cell_of_the_tables_is_there_once() -> None:
    numbers = paper.table()
    assert numbers.groupby("table").size().to_dict() == {
        "3": 17 * 7, "4": 6 * 3, "9": 16 * 7, "12": 1,
    }  # fmt: skip
    assert not numbers.duplicated(["table", "row", "column"]).any()
    blank = numbers[numbers["value"].isna()]
    assert set(blank["row"]) == {"mezo"}
    assert len(blank) == 2 * 4
    assert set(numbers.loc[numbers["table"].isin(["3", "9"]), "column"]) == set(paper.DATASETS)


@pytest.mark.parametrize(
    ("table", "row", "column", "value"),
    [
        ("3", "no-finetuning", "agnews", 23.5),
        ("3", "bp-vanilla", "boolq", 88.3),
        ("3", "bp-checkpointing", "textvqa", 98.5),
        ("3", "bp-accumulate", "gsm8k", 33.1),
        ("3", "zo-vanilla", "agnews", 73.6),
        ("3", "zo-svrg", "multirc", 61.2),
        ("3", "mezo", "multirc", 60.4),
        ("3", "fmad-multiple", "gsm8k", 40.5),
        ("3", "fmad-sparse", "textvqa", 77.0),
        ("4", "zo-multiple", "tflops-until-convergence", 24_250_000),
        ("4", "zo-accumulate", "iterations-until-convergence", 75_000),
        ("4", "fmad-vanilla", "tflops-per-iteration", 432.0),
        ("9", "bp-vanilla", "vqav2", 1.49),
        ("9", "zo-sparse", "textvqa", 0.9),
        ("9", "fmad-sparse", "agnews", 0.93),
    ],
)
def test_spot_checks(table: str, row: str, column: str, value: float) -> None:
    assert paper.number(table, row, column) == value


def test_what_the_paper_does_not_have_is_none() -> None:
    assert paper.accuracy("mezo", "mmlu") is None
    assert paper.accuracy("signzo", "boolq") is None
    assert paper.accuracy("bp-vanilla", "r8") is None
    assert paper.variation("no-finetuning", "agnews") is None


def test_signzo_is_from_another_table() -> None:
    assert paper.number("3", "signzo", "agnews") is None
    assert paper.accuracy("signzo", "agnews") == 82.6


def test_rows_are_called_as_the_methods_of_the_configuration() -> None:
    study = config.read(Path(__file__).parents[2] / "config.yaml")
    for name in study.experiments["accuracy"].methods:
        assert paper.accuracy(name, "agnews") is not None, name
    assert set(paper.table()["row"]) == set(study.experiments["accuracy"].methods)


def test_iterations_times_cost_is_the_total_of_table_4() -> None:
    numbers = (
        paper.table().query("table == '4'").pivot(index="row", columns="column", values="value")
    )
    product = numbers["tflops-per-iteration"] * numbers["iterations-until-convergence"]
    assert (product / numbers["tflops-until-convergence"]).between(0.99, 1.01).all()
