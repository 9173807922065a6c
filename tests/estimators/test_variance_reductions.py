"""Accumulate, adaptive, SVRG and sparse against their mathematics, in float64."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gradcost.estimators import Estimate, load
from gradcost.estimators.directions import Directions, length
from gradcost.estimators.sparse import count, largest
from tests.estimators.problems import D, Sum, exact, flat, inner, problem, smooth

BASES = ["backprop", "forward-mode", "zeroth-order"]
DIRECTIONAL = BASES[1:]


def wrapped(kind: str, base: str, **settings):
    return load(kind, base=load(base), **settings)


@pytest.mark.parametrize("base", BASES)
def test_accumulate_updates_along_the_mean_of_its_window(base):
    loss, params, _ = exact(1)
    estimator = wrapped("accumulate", base, window=3)
    state, found = estimator.init(params), []
    for seed in range(7):
        estimate, state = estimator.estimate(loss, params, state, seed)
        found.append(estimate)
    assert [estimate.due for estimate in found] == [False, False, True] * 2 + [False]
    each = [flat(load(base).estimate(loss, params, (), seed)[0].gradient) for seed in range(7)]
    torch.testing.assert_close(flat(found[2].gradient), torch.stack(each[:3]).mean(0))
    torch.testing.assert_close(flat(found[4].gradient), torch.stack(each[3:5]).mean(0))
    torch.testing.assert_close(flat(found[5].gradient), torch.stack(each[3:6]).mean(0))


@given(seed=st.integers(0, 10_000), base=st.sampled_from(DIRECTIONAL))
@settings(max_examples=20, deadline=None)
def test_calibration_keeps_the_direction_of_the_largest_projection(seed, base):
    loss, params, truth = exact(seed)
    small = {"epsilon": 1e-5} if base == "zeroth-order" else {}
    estimator = load("adaptive", base=load(base, **small), calibration=4)
    found, state = estimator.estimate(loss, params, estimator.init(params), seed)
    drawn = [Directions().draw(params, seed, index) for index in range(4)]
    slopes = [float(inner(truth.gradient, v)) for v in drawn]
    assert found.projections.tolist() == pytest.approx(slopes, rel=1e-4, abs=1e-4)
    best = max(range(4), key=lambda index: abs(slopes[index]))
    expected = slopes[best] * flat(drawn[best])
    torch.testing.assert_close(flat(found.gradient), expected, rtol=1e-4, atol=1e-4)
    # the estimate and what is remembered of it point uphill, at the length of a draw
    assert inner(truth.gradient, state) > 0
    torch.testing.assert_close(length(state), torch.tensor(math.sqrt(D)))


def test_adaptive_directions_mix_the_last_estimate_and_a_new_draw():
    loss, params, truth = exact(2)
    estimator = wrapped("adaptive", "forward-mode", momentum=0.8)
    _, state = estimator.estimate(loss, params, estimator.init(params), 0)
    z = Directions().draw(params, 1, 0)
    v = {name: 0.8 * state[name] + 0.6 * z[name] for name in params}
    found, after = estimator.estimate(loss, params, state, 1)
    assert found.projections.shape == (1,)
    torch.testing.assert_close(found.projections[0], inner(truth.gradient, v))
    torch.testing.assert_close(flat(found.gradient), found.projections[0] * flat(v))
    uphill = flat(v) * found.projections[0].sign()
    torch.testing.assert_close(flat(after), uphill * math.sqrt(D) / flat(v).norm())


def test_without_a_slope_the_adaptive_direction_stays_what_it_was():
    params, _ = problem(0)
    estimator = wrapped("adaptive", "forward-mode")
    _, state = estimator.estimate(lambda p: 0 * p["a"].sum(), params, None, 0)
    assert state is None
    loss, _, _ = exact(0)
    _, state = estimator.estimate(loss, params, None, 0)
    _, after = estimator.estimate(lambda p: 0 * p["a"].sum(), params, state, 1)
    assert torch.equal(flat(after), flat(state))


@pytest.mark.parametrize("base", BASES)
def test_svrg_returns_the_full_gradient_at_its_snapshot_whatever_the_batch(base):
    params, _ = problem(4)
    estimator = wrapped("svrg", base, snapshot_every=2)
    found = [
        estimator.estimate(Sum(4, 5, current), params, estimator.init(params), 7)[0]
        for current in (0, 3)
    ]
    torch.testing.assert_close(
        flat(found[0].gradient), flat(found[1].gradient), rtol=1e-12, atol=1e-13
    )
    if base == "backprop":
        torch.testing.assert_close(flat(found[0].gradient), Sum(4, 5).gradient(params))


@pytest.mark.parametrize("base", BASES)
def test_away_from_the_snapshot_svrg_corrects_the_batch_by_the_same_directions(base):
    params, _ = problem(4)
    estimator = wrapped("svrg", base)
    _, state = estimator.estimate(Sum(4, 5), params, estimator.init(params), 7)
    full = flat(state[3])
    moved = {name: (value + 0.1).detach() for name, value in params.items()}
    found = [estimator.estimate(Sum(4, 5, i), moved, state, 8)[0].gradient for i in (0, 3)]
    assert not torch.allclose(flat(found[0]), flat(found[1]))
    plain = load(base)
    here, there = (
        flat(plain.estimate(Sum(4, 5, 3), at, (), 8)[0].gradient) for at in (moved, params)
    )
    torch.testing.assert_close(flat(found[1]), here - there + full)


def test_svrg_tells_what_its_estimate_is_made_of():
    params, _ = problem(4)
    estimator = wrapped("svrg", "forward-mode")
    _, state = estimator.estimate(Sum(4, 5), params, estimator.init(params), 7)
    moved = {name: (value + 0.1).detach() for name, value in params.items()}
    found, _ = estimator.estimate(Sum(4, 5, 3), moved, state, 8)
    plain = load("forward-mode")
    here, there = (plain.estimate(Sum(4, 5, 3), at, (), 8)[0] for at in (moved, params))
    torch.testing.assert_close(found.projections, here.projections)
    torch.testing.assert_close(found.parts["snapshot_projections"], there.projections)
    norms = {"batch_gradient_norm": flat(here.gradient), "full_gradient_norm": flat(state[3])}
    for name, vector in norms.items():
        assert float(found.parts[name]) == pytest.approx(float(vector.norm()), rel=1e-6)


class Slopes:
    """Estimates with the given slopes along one direction, in turn."""

    def __init__(self, *slopes: float) -> None:
        self.left = [torch.tensor([slope], dtype=torch.float64) for slope in slopes]

    def init(self, params):
        return ()

    def estimate(self, loss, params, state, seed):
        slope = self.left.pop(0)
        return Estimate(torch.tensor(0.0), {"a": slope * torch.ones(3)}, slope), state


def stabilised(slopes, **settings):
    """What is left of estimates with these slopes."""
    params, _ = problem(0)
    estimator = load("stabilised", base=Slopes(*slopes), **settings)
    state, kept = estimator.init(params), []
    for _ in slopes:
        found, state = estimator.estimate(None, params, state, 0)
        kept.append(float(found.gradient["a"][0]))
    return kept


def test_a_spike_is_cut_to_a_multiple_of_what_slopes_were_like_and_raises_it_little():
    kept = stabilised([1.0, -1.0, 50.0, 50.0, -2.0], limit=3.0, decay=0.9)
    assert kept[:2] == [1.0, -1.0]
    assert kept[2] == pytest.approx(3.0, rel=1e-6)
    # three steps' squares, the last of them cut to 3: (0.81 + 0.9 + 9) / (0.81 + 0.9 + 1)
    assert kept[3] == pytest.approx(3 * math.sqrt(10.71 / 2.71), rel=1e-6)
    assert kept[4] == -2.0


def test_normalised_steps_are_of_one_length_whatever_the_loss_is_multiplied_by():
    slopes = [1.0, -2.0, 0.5, 1.5]
    kept = stabilised(slopes, how="normalise")
    scaled = stabilised([1e6 * slope for slope in slopes], how="normalise")
    assert kept == pytest.approx(scaled, rel=1e-5)


@pytest.mark.parametrize("how", ["clip", "normalise"])
def test_without_any_slope_nothing_is_divided_by_zero_and_nan_stays_nan(how):
    assert stabilised([0.0, 0.0], how=how) == [0.0, 0.0]
    assert math.isnan(stabilised([1.0, float("nan")], how=how)[1])


def test_svrg_takes_snapshots_at_the_beginning_of_every_so_many_epochs():
    params, _ = problem(4)
    estimator = wrapped("svrg", "forward-mode", snapshot_every=2)
    state, snapshots = estimator.init(params), []
    for step in range(13):
        at = {name: (value + step).detach() for name, value in params.items()}
        _, state = estimator.estimate(Sum(4, 3), at, state, step)
        snapshots.append(float(state[2]["a"][0] - params["a"].detach()[0]))
    assert [round(value) for value in snapshots] == [0] * 6 + [6] * 6 + [12]


def test_svrg_of_forward_gradients_is_unbiased():
    """E[g] = grad f_b(w) - grad f_b(s) + m, whose mean over batches is the gradient at w."""
    params, _ = problem(4)
    moved = {name: (value + 0.1).detach() for name, value in params.items()}
    loss = Sum(4, 3)
    estimator = wrapped("svrg", "forward-mode", snapshot_every=5)
    found = []
    for seed in range(700):
        _, state = estimator.estimate(loss, params, estimator.init(params), 3 * seed)
        for current in range(3):
            estimate, _ = estimator.estimate(Sum(4, 3, current), moved, state, 3 * seed + current)
            found.append(flat(estimate.gradient))
    values = torch.stack(found).view(700, 3, -1).mean(1)
    error = (values.mean(0) - loss.gradient(moved)).abs()
    assert (error < 5 * values.std(0) / math.sqrt(len(values))).all()


def test_svrg_needs_to_know_the_training_set():
    params, matrix = problem(0)
    with pytest.raises(TypeError, match="FiniteSumLoss"):
        wrapped("svrg", "forward-mode").estimate(smooth(matrix), params, ((), 0, {}, {}), 0)


@given(
    values=st.lists(st.integers(-3, 3), min_size=1, max_size=60),
    share=st.sampled_from([0.01, 0.07, 0.29, 0.5, 1.0]),
)
@settings(max_examples=100, deadline=None)
def test_masks_have_exactly_the_share_of_the_largest_entries_ties_or_not(values, share):
    size = torch.tensor(values, dtype=torch.float64)
    mask = largest(size, share)
    # in integers: ceil(share d) with the share in hundredths
    assert mask.sum() == count(share, len(values)) == -(-round(100 * share) * len(values) // 100)
    if (~mask).any():
        assert size[mask].abs().min() >= size[~mask].abs().max()


@pytest.mark.parametrize("base", DIRECTIONAL)
def test_sparse_estimates_stay_within_a_mask_that_is_chosen_anew(base):
    loss, params, truth = exact(6)
    estimator = wrapped("sparse", base, share=0.3)
    masks = estimator.masks(params)
    found, _ = estimator.estimate(loss, params, (), 3)
    mask = flat(masks)
    assert mask.sum() == 4
    assert (flat(found.gradient)[~mask] == 0).all()
    v = {name: masks[name] * value for name, value in Directions().draw(params, 3, 0).items()}
    slope = inner(truth.gradient, v)
    torch.testing.assert_close(found.projections[0], slope, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(flat(found.gradient), slope * flat(v), rtol=1e-4, atol=1e-5)
    grown = {name: value.detach().clone() for name, value in params.items()}
    grown["a"][int((~masks["a"]).nonzero()[0])] = 100.0
    assert not torch.equal(flat(estimator.masks(grown)), mask)


@pytest.mark.parametrize("kind", ["accumulate", "adaptive", "svrg", "sparse", "stabilised"])
def test_no_variance_reduction_changes_a_parameter(kind):
    params, _ = problem(1)
    before = flat(params)
    estimator = wrapped(kind, "forward-mode")
    state = estimator.init(params)
    for seed in range(3):
        _, state = estimator.estimate(Sum(1, 2), params, state, seed)
    assert torch.equal(flat(params), before)
