"""Zeroth-order SGD in place against the estimator that it follows."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gradcost.estimators import directions, load
from gradcost.estimators.directions import Directions
from tests.counters import MemoryAbove
from tests.estimators.problems import exact, flat


def step(loss, params, *, seed=5, learning_rate=0.1, weight_decay=0.0, sign=False, **changes):
    moved = {name: value.detach().clone() for name, value in params.items()}
    found = load("zeroth-order-in-place", **changes).step(
        lambda: loss(moved), moved, seed, learning_rate, weight_decay, sign
    )
    return found, moved


@given(
    seed=st.integers(0, 10_000),
    n=st.integers(1, 4),
    difference=st.sampled_from(["central", "one-sided"]),
    decay=st.sampled_from([0.0, 0.1]),
    law=st.sampled_from(["normal", "uniform", "rademacher"]),
    sign=st.booleans(),
)
@settings(max_examples=40, deadline=None)
def test_a_step_in_place_is_that_of_the_estimator_up_to_rounding(
    seed, n, difference, decay, law, sign
):
    loss, params, _ = exact(seed)
    same = {"perturbations": n, "difference": difference, "directions": {"distribution": law}}
    expected, _ = load("zeroth-order", **same).estimate(loss, params, (), 5)
    found, moved = step(loss, params, weight_decay=decay, sign=sign, **same)
    torch.testing.assert_close(found.projections, expected.projections, rtol=1e-8, atol=1e-9)
    torch.testing.assert_close(found.loss, expected.loss)
    gradient = flat(expected.gradient)
    torch.testing.assert_close(found.gradient_norm.double(), gradient.norm(), rtol=1e-5, atol=0)
    update = gradient.sign() if sign else gradient
    weights = (1 - 0.1 * decay) * flat(params) - 0.1 * update
    torch.testing.assert_close(flat(moved), weights, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize(
    ("n", "difference", "draws"),
    [(1, "central", 3), (1, "one-sided", 2), (4, "central", 15), (4, "one-sided", 11)],
)
def test_a_direction_is_drawn_at_most_three_times(n, difference, draws, monkeypatch):
    loss, params, _ = exact(0)
    count = 0
    fill = Directions._fill

    def counted(self, block, rng):
        nonlocal count
        count += len(block)
        fill(self, block, rng)

    monkeypatch.setattr(Directions, "_fill", counted)
    step(loss, params, perturbations=n, difference=difference)
    assert count == draws * 11


def test_a_step_takes_the_memory_of_inference_and_a_block(monkeypatch):
    monkeypatch.setattr(directions, "BLOCK", 1000)
    params = {f"w{index}": torch.randn(300, 300) for index in range(4)}

    def loss():
        x = torch.ones(300)
        for weight in params.values():
            x = torch.tanh(weight @ x)
        return x.sum()

    with MemoryAbove(params.values()) as inference:
        loss()
    with MemoryAbove(params.values()) as memory:
        load("zeroth-order-in-place").step(loss, params, 3, 1e-3)
    weights = 4 * 4 * 300 * 300
    assert weights + memory.peak <= 1.05 * (weights + inference.peak)


@pytest.mark.parametrize(
    "law", [{"distribution": "sphere"}, {"distribution": "low-rank"}, {"normalise": True}]
)
def test_directions_that_are_known_as_a_whole_alone_are_refused(law):
    with pytest.raises(ValueError, match="piece by piece"):
        load("zeroth-order-in-place", directions=law)
