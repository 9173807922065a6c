"""Means over many draws with their intervals, exponents, and runs of gradient descent."""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from scipy.stats import t as student
from torch import Tensor

from gradcost.estimators.backprop import Backprop
from gradcost.estimators.base import Estimator
from gradcost.estimators.directional import Directional
from gradcost.estimators.directions import NORMAL
from gradcost.estimators.zeroth_order import ZerothOrder
from gradcost.theory.functions import Function

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Measured:
    """A number that was measured; with its 95% interval where it is the mean of `n` draws."""

    value: float
    low: float | None = None
    high: float | None = None
    n: int | None = None

    @property
    def half_width(self) -> float:
        """Of the interval; 0 where nothing is random."""
        return 0.0 if self.high is None else self.high - self.value

    def scaled(self, factor: float) -> Measured:
        """`factor` times the number, for a positive factor."""
        return Measured(
            factor * self.value,
            None if self.low is None else factor * self.low,
            None if self.high is None else factor * self.high,
            self.n,
        )


def mean(samples: Tensor) -> Measured:
    """The mean of independent samples (n,), and its interval by Student's t."""
    n, value = len(samples), float(samples.mean())
    half = float(student.ppf((1 + CONFIDENCE) / 2, n - 1)) * float(samples.std()) / math.sqrt(n)
    return Measured(value, value - half, value + half, n)


def ratio(above: Tensor, below: Tensor) -> Measured:
    """The ratio of the means of paired samples, to first order of their deviations."""
    value = float(above.mean() / below.mean())
    spread = mean((above - value * below) / below.mean()).half_width
    return Measured(value, value - spread, value + spread, len(above))


def exponent(x: Sequence[float], y: Sequence[Measured | float]) -> Measured:
    """The slope of log y against log x by least squares.

    The interval follows from those of y, which are taken as independent.
    """
    points = [one if isinstance(one, Measured) else Measured(one) for one in y]
    along = torch.tensor(x, dtype=torch.float64).log()
    weights = (along - along.mean()) / (along - along.mean()).square().sum()
    value = sum(
        float(weight) * math.log(one.value) for weight, one in zip(weights, points, strict=True)
    )
    if any(one.high is None for one in points):
        return Measured(value)
    half = math.hypot(
        *(
            float(weight) * one.half_width / one.value
            for weight, one in zip(weights, points, strict=True)
        )
    )
    return Measured(value, value - half, value + half, min(one.n or 0 for one in points))


def seed(name: str) -> int:
    """The seed that belongs to `name`, wherever and whenever it is asked for."""
    return zlib.crc32(name.encode()) << 20


def directions(name: str, *shape: int) -> Tensor:
    """Directions v ~ N(0, I_d) as estimators draw them, (..., d)."""
    like = {"w": torch.empty(shape, dtype=torch.float64)}
    return NORMAL.draw(like, seed(name), 0)["w"]


def estimates(
    estimator: Directional, function: Function, w: Tensor, vectors: Tensor, n: int = 1
) -> Tensor:
    """Independent estimates at w along `vectors` (draws n, d), n of them for each: (draws, d).

    All directions are evaluated together. An estimate is the mean over its directions of slope
    times direction, as `estimate` has it.
    """
    many = replace(estimator, at_once=len(vectors))
    found = many.along(function, {"w": w}, lambda i: {"w": vectors[i]}, len(vectors))
    each = found.projections[:, None] * vectors
    return each.reshape(-1, n, vectors.shape[1]).mean(1)


@dataclass(frozen=True)
class Run:
    """Gradient descent from w_1 to w_(T+1).

    Attributes:
        values: f(w_t), (..., T + 1).
        norms: |grad f(w_t)|^2, (..., T + 1).
    """

    values: Tensor
    norms: Tensor


def descend(function: Function, w: Tensor, eta: float, steps: int) -> Run:
    """w_(t+1) = w_t - eta grad f(w_t) for T steps, by backpropagation."""
    found = runs(Backprop(), function, w, eta, steps, "", 1)
    return Run(found.values[0], found.norms[0])


def runs(
    estimator: Estimator,
    function: Function,
    w: Tensor,
    eta: float,
    steps: int,
    name: str,
    count: int,
) -> Run:
    """Independent runs from one point: values and norms are (count, T + 1).

    Those of zeroth order go side by side; PyTorch has no rule to do so for dual numbers.
    """
    if isinstance(estimator, ZerothOrder):
        return _along(function, _side_by_side(estimator, function, w, eta, steps, name, count))
    found = []
    for first in range(seed(name), seed(name) + count * steps, steps):
        at, path = w, [w]
        for step in range(first, first + steps):
            at = at - eta * estimator.estimate(function, {"w": at}, (), step)[0].gradient["w"]
            path.append(at)
        found.append(torch.stack(path))
    return _along(function, torch.stack(found))


def _side_by_side(
    estimator: ZerothOrder,
    function: Function,
    w: Tensor,
    eta: float,
    steps: int,
    name: str,
    count: int,
) -> Tensor:
    n, path = estimator.perturbations, [w.expand(count, -1)]

    def estimate(at: Tensor, vectors: Tensor) -> Tensor:
        found = estimator.along(function, {"w": at}, lambda i: {"w": vectors[i]}, n)
        return found.gradient["w"]

    for step in range(steps):
        vectors = directions(f"{name} {step}", count, n, len(w))
        path.append(path[-1] - eta * torch.func.vmap(estimate)(path[-1], vectors))
    return torch.stack(path, 1)


def _along(function: Function, paths: Tensor) -> Run:
    """What is known of points w_1 to w_(T+1) of runs, (count, T + 1, d)."""
    points = paths.flatten(0, 1)
    values = torch.func.vmap(lambda at: function({"w": at}))(points)
    norms = torch.func.vmap(function.gradient)(points).square().sum(1)
    shape = paths.shape[:2]
    return Run(values.reshape(shape), norms.reshape(shape))
