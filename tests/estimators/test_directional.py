"""Backprop, forward mode and zeroth order against exact gradients, in float64."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from gradcost.estimators import Params, load
from gradcost.estimators.directions import Directions
from tests.estimators.problems import exact, flat, inner, problem, smooth

DRAW = Directions().draw


@given(seed=st.integers(0, 10_000), n=st.integers(1, 6), at_once=st.integers(1, 6))
@settings(max_examples=25, deadline=None)
def test_the_projections_of_forward_mode_are_directional_derivatives(seed, n, at_once):
    loss, params, truth = exact(seed)
    estimator = load("forward-mode", perturbations=n, at_once=at_once)
    found, _ = estimator.estimate(loss, params, estimator.init(params), seed)
    drawn = [DRAW(params, seed, index) for index in range(n)]
    expected = torch.stack([inner(truth.gradient, v) for v in drawn])
    torch.testing.assert_close(found.projections, expected, rtol=1e-10, atol=1e-12)
    for name in params:
        mean = sum(p * v[name] for p, v in zip(expected, drawn, strict=True)) / n
        torch.testing.assert_close(found.gradient[name], mean, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(found.loss, truth.loss)


@given(seed=st.integers(0, 10_000), n=st.integers(1, 6), at_once=st.integers(1, 6))
@settings(max_examples=25, deadline=None)
def test_central_differences_are_forward_mode_up_to_epsilon_squared(seed, n, at_once):
    loss, params, _ = exact(seed)
    forward, _ = load("forward-mode", perturbations=n).estimate(loss, params, (), seed)

    def error(epsilon: float) -> float:
        estimator = load("zeroth-order", epsilon=epsilon, perturbations=n, at_once=at_once)
        found, _ = estimator.estimate(loss, params, (), seed)
        return float((found.projections - forward.projections).norm())

    coarse, fine = error(1e-2), error(1e-3)
    # quadratic: a tenth of the step, a hundredth of the error, down to rounding
    assert fine <= coarse / 80 + 1e-10


def test_the_error_of_central_differences_is_that_of_the_third_derivative():
    # f(x) = x^3 along v: [(x+ev)^3 - (x-ev)^3] / 2e - 3 x^2 v = e^2 v^3
    params = {"x": torch.tensor([2.0], dtype=torch.float64)}
    v = DRAW(params, 7, 0)["x"]
    found, _ = load("zeroth-order", epsilon=0.1).estimate(
        lambda p: p["x"].pow(3).sum(), params, (), 7
    )
    torch.testing.assert_close(found.projections, 12 * v + 0.01 * v**3)


@pytest.mark.parametrize(
    ("kind", "extra"), [("forward-mode", {}), ("zeroth-order", {"epsilon": 1e-5})]
)
def test_the_mean_is_the_gradient_and_the_variance_that_of_the_lemmas(kind, extra):
    """E[g] = grad f and E|g - grad f|^2 = (d + 1)/n |grad f|^2 (Lemmas I.3 to I.6)."""
    loss, params, truth = exact(3)
    size = sum(value.numel() for value in params.values())
    gradient = flat(truth.gradient)
    n, draws = 2, 4000
    estimator = load(kind, perturbations=n, at_once=n, **extra)
    found = torch.stack(
        [flat(estimator.estimate(loss, params, (), seed)[0].gradient) for seed in range(draws)]
    )
    standard_error = found.std(0) / math.sqrt(draws)
    assert ((found.mean(0) - gradient).abs() < 5 * standard_error).all()
    squares = (found - gradient).pow(2).sum(1)
    expected = (size + 1) / n * gradient.pow(2).sum()
    assert abs(squares.mean() - expected) < 5 * squares.std() / math.sqrt(draws)


@pytest.mark.parametrize("kind", ["backprop", "forward-mode", "zeroth-order"])
def test_an_estimate_changes_no_parameter(kind):
    loss, params, _ = exact(1)
    before = {name: value.detach().clone() for name, value in params.items()}
    load(kind).estimate(loss, params, (), 5)
    assert all(torch.equal(params[name], before[name]) for name in params)


@pytest.mark.parametrize(("n", "at_once", "calls"), [(1, 1, 1), (4, 1, 4), (4, 2, 2), (5, 2, 3)])
def test_forward_mode_evaluates_the_loss_once_for_each_group_of_directions(n, at_once, calls):
    params, matrix = problem(2)
    count = 0

    def counted(values: Params) -> Tensor:
        nonlocal count
        count += 1
        return smooth(matrix)(values)

    load("forward-mode", perturbations=n, at_once=at_once).estimate(counted, params, (), 0)
    assert count == calls
    count = 0
    load("zeroth-order", perturbations=n, at_once=at_once).estimate(counted, params, (), 0)
    assert count == 2 * calls
    count = 0
    load("zeroth-order", perturbations=n, at_once=at_once, difference="one-sided").estimate(
        counted, params, (), 0
    )
    assert count == 1 + calls


def test_one_sided_differences_have_an_error_of_the_first_order():
    loss, params, truth = exact(5)
    v = DRAW(params, 9, 0)

    def error(epsilon: float) -> float:
        one_sided = load("zeroth-order", epsilon=epsilon, difference="one-sided")
        found, _ = one_sided.estimate(loss, params, (), 9)
        torch.testing.assert_close(found.loss, truth.loss)
        return float(abs(found.projections[0] - inner(truth.gradient, v)))

    assert error(1e-4) == pytest.approx(error(1e-3) / 10, rel=0.05)


def test_a_loss_that_ignores_the_parameters_is_an_error():
    params, _ = problem(0)
    with pytest.raises(RuntimeError, match="does not depend on the parameters"):
        load("forward-mode").estimate(lambda _: torch.ones(()), params, (), 0)
    with pytest.raises(ModuleNotFoundError):
        load("second-order")
    with pytest.raises(TypeError, match="perturbation"):
        load("forward-mode", perturbation=3)


@pytest.mark.parametrize(
    "mixed",
    [
        lambda w, x: w * x,
        lambda w, x: x * w,
        lambda w, x: torch.mul(w, x),
        lambda w, x: w + x,
        lambda w, x: torch.add(x, w, alpha=3),
        lambda w, x: torch.add(x, w),
        lambda w, x: w[0] + x,  # broadcast
        lambda w, x: x[:1] * w[:, :1],
        lambda w, x: w * (x > 0),
        lambda w, x: 2 * w + 1,
        lambda w, x: (w + x).add_(w).mul_(x),
        lambda w, x: w.float() * x,
    ],
)
def test_sums_and_products_with_one_tangent_have_the_right_one(mixed):
    generator = torch.Generator().manual_seed(0)
    params = {"w": torch.randn(3, 4, generator=generator, dtype=torch.float64)}
    x = torch.randn(3, 4, generator=generator, dtype=torch.float64)

    def loss(values: Params) -> Tensor:
        return (mixed(values["w"], x).double() ** 3 + values["w"].sum()).sum()

    truth, _ = load("backprop").estimate(loss, params, (), 0)
    found, _ = load("forward-mode").estimate(loss, params, (), 3)
    v = DRAW(params, 3, 0)
    torch.testing.assert_close(found.projections[0], inner(truth.gradient, v), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(found.loss, truth.loss)
