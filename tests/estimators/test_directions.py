"""Random directions: their laws, and that they can be drawn again."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from gradcost.estimators import Params, directions, load
from gradcost.estimators.directions import Directions
from tests.estimators.problems import D, exact, flat, problem

LAWS = ["normal", "uniform", "rademacher", "sphere", "low-rank"]
# fourth moments decide the variance of the estimate: Var / |grad f|^2 at variance 1
VARIANCES = {"normal": D + 1, "uniform": D - 0.2, "rademacher": D - 1, "sphere": D - 1}


def test_directions_differ_between_indices_and_seeds_and_repeat_otherwise():
    params, _ = problem(0)

    def one(seed: int, index: int) -> Tensor:
        return flat(Directions().draw(params, seed, index))

    assert torch.equal(one(3, 1), one(3, 1))
    assert not torch.equal(one(3, 1), one(3, 2))
    assert not torch.equal(one(3, 1), one(4, 1))


@pytest.mark.parametrize("law", LAWS)
def test_a_direction_depends_on_neither_precision_nor_order_of_the_parameters(law):
    params, _ = problem(0)
    single = {name: params[name].float() for name in reversed(list(params))}
    double = Directions(law).draw(params, 11, 4)
    for name, value in Directions(law).draw(single, 11, 4).items():
        torch.testing.assert_close(value.double(), double[name], rtol=1e-6, atol=0)


@given(
    sizes=st.lists(st.integers(0, 70), min_size=1, max_size=6).filter(sum),
    block=st.integers(1, 40),
    law=st.sampled_from(["normal", "uniform", "rademacher"]),
)
@settings(max_examples=40, deadline=None)
def test_the_pieces_of_a_direction_make_up_the_whole(sizes, block, law):
    params = {f"p{index}": torch.zeros(size) for index, size in enumerate(sizes)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(directions, "BLOCK", block)
        whole = Directions(law).draw(params, 1, 2)
        again = {name: torch.full_like(value, math.nan) for name, value in params.items()}
        for name, part, numbers in Directions(law).pieces(params, 1, 2):
            assert len(numbers) <= block
            again[name][part] = numbers
    for name in params:
        assert torch.equal(whole[name], again[name])


@pytest.mark.parametrize("law", LAWS)
def test_components_have_mean_zero_and_the_given_variance(law):
    params = {"matrix": torch.zeros(300, 400), "vector": torch.zeros(500)}
    drawn = [flat(Directions(law, variance=4.0).draw(params, 5, index)) for index in range(20)]
    values = torch.stack(drawn)
    # entries of a low-rank matrix are uncorrelated but not independent: wider limits
    count = values.numel() if law != "low-rank" else 20 * 500
    assert abs(values.mean()) < 5 * 2 / math.sqrt(count)
    assert abs(values.var() - 4) < 5 * 4 * math.sqrt(8 / count)
    if law == "rademacher":
        assert set(values.unique().tolist()) == {-2.0, 2.0}
    if law == "uniform":
        assert values.abs().max() <= math.sqrt(12)
    if law == "sphere":
        torch.testing.assert_close(values.norm(dim=1), torch.full((20,), 2 * math.sqrt(120_500)))


@pytest.mark.parametrize("law", ["normal", "uniform"])
def test_normalised_directions_have_length_one(law):
    params, _ = problem(1)
    drawn = Directions(law, variance=9.0, normalise=True).draw(params, 3, 0)
    torch.testing.assert_close(directions.length(drawn), torch.tensor(1.0))


def test_low_rank_directions_have_that_rank_and_cannot_come_in_pieces():
    params = {"matrix": torch.zeros(12, 9)}
    law = Directions("low-rank", rank=2)
    assert torch.linalg.matrix_rank(law.draw(params, 0, 0)["matrix"]) == 2
    with pytest.raises(ValueError, match="piece by piece"):
        next(law.pieces(params, 0, 0))


def estimates(law: Directions, draws: int = 4000) -> tuple[Tensor, Tensor]:
    """Forward gradients along `draws` directions, and the gradient."""
    loss, params, truth = exact(3)
    estimator = load("forward-mode", perturbations=1, at_once=1)
    estimator = type(estimator)(directions=law)
    found = [flat(estimator.estimate(loss, params, (), seed)[0].gradient) for seed in range(draws)]
    return torch.stack(found), flat(truth.gradient)


@pytest.mark.parametrize("law", LAWS)
def test_every_law_is_unbiased_and_has_the_variance_of_its_fourth_moments(law):
    found, gradient = estimates(Directions(law))
    assert ((found.mean(0) - gradient).abs() < 5 * found.std(0) / math.sqrt(len(found))).all()
    squares = (found - gradient).pow(2).sum(1)
    expected = VARIANCES.get(law)
    if expected is None:  # a matrix of low rank: greater than that of independent entries
        assert squares.mean() > VARIANCES["normal"] * gradient.pow(2).sum()
    else:
        error = abs(squares.mean() - expected * gradient.pow(2).sum())
        assert error < 5 * squares.std() / math.sqrt(len(squares))


def test_the_variance_of_directions_scales_the_estimate_and_normalising_divides_by_d():
    found, gradient = estimates(Directions(variance=4.0))
    assert ((found.mean(0) - 4 * gradient).abs() < 5 * found.std(0) / math.sqrt(len(found))).all()
    found, gradient = estimates(Directions(normalise=True))
    error = (found.mean(0) - gradient / D).abs()
    assert (error < 5 * found.std(0) / math.sqrt(len(found))).all()


def test_directions_of_any_covariance_can_be_written_as_a_subclass():
    class Scaled(Directions):
        def draw(self, params: Params, seed: int, index: int) -> dict[str, Tensor]:
            drawn = super().draw(params, seed, index)
            return drawn | {"a": 3 * drawn["a"]}

    found, gradient = estimates(Scaled())
    covariance = torch.cat([torch.full((5,), 9.0), torch.full((6,), 1.0)])
    error = (found.mean(0) - covariance * gradient).abs()
    assert (error < 5 * found.std(0) / math.sqrt(len(found))).all()
