"""What is said to be known of the functions is so: by autograd and by exact quadrature."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gradcost.theory.functions import (
    Cubic,
    Function,
    HarmonicCubic,
    Kink,
    Quadratic,
    TiltedWaves,
    Waves,
)


def vector(*numbers: float) -> torch.Tensor:
    return torch.tensor(numbers, dtype=torch.float64)


FUNCTIONS = {
    "quadratic": Quadratic(vector(2.0, 0.5)),
    "waves": Waves(),
    "tilted": TiltedWaves(),
    "cubic": Cubic(vector(0.6, -0.8), vector(1.0, 2.0)),
    "harmonic": HarmonicCubic(0.7),
    "kink": Kink(vector(0.3, -1.0)),
}
SMOOTH = {name: FUNCTIONS[name] for name in ("quadratic", "waves", "tilted")}
# exact for polynomials of degree 2 x 24 - 1 in each number
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(24)
WEIGHTS = WEIGHTS / WEIGHTS.sum()
number = st.floats(-3, 3)
pair = st.tuples(number, number)


def normal(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Nodes (k, count) and weights (k,) of the mean over independent normal numbers."""
    nodes = torch.tensor(list(product(NODES, repeat=count)), dtype=torch.float64)
    weights = torch.tensor(list(product(WEIGHTS, repeat=count)), dtype=torch.float64).prod(1)
    return nodes, weights


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
@given(at=pair)
def test_gradients_are_those_of_autograd(function: Function, at: tuple[float, float]) -> None:
    w = vector(*at).requires_grad_()
    expected = torch.autograd.grad(function({"w": w}), w)[0]
    assert torch.allclose(function.gradient(w.detach()), expected, atol=1e-12)


@pytest.mark.parametrize("function", [*SMOOTH.values(), FUNCTIONS["kink"]])
@given(one=pair, other=pair)
def test_gradients_are_lipschitz_with_l(
    function: Function, one: tuple[float, float], other: tuple[float, float]
) -> None:
    smoothness = getattr(function, "smoothness", 1.0)
    a, b = vector(*one), vector(*other)
    apart = (function.gradient(a) - function.gradient(b)).norm()
    assert apart <= smoothness * (a - b).norm() + 1e-12


def test_no_smaller_l_would_do_for_the_tilted_waves() -> None:
    near = vector(-torch.pi / 6 - 1e-4), vector(-torch.pi / 6 + 1e-4)
    slope = (TiltedWaves().gradient(near[1]) - TiltedWaves().gradient(near[0])) / 2e-4
    assert float(slope) == pytest.approx(TiltedWaves.smoothness, abs=1e-6)


@settings(deadline=None)
@given(
    spectrum=st.tuples(st.floats(0.1, 3), st.floats(0.1, 3)),
    at=pair,
    eta=st.floats(0.01, 2),
    n=st.integers(1, 2),
)
def test_the_mean_of_a_step_is_exact(
    spectrum: tuple[float, float], at: tuple[float, float], eta: float, n: int
) -> None:
    function, w = Quadratic(vector(*spectrum)), vector(*at)
    # five nodes are enough for polynomials of degree 4 in each number
    nodes, weights = np.polynomial.hermite_e.hermegauss(5)
    grid = torch.tensor(list(product(nodes, repeat=2 * n)), dtype=torch.float64)
    mass = torch.tensor(list(product(weights / weights.sum(), repeat=2 * n)), dtype=torch.float64)
    v = grid.reshape(-1, n, 2)
    g = ((v @ function.gradient(w))[..., None] * v).mean(1)
    values = (function.spectrum * (w - eta * g).square()).sum(1) / 2
    expected = float(mass.prod(1) @ values)
    assert function.mean_of_step(w, eta, n) == pytest.approx(expected, rel=1e-9, abs=1e-9)


@given(d=st.integers(1, 20), n=st.integers(1, 9))
def test_the_isotropic_step_is_the_formula_of_the_report(d: int, n: int) -> None:
    eta = 0.3
    function, w = Quadratic.isotropic(d), torch.ones(d, dtype=torch.float64)
    factor = 1 - 2 * eta + eta**2 * (1 + (d + 1) / n)
    assert function.mean_of_step(w, eta, n) == pytest.approx(d / 2 * factor)
    assert function.effective_dimension == pytest.approx(d)


def test_effective_dimensions() -> None:
    assert Quadratic.harmonic(3).effective_dimension == pytest.approx(11 / 6)
    assert Quadratic.geometric(50).effective_dimension == pytest.approx(2)


def difference(function: Function, w: torch.Tensor, v: torch.Tensor, epsilon: float) -> float:
    above, below = function({"w": w + epsilon * v}), function({"w": w - epsilon * v})
    return float(above - below) / (2 * epsilon)


@pytest.mark.parametrize("function", [Waves(), TiltedWaves()], ids=["waves", "tilted"])
@given(at=number, epsilon=st.floats(0.05, 0.8))
def test_the_mean_of_zeroth_order_is_the_smoothed_gradient(
    function: Waves | TiltedWaves, at: float, epsilon: float
) -> None:
    w = vector(at)
    mean = sum(
        weight * difference(function, w, vector(node), epsilon) * node
        for node, weight in zip(NODES, WEIGHTS, strict=True)
    )
    assert mean == pytest.approx(float(function.smoothed_gradient(w, epsilon)), abs=1e-6)


@settings(deadline=None, max_examples=10)
@given(at=pair, epsilon=st.floats(0.05, 0.6))
def test_the_second_moment_on_waves_is_exact(at: tuple[float, float], epsilon: float) -> None:
    w, function = vector(*at), Waves()
    nodes, weights = normal(2)
    slopes = vector(*[difference(function, w, v, epsilon) for v in nodes])
    moment = float(weights @ (slopes.square() * nodes.square().sum(1)))
    norm = float(function.gradient(w).square().sum())
    assert moment == pytest.approx(norm * Waves.second_moment(2, epsilon), abs=1e-5)


def test_the_smoothed_minimum_is_a_minimum_and_not_that_of_the_function() -> None:
    function, step = TiltedWaves(), 1e-3
    at = function.smoothed_minimum(0.5)
    slopes = [float(function.smoothed_gradient(vector(at + dx), 0.5)) for dx in (-step, 0, step)]
    assert slopes[0] < 0 < slopes[2]
    assert slopes[1] == pytest.approx(0, abs=1e-12)
    assert abs(float(function.gradient(vector(at)))) > 0.01


def test_the_harmonic_cubic_is_noisy_and_unbiased_at_its_minimum() -> None:
    function, epsilon = HarmonicCubic(0.7), 0.3
    nodes, weights = normal(2)
    slopes = vector(*[difference(function, vector(0, 0), v, epsilon) for v in nodes])
    assert torch.allclose(weights @ (slopes[:, None] * nodes), vector(0, 0), atol=1e-12)
    moment = float(weights @ (slopes.square() * nodes.square().sum(1)))
    assert moment == pytest.approx(function.noise(epsilon))


@given(v=pair, epsilon=st.floats(0.01, 1))
def test_remainders_that_are_exact(v: tuple[float, float], epsilon: float) -> None:
    cubic, direction, origin = FUNCTIONS["cubic"], vector(*v), vector(0, 0)
    along = float(cubic.gradient(origin) @ direction)
    rest = epsilon**2 / 6 * float(cubic.a @ direction) ** 3  # type: ignore[attr-defined]
    assert difference(cubic, origin, direction, epsilon) == pytest.approx(along + rest, abs=1e-9)
    kink = FUNCTIONS["kink"]
    along = float(kink.gradient(origin) @ direction)
    rest = epsilon / 2 * float((direction * direction.abs()).sum())
    assert difference(kink, origin, direction, epsilon) == pytest.approx(along + rest, abs=1e-9)
