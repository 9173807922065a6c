"""Files of what was verified: faults are named, and statements get the worst of their verdicts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gradcost.results.theory import FILE, Theory, statements, verdict
from tests.results.synthetic_theory import check, results, theory


def test_checks_and_series_are_found_by_name(tmp_path: Path) -> None:
    data = theory(tmp_path)
    found = data.check("lemma-i3/unbiased")
    assert found is not None
    assert (found.predicted, found.covered) == (2.2, False)
    assert data.check("lemma-i2/nothing") is None
    assert [one.id for one in data.below("theorem-i9", "table-2")] == [
        "theorem-i9/anisotropic/n-1",
        "table-2/epsilon",
    ]
    assert set(data.series("rounding")) == {"float64", "float32", "bfloat16"}
    assert set(data.series("variance/dimension")) == {"forward-mode", "zeroth-order"}
    assert data.series("round") == {}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"holds": "perhaps"}, "checks.0.holds"),
        ({"high": None}, "an interval has two ends"),
        ({"measured": 7.0}, "not within its interval"),
        ({"n": None}, "of a number of draws"),
        ({"printed": "1"}, None),  # a number that was written as text is a number
        ({"surprise": 1}, "checks.0.surprise"),
        ({"predicted": None}, "checks.0.predicted"),
    ],
)
def test_faults_are_named(tmp_path: Path, change: dict[str, Any], said: str | None) -> None:
    path = tmp_path / FILE
    path.write_text(json.dumps(results(checks=[check("a", **change)])))
    if said is None:
        assert Theory.load(path).checks[0].printed == 1.0
        return
    with pytest.raises(ValueError, match=said) as error:
        Theory.load(path)
    assert str(path) in str(error.value)


def test_numbers_that_are_none_are_refused(tmp_path: Path) -> None:
    path = tmp_path / FILE
    path.write_text(json.dumps(results(checks=[check("a", predicted=float("inf"))])))
    with pytest.raises(ValueError, match="predicted"):
        Theory.load(path)


def test_bounds_and_exact_values_have_nothing_to_cover(tmp_path: Path) -> None:
    data = theory(
        tmp_path,
        checks=[check("a", bound=True), check("b", low=None, high=None), check("c")],
    )
    assert [one.covered for one in data.checks] == [None, None, True]


def test_a_statement_has_the_worst_verdict_of_its_checks(tmp_path: Path) -> None:
    same = {"statement": "the same"}
    kinds = ("as printed", "with a correction", "not", "as printed")
    data = theory(
        tmp_path,
        checks=[check(f"c{i}", holds=kind, **same) for i, kind in enumerate(kinds[:2])]
        + [check("d", holds="not", statement="another"), check("e", holds=kinds[3], **same)],
    )
    found = statements(data.checks)
    assert [len(one) for one in found.values()] == [3, 1]
    assert [verdict(one) for one in found.values()] == ["with a correction", "not"]
