"""Means, exponents and runs: what they are of, and that the estimators are the study's own."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gradcost.estimators.backprop import Backprop
from gradcost.estimators.forward_mode import ForwardMode
from gradcost.estimators.zeroth_order import ZerothOrder
from gradcost.theory.functions import Quadratic, Waves
from gradcost.theory.sampling import (
    Measured,
    descend,
    directions,
    estimates,
    exponent,
    mean,
    ratio,
    runs,
    seed,
)

W = torch.linspace(0.2, 1.4, 6, dtype=torch.float64)


@pytest.mark.parametrize("kind", [ForwardMode, ZerothOrder])
@pytest.mark.parametrize("n", [1, 3])
def test_estimates_are_what_the_estimator_gives(kind: type, n: int) -> None:
    estimator = kind(perturbations=n)
    drawn = [
        [estimator.directions.draw({"w": W}, step, index)["w"] for index in range(n)]
        for step in range(4)
    ]
    vectors = torch.stack([v for step in drawn for v in step])
    expected = torch.stack(
        [estimator.estimate(Waves(), {"w": W}, (), step)[0].gradient["w"] for step in range(4)]
    )
    assert torch.allclose(estimates(estimator, Waves(), W, vectors, n), expected, atol=1e-12)


def test_directions_are_normal_and_follow_from_their_name() -> None:
    v = directions("a name", 40_000, 3)
    assert torch.equal(v, directions("a name", 40_000, 3))
    assert not torch.equal(v, directions("another", 40_000, 3))
    assert torch.allclose(v.T @ v / len(v), torch.eye(3, dtype=torch.float64), atol=0.03)
    assert float((v**4).mean()) == pytest.approx(3, abs=0.1)
    assert seed("a name") == seed("a name") != seed("another")


@given(power=st.floats(-4, 4), factor=st.floats(0.1, 10))
def test_exponents_of_power_laws_are_exact(power: float, factor: float) -> None:
    x = [0.1, 0.3, 1.0, 5.0]
    assert exponent(x, [factor * one**power for one in x]).value == pytest.approx(power, abs=1e-9)


def test_an_exponent_has_the_interval_that_its_points_give_it() -> None:
    x = [1.0, 2.0, 4.0]
    points = [Measured(one, one * 0.9, one * 1.1, 100) for one in x]
    found = exponent(x, points)
    # (log y_3 - log y_1) / log 4
    assert found.half_width == pytest.approx(
        0.1 * 2**0.5 / torch.tensor(4.0).log().item(), rel=1e-6
    )
    assert found.n == 100
    assert exponent(x, [*points[:2], 4.0]).high is None


def test_intervals_of_means_and_ratios_hold_the_truth_as_often_as_they_say() -> None:
    draws = directions("coverage", 400, 200)
    held = [(one := mean(row + 5)).low <= 5 <= one.high for row in draws]  # type: ignore[operator]
    assert 0.9 < sum(held) / len(held) < 0.99
    held = [
        (one := ratio(3 * (row + 9) + other, row + 9)).low <= 3 <= one.high  # type: ignore[operator]
        for row, other in zip(draws[::2], draws[1::2], strict=True)
    ]
    assert 0.88 < sum(held) / len(held) < 1


def test_backpropagation_descends_as_by_hand() -> None:
    function, eta = Quadratic.isotropic(3), 0.25
    run = descend(function, torch.ones(3, dtype=torch.float64), eta, 4)
    expected = [1.5 * (1 - eta) ** (2 * t) for t in range(5)]
    assert run.values.tolist() == pytest.approx(expected)
    assert run.norms.tolist() == pytest.approx([2 * value for value in expected])
    found = runs(Backprop(), function, torch.ones(3, dtype=torch.float64), eta, 4, "", 2)
    assert torch.equal(found.values[0], found.values[1])


@pytest.mark.parametrize("kind", [ForwardMode, ZerothOrder])
def test_runs_differ_from_one_another_and_have_the_law_that_they_should(kind: type) -> None:
    estimator, function = kind(2, 2), Quadratic.isotropic(6)
    start = torch.ones(6, dtype=torch.float64)
    values = runs(estimator, function, start, 0.1, 3, "runs", 200).values
    assert values.shape == (200, 4)
    assert len(set(values[:, -1].tolist())) == 200
    found = mean(values[:, -1])
    assert abs(found.value - 3 * (1 - 0.2 + 0.01 * (1 + 7 / 2)) ** 3) < 2.2 * found.half_width


def test_a_step_side_by_side_is_that_of_the_estimator() -> None:
    estimator, function = ZerothOrder(2, 2), Waves()
    values = runs(estimator, function, W, 0.1, 1, "runs", 5).values
    step = estimates(estimator, function, W, directions("runs 0", 5, 2, 6).flatten(0, 1), 2)
    expected = torch.stack([function({"w": W - 0.1 * g}) for g in step])
    assert torch.allclose(values[:, 1], expected)
