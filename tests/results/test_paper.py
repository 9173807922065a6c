"""The transcription of the paper's tables: counts, spot checks, and its own consistency."""

from __future__ import annotations

from pathlib import Path

import pytest

from gradcost.results import paper
from gradcost.study import config


def test_every_cell_of_the_tables_is_there_once() -> None:
    numbers = paper.table()
    assert numbers.groupby("table").size().to_dict() == {
        "3": 17 * 7, "4": 6 * 3, "4.4": 8, "4.5": 1, "9": 16 * 7, "12": 1 + 5,
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
        ("12", "bp-checkpointing", "memory", 11.66),
        ("4.4", "zo-vanilla", "activations", 1.26),
        ("4.4", "bp-checkpointing", "memory-below-fmad-most", 1.3),
        ("4.5", "fmad-multiple", "computation-over-bp", 20),
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
    # which is the study's own
    names = set(study.experiments["accuracy"].methods) - {"no-finetuning-words"}
    for name in names:
        assert paper.accuracy(name, "agnews") is not None, name
    assert set(paper.table()["row"]) == names


def test_iterations_times_cost_is_the_total_of_table_4() -> None:
    numbers = (
        paper.table().query("table == '4'").pivot(index="row", columns="column", values="value")
    )
    product = numbers["tflops-per-iteration"] * numbers["iterations-until-convergence"]
    assert (product / numbers["tflops-until-convergence"]).between(0.99, 1.01).all()


def test_memory_agrees_with_the_ratios_in_the_text() -> None:
    """To the digits that they are given with."""
    assert paper.memory("mezo") is None
    peak, zeroth = paper.memory("bp-checkpointing"), paper.memory("zo-vanilla")
    assert peak is not None
    assert zeroth is not None
    assert round(peak / zeroth, 1) == paper.number("4.4", "bp-checkpointing", "memory-over-zo-most")
    streams = [paper.number("4.4", one, "activations") for one in ("fmad-vanilla", "zo-vanilla")]
    most = paper.number("4.4", "fmad-vanilla", "activations-over-zo-most")
    assert streams[0] is not None
    assert streams[1] is not None
    assert round(streams[0] / streams[1], 1) == most
