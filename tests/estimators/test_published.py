"""The methods as the paper's public code runs them: each defect, shown."""

from __future__ import annotations

import pytest
import torch

from gradcost.estimators import load
from gradcost.estimators.directions import Directions
from tests.estimators.problems import Sum, exact, flat, inner, problem


@pytest.mark.parametrize("epsilon", [1e-2, 1e-3])
def test_the_zeroth_order_gradient_is_epsilon_times_the_estimate(epsilon):
    loss, params, _ = exact(1)
    same = {"epsilon": epsilon, "perturbations": 3}
    right, _ = load("zeroth-order", **same).estimate(loss, params, (), 4)
    wrong, _ = load("published-zeroth-order", **same).estimate(loss, params, (), 4)
    torch.testing.assert_close(wrong.projections, right.projections)
    torch.testing.assert_close(flat(wrong.gradient), epsilon * flat(right.gradient))


def test_adaptive_calibrates_by_the_smallest_slope_and_forgets_it():
    loss, params, truth = exact(2)
    estimator = load("published-adaptive", base=load("forward-mode"))
    found, state = estimator.estimate(loss, params, None, 0)
    drawn = [Directions().draw(params, 0, index) for index in range(4)]
    slopes = [inner(truth.gradient, v) for v in drawn]
    least = min(range(4), key=lambda index: abs(slopes[index]))
    torch.testing.assert_close(flat(found.gradient), slopes[least] * flat(drawn[least]))
    later, _ = estimator.estimate(loss, params, state, 1)
    plain, _ = load("forward-mode").estimate(loss, params, (), 1)
    assert torch.equal(flat(later.gradient), flat(plain.gradient))


def test_sparse_masks_each_tensor_and_takes_all_of_one_that_is_zero():
    params = {"lora_A": torch.randn(64, 4), "lora_B": torch.zeros(48, 4)}
    masks = load("published-sparse", base=load("forward-mode")).masks(params)
    assert masks["lora_A"].sum() == 3
    assert masks["lora_B"].all()


def test_zeroth_order_svrg_takes_the_snapshot_s_gradient_whatever_the_batch():
    params, _ = problem(4)
    estimator = load("published-svrg-zeroth-order", base=load("zeroth-order"))
    _, state = estimator.estimate(Sum(4, 5), params, estimator.init(params), 7)
    moved = {name: (value + 0.1).detach() for name, value in params.items()}
    for current in range(5):
        found, _ = estimator.estimate(Sum(4, 5, current), moved, state, 8 + current)
        torch.testing.assert_close(flat(found.gradient), flat(state[3]))


def test_forward_mode_svrg_starts_every_step_from_the_snapshot():
    params, _ = problem(4)
    estimator = load("published-svrg-forward-mode", base=load("forward-mode"))
    live = {name: value.detach().clone() for name, value in params.items()}
    state = estimator.init(live)
    for step in range(4):
        found, state = estimator.estimate(Sum(4, 5, step), live, state, step + 50)
        torch.testing.assert_close(flat(live), flat(params))
        for name, value in live.items():
            value -= 0.1 * found.gradient[name]
    # and its control variate looks along directions of its own
    here, there = (
        load("forward-mode").estimate(Sum(4, 5, 3), params, (), seed)[0].gradient
        for seed in (53, 0)
    )
    assert not torch.allclose(flat(here), flat(there))
