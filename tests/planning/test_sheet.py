"""Sheets of prices."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gradcost.planning import sheet
from gradcost.results.accounting import Accounting
from gradcost.results.accounting import Sheet as Checked
from gradcost.study import architectures, config, runs

pytestmark = pytest.mark.xdist_group("sheet")

ROOT = Path(__file__).parents[2]
SHAPE = {
    "model_type": "llama", "vocab_size": 64, "hidden_size": 32, "num_hidden_layers": 2,
    "num_attention_heads": 4, "intermediate_size": 64,
}  # fmt: skip
METHODS = ["bp-nested", "zo-multiple", "fmad-svrg", "zo-sparse"]


@pytest.fixture(scope="module")
def spec(tmp_path_factory) -> dict:
    path = tmp_path_factory.mktemp("tiny") / "config.json"
    path.write_text(json.dumps(SHAPE))
    asked = config.Sheet(
        title="Tiny", architecture=str(path), methods=METHODS, batch=3, length=16, layers=[2, 4],
        ranks=[1, 2], directions=[2],
    )  # fmt: skip
    return runs.sheet_spec(config.read(ROOT / "config.yaml"), "tiny", asked)


@pytest.fixture(scope="module")
def made(spec) -> dict:
    # no batch of two fits into the smaller card, and any of the tests into the larger
    return sheet.make(spec, 1, tell=lambda text: None, cards={"small": 10e3, "large": 5e6})


def test_there_is_a_row_for_each_depth_rank_method_and_way(made):
    found = [(row["layers"], row["rank"], row["method"], row["at_once"]) for row in made["rows"]]
    ways = [(name, many) for name in METHODS for many in ([1, 2] if "multiple" in name else [1])]
    assert found == [
        (layers, rank, name, many) for layers in (2, 4) for rank in (1, 2) for name, many in ways
    ]


def test_the_closed_form_is_what_is_counted(made):
    for row in made["rows"]:
        expected = row["closed_form_flops"]
        if row["method"] == "zo-sparse":
            assert expected is None
        else:
            assert row["step_flops"] == pytest.approx(expected, rel=1e-3)


def test_several_processes_find_the_same(spec, made):
    told = []
    cards = {"small": 10e3, "large": 5e6}
    assert sheet.make(spec, 2, tell=told.append, cards=cards) == made
    assert len(told) == len(made["rows"])


def test_the_largest_batch_fits_and_one_more_does_not(spec, made):
    for row in made["rows"][:3]:
        largest = row["largest_batch"]["large"]
        assert largest > 3
        assert row["largest_batch"]["small"] == 0
        for batch, fits in ((largest, True), (largest + 1, False)):
            one = [entry for entry in spec["methods"] if entry["name"] == row["method"]]
            again = spec | {"batch": batch, "layers": [2], "ranks": [1], "methods": one}
            rows = sheet.make(again, 1, tell=lambda text: None)["rows"]
            same = next(found for found in rows if found["at_once"] == row["at_once"])
            assert (same["peak_bytes"] <= 5e6) is fits


def test_a_sheet_is_what_tables_and_figures_read(made):
    data = Accounting.of([Checked.model_validate(made)])
    assert len(data.rows) == len(made["rows"])
    assert data.growth("tiny", "bp-nested", "layers", "peak_activations")


def test_targets_that_no_linear_has_are_an_error(spec):
    with pytest.raises(ValueError, match="no linear of llama that takes adapters is called query"):
        sheet.make(spec | {"targets": ["query"]}, 1)


@pytest.mark.parametrize("name", architectures.names())
def test_every_shipped_architecture_can_be_priced(name):
    """One layer of it, at full width."""
    asked = config.Sheet(
        title=name, architecture=name, methods=["bp-checkpointing", "zo-vanilla", "fmad-vanilla"],
        batch=4, length=64, layers=[1],
    )  # fmt: skip
    spec = runs.sheet_spec(config.read(ROOT / "config.yaml"), name, asked)
    bp, zo, fmad = sheet.make(spec, 1, tell=lambda text: None)["rows"]
    for row in (bp, zo, fmad):
        assert row["step_flops"] == pytest.approx(row["closed_form_flops"], rel=1e-3)
    assert zo["peak_bytes"] < fmad["peak_bytes"]
    assert fmad["step_flops"] <= 1.02 * zo["step_flops"]
