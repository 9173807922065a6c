"""Sheets of prices: faults are named, and growth is told by its law."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gradcost.results.accounting import CATEGORIES, ON_DEVICE, Accounting, front, growth, row
from tests.results.synthetic_accounting import BOUNDARY, INSIDE, accounting, sheet, sheets, step


def test_sheets_become_one_tidy_table(tmp_path: Path) -> None:
    data = accounting(tmp_path)
    assert len(data.rows) == sum(len(one["rows"]) for one in sheets())
    assert {f"peak_{name}" for name in CATEGORIES} <= set(data.rows.columns)
    on_device = data.rows[[f"peak_{name}" for name in ON_DEVICE]].sum(axis=1)
    assert (on_device == data.rows["peak_bytes"]).all()
    facts = data.sheet("llama-3.1-8b")
    assert facts is not None
    assert (facts.batch, facts.label) == (40, "LLaMA 3.1 (8B)")
    assert data.sheet("llama-4") is None
    assert data.step("llama-3.1-8b", "zo-svrg") is None


def test_directions_in_turn_and_together_are_told_apart(tmp_path: Path) -> None:
    data = accounting(tmp_path)
    for together, name in (
        (False, "ZO-Multiple (10 in turn)"),
        (True, "ZO-Multiple (10 together)"),
    ):
        found = data.step("llama-3.1-8b", "zo-multiple", together=together)
        assert found is not None
        assert found["name"] == name
    cheapest = data.cheapest("llama-3.1-8b", "fmad-multiple")
    assert cheapest is not None
    assert cheapest["at_once"] == 10
    assert cheapest["forward_equivalents"] == pytest.approx(11)
    published = data.as_published("llama-3.1-8b", "fmad-multiple")
    assert published is not None
    assert row(published).published
    same = data.as_published("llama-3.1-8b", "zo-vanilla")
    assert same is not None
    assert same["method"] == "zo-vanilla"
    assert data.as_published("llama-3.1-8b", "bp-vanilla") is None


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (lambda one: one.pop("batch"), "batch: Field required"),
        (lambda one: one["rows"][0]["peak"].pop("states"), "rows.0.peak.states: Field required"),
        (lambda one: one["rows"][0].update(family="sgd"), "rows.0.family: "),
        (lambda one: one["rows"][0].update(step_flops=0), "rows.0.step_flops: "),
        (lambda one: one["rows"][0]["peak"].update(states=0), "rows.0: .*add up to"),
        (lambda one: one.update(rows=[]), "rows: "),
    ],
)
def test_a_fault_names_the_file_and_the_field(change: Any, part: str, tmp_path: Path) -> None:
    one = sheet("depth", "LLaMA", [step("bp-vanilla")])
    change(one)
    path = tmp_path / "faulty.json"
    path.write_text(json.dumps(one))
    with pytest.raises(ValueError, match=rf"faulty\.json is not a sheet of prices: {part}"):
        Accounting.load([path])


def test_files_that_are_no_sheets_are_named(tmp_path: Path) -> None:
    (tmp_path / "text.json").write_text("nothing")
    with pytest.raises(ValueError, match=r"text\.json is not a sheet"):
        Accounting.load([tmp_path / "text.json"])
    with pytest.raises(ValueError, match=r"none\.json is not a sheet"):
        Accounting.load([tmp_path / "none.json"])
    paths = [tmp_path / "a.json", tmp_path / "b.json"]
    for path in paths:
        path.write_text(json.dumps(sheet("depth", "LLaMA", [step("bp-vanilla")])))
    with pytest.raises(ValueError, match=r"b\.json: there is another sheet called depth"):
        Accounting.load(paths)


def test_what_the_sheets_have_beside_is_let_through(tmp_path: Path) -> None:
    one = sheet("depth", "LLaMA", [step("bp-vanilla") | {"total_parameters": 8}])
    data = accounting(tmp_path, one | {"optimizer": "adamw"})
    assert "total_parameters" not in data.rows


def test_no_sheet_is_an_empty_table() -> None:
    data = Accounting.load([])
    assert data.rows.empty
    assert data.growth("depth", "bp-vanilla", "layers", "above_weights") is None
    assert data.cheapest("llama-3.1-8b", "zo-vanilla") is None


@pytest.mark.parametrize(
    ("law", "of"),
    [
        ("constant", lambda x: 7 + 1e-4 * x),
        ("square root", lambda x: 7 + 2 * np.sqrt(x)),
        ("linear", lambda x: 70 + 2 * x),
        ("linear", lambda x: 2 * x),
        ("linear times logarithm", lambda x: 2 * x * np.log(x)),
    ],
)
def test_laws_are_known_by_their_numbers(law: str, of: Any) -> None:
    x = np.array([4.0, 9.0, 16.0, 25.0, 36.0])
    found = growth(list(x), list(of(x)))
    assert found is not None
    # a large constant hides a law from the exponent, but not from the fit
    assert found.law == law


def test_exponents_are_slopes_of_logarithms() -> None:
    for power in (0.5, 1.0, 2.0):
        found = growth([1, 2, 8], [3, 3 * 2**power, 3 * 8**power])
        assert found is not None
        assert found.exponent == pytest.approx(power)
    hidden = growth([4, 9, 16], [78, 88, 102])  # 70 + 2 x: the constant hides the law from it
    assert hidden is not None
    assert hidden.exponent < 0.2
    assert growth([2, 2], [1, 3]) is None
    assert growth([1, 2], [0, 3]) is None
    two = growth([1, 2], [1, 3])
    assert two is not None
    assert (two.law, two.each) == (None, 2)


def test_growth_of_the_policies(tmp_path: Path) -> None:
    data = accounting(tmp_path)
    laws = {
        method: data.growth("depth", method, "layers", "above_weights")
        for method in ("bp-vanilla", "bp-checkpointing", "bp-segments", "bp-nested", "zo-vanilla")
    }
    assert [one.law for one in laws.values() if one] == [
        "linear", "linear", "square root", "square root", "constant",
    ]  # fmt: skip
    every = laws["bp-checkpointing"]
    assert every is not None
    assert every.each == pytest.approx(BOUNDARY, rel=0.01)
    assert every.exponent < 0.5  # though it is linear: two insides outweigh the boundaries
    assert laws["bp-vanilla"] is not None
    assert laws["bp-vanilla"].each == pytest.approx(INSIDE, rel=0.01)


def test_the_front_has_what_nothing_else_betters(tmp_path: Path) -> None:
    steps = accounting(tmp_path).steps("llama-3.1-8b")
    found = front(steps)
    assert found["peak_bytes"].is_monotonic_increasing
    assert found["step_flops"].is_monotonic_decreasing
    assert len(found) < len(steps)
    for _, one in found.iterrows():
        better = steps[
            (steps["peak_bytes"] <= one["peak_bytes"])
            & (steps["step_flops"] <= one["step_flops"])
            & (
                (steps["peak_bytes"] < one["peak_bytes"])
                | (steps["step_flops"] < one["step_flops"])
            )
        ]
        assert better.empty
