"""All that is verified comes out as derived; a wrong estimator does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gradcost.estimators.directions import Directions
from gradcost.estimators.forward_mode import ForwardMode
from gradcost.estimators.zeroth_order import ZerothOrder
from gradcost.results.theory import FILE, Theory
from gradcost.study.files import write_json
from gradcost.theory import floor, lemmas, verify

pytestmark = pytest.mark.xdist_group("theory")

AS_PRINTED = (
    "lemma-i3/mean", "lemma-i3/second-moment/d-32", "lemma-i4/variance/d-32-n-8", "lemma-i5/mean",
    "lemma-i6/variance/d-128-n-1", "theorem-i7/bound", "theorem-i7/descent",
    "theorem-i8/limit/d-32-n-1", "theorem-i9/limit/d-32-n-8", "theorem-i9/above/n-1",
    "theorem-i9/bound", "corollary-i10/time/zeroth-order",
)  # fmt: skip
CORRECTED = (
    "equation-64/order", "equation-65/order", "lemma-i3/unbiased", "lemma-i3/cross-term",
    "lemma-i3/equation-10", "lemma-i3/dimension", "theorem-i7/index", "theorem-i7/step",
    "theorem-i8/anisotropic/n-1", "theorem-i9/index", "theorem-i8/floor-step-size",
    "theorem-i8/floor-epsilon", "theorem-i8/bias", "corollary-i10/epsilon",
    "corollary-i10/example-100", "table-2/forward-mode",
)  # fmt: skip
REFUTED = {"theorem-i7/gap", "corollary-i10/lever"}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Theory:
    """All that is verified, by way of its file."""
    path = tmp_path_factory.mktemp("theory") / FILE
    write_json(path, verify.make())
    return Theory.load(path)


def test_every_measurement_is_what_the_right_statement_predicts(data: Theory) -> None:
    assert [check.id for check in data.checks if not check.explained] == []
    covered = [check.covered for check in data.checks if check.covered is not None]
    assert len(covered) > 50
    assert sum(covered) > 0.85 * len(covered)


def test_verdicts(data: Theory) -> None:
    verdicts = {check.id: check.holds for check in data.checks}
    assert {verdicts[name] for name in AS_PRINTED} == {"as printed"}
    assert {verdicts[name] for name in CORRECTED} == {"with a correction"}
    assert {name for name, verdict in verdicts.items() if verdict == "not"} == REFUTED


def test_what_is_corrected_says_how(data: Theory) -> None:
    for check in data.checks:
        assert (check.correction is None) == (check.holds == "as printed")


def test_the_anisotropic_limit_is_that_of_the_effective_dimension(data: Theory) -> None:
    check = data.check("theorem-i9/anisotropic/n-1")
    assert check is not None
    trace = sum(1 / i for i in range(1, 33))
    assert check.predicted == pytest.approx((32 + 2) / (trace + 2))
    assert check.measured == pytest.approx(check.predicted, rel=0.05)


def test_figures_find_their_series(data: Theory) -> None:
    for prefix, count in {"variance": 4, "step": 12, "epsilon": 2, "rounding": 3}.items():
        assert len(data.series(prefix)) == count


def test_the_same_numbers_come_out_again(data: Theory) -> None:
    again = {check.id: check.as_json()["measured"] for check in floor.verify().checks}
    assert again == {name: data.check(name).measured for name in again}  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "wrong",
    [
        {"forward-mode": ForwardMode(directions=Directions(variance=0.8))},
        {"zeroth-order": ZerothOrder(epsilon=0.8)},
        {"zeroth-order": ZerothOrder(epsilon=0.5, difference="one-sided")},
    ],
    ids=["variance", "epsilon", "one-sided"],
)
def test_a_wrong_estimator_is_found_out(
    wrong: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    estimator = next(iter(wrong.values()))
    plain = lemmas.directions

    def drawn(name: str, *shape: int) -> Any:
        return plain(name, *shape) * estimator.directions.variance**0.5

    monkeypatch.setattr(lemmas, "ESTIMATORS", {**lemmas.ESTIMATORS, **wrong})
    monkeypatch.setattr(lemmas, "directions", drawn)
    monkeypatch.setattr(lemmas, "DRAWN", 4_800)  # a multiple of every n
    checks = lemmas.verify().checks
    assert any(not check.agrees(check.predicted) for check in checks)


def test_a_file_of_results_is_complete(data: Theory, tmp_path: Path) -> None:
    write_json(tmp_path / FILE, data.results.model_dump())
    assert Theory.load(tmp_path / FILE) == data
