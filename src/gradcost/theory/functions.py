"""Functions of which all that the proofs speak of is known: smoothness, gradient, what follows.

Each takes {"w": (d,)} and gives a scalar. L is the Lipschitz constant of the gradient
(Assumption I.2). Averages over v ~ N(0, I_d) are exact where a formula gives them: the mean
of the central difference (f(w + e v) - f(w - e v)) / (2 e) v is the gradient of the smoothed
function E f(w + e v), by Stein's identity.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from gradcost.estimators.base import Params


class Function(Protocol):
    """A function with a known gradient."""

    def __call__(self, params: Params) -> Tensor:
        """The value at params["w"], a scalar."""

    def gradient(self, w: Tensor) -> Tensor:
        """The gradient at w, (d,)."""


@dataclass(frozen=True)
class Quadratic:
    """f = 1/2 sum_i l_i w_i^2, with Hessian diag(l). Central differences of it are exact.

    Attributes:
        spectrum: l (d,), positive.
    """

    spectrum: Tensor

    @classmethod
    def isotropic(cls, d: int) -> Quadratic:
        """1/2 |w|^2."""
        return cls(torch.ones(d, dtype=torch.float64))

    @classmethod
    def harmonic(cls, d: int) -> Quadratic:
        """l_i = 1/i: the trace grows as log d."""
        return cls(1 / torch.arange(1, d + 1, dtype=torch.float64))

    @classmethod
    def geometric(cls, d: int) -> Quadratic:
        """l_i = 2^(1-i): the trace stays below 2."""
        return cls(2.0 ** -torch.arange(d, dtype=torch.float64))

    def __call__(self, params: Params) -> Tensor:
        return (self.spectrum * params["w"].square()).sum() / 2

    def gradient(self, w: Tensor) -> Tensor:
        return self.spectrum * w

    @property
    def smoothness(self) -> float:
        """L, the largest eigenvalue."""
        return float(self.spectrum.max())

    @property
    def effective_dimension(self) -> float:
        """tr(H) / L: d if isotropic, less otherwise."""
        return float(self.spectrum.sum()) / self.smoothness

    def mean_of_step(self, w: Tensor, eta: float, n: int) -> float:
        """E f(w - eta g), with g the mean of n estimates (v . grad f) v.

        E[g^T H g] = (1 + 1/n) grad^T H grad + tr(H)/n |grad|^2, since
        E[v v^T H v v^T] = 2 H + tr(H) I for normal v.
        """
        gradient = self.gradient(w)
        norm = float(gradient.square().sum())
        curved = float((self.spectrum * gradient.square()).sum())
        square = (1 + 1 / n) * curved + float(self.spectrum.sum()) / n * norm
        return float(self({"w": w})) - eta * norm + eta**2 / 2 * square


@dataclass(frozen=True)
class Waves:
    """f = sum_i 1 - cos w_i: not convex, L = 1, third derivative -sin w_i along the axes."""

    smoothness = 1.0

    def __call__(self, params: Params) -> Tensor:
        return (1 - torch.cos(params["w"])).sum()

    def gradient(self, w: Tensor) -> Tensor:
        return torch.sin(w)

    def smoothed_gradient(self, w: Tensor, epsilon: float) -> Tensor:
        """The mean of the zeroth-order estimate."""
        return math.exp(-(epsilon**2) / 2) * torch.sin(w)

    @staticmethod
    def second_moment(d: int, epsilon: float) -> float:
        """E |g|^2 / |grad f|^2 of zeroth order along one direction; d + 2 for e -> 0."""
        decay = math.exp(-2 * epsilon**2)
        others, own = 1 - decay, 1 - (1 - 4 * epsilon**2) * decay
        return ((d - 1) * others + own) / (2 * epsilon**2)


@dataclass(frozen=True)
class TiltedWaves:
    """f = sum_i 1 - cos w_i + sin(2 w_i)/8: its minima are not those of the smoothed function.

    f'' = cos w (1 - sin w), which is largest at w = -pi/6: L = 3 sqrt(3) / 4.
    """

    smoothness = 3 * math.sqrt(3) / 4

    def __call__(self, params: Params) -> Tensor:
        w = params["w"]
        return (1 - torch.cos(w) + torch.sin(2 * w) / 8).sum()

    def gradient(self, w: Tensor) -> Tensor:
        return torch.sin(w) + torch.cos(2 * w) / 4

    def smoothed_gradient(self, w: Tensor, epsilon: float) -> Tensor:
        """The mean of the zeroth-order estimate."""
        first, second = (math.exp(-((k * epsilon) ** 2) / 2) for k in (1, 2))
        return first * torch.sin(w) + second * torch.cos(2 * w) / 4

    def smoothed_minimum(self, epsilon: float) -> float:
        """Where a coordinate of the smoothed gradient is zero and rises, by bisection."""
        low, high = -math.pi / 2, 0.0
        for _ in range(60):
            middle = (low + high) / 2
            at = self.smoothed_gradient(torch.tensor(middle, dtype=torch.float64), epsilon)
            low, high = (middle, high) if at < 0 else (low, middle)
        return (low + high) / 2


@dataclass(frozen=True)
class Cubic:
    """f = b . w + (a . w)^3 / 6: a constant third derivative, grad(Laplacian f) = |a|^2 a.

    The slope's remainder is exactly e^2/6 (a . v)^3.
    """

    a: Tensor
    b: Tensor

    def __call__(self, params: Params) -> Tensor:
        w = params["w"]
        return (self.b * w).sum() + (self.a * w).sum() ** 3 / 6

    def gradient(self, w: Tensor) -> Tensor:
        return self.b + (self.a * w).sum() ** 2 / 2 * self.a


@dataclass(frozen=True)
class HarmonicCubic:
    """f = |w|^2 / 2 + c/6 (x^3 - 3 x y^2) of w = (x, y): a cubic part with Laplacian zero.

    Central differences are unbiased here, exactly, but noisy where the gradient is zero: the
    noise of the remainder alone. At 0, E |g|^2 = `noise`. L is 1 there; elsewhere the Hessian
    is off by c |w|, so w has to stay small.
    """

    c: float

    def __call__(self, params: Params) -> Tensor:
        x, y = params["w"][0], params["w"][1]
        return (x * x + y * y) / 2 + self.c / 6 * (x**3 - 3 * x * y * y)

    def gradient(self, w: Tensor) -> Tensor:
        x, y = w[0], w[1]
        return w + self.c / 2 * torch.stack([x * x - y * y, -2 * x * y])

    def noise(self, epsilon: float) -> float:
        """E |g|^2 at 0: e^4 c^2 / 36 E[(x^3 - 3 x y^2)^2 |v|^2], the mean being 24 (d + 6)."""
        return epsilon**4 * self.c**2 / 36 * 24 * 8


@dataclass(frozen=True)
class Kink:
    """f = b . w + sum_i w_i |w_i| / 2: L = 1, but the Hessian jumps from -1 to 1 at 0.

    At 0 the slope's remainder is exactly e/2 sum_i v_i |v_i|.
    """

    b: Tensor

    def __call__(self, params: Params) -> Tensor:
        w = params["w"]
        return (self.b * w).sum() + (w * w.abs()).sum() / 2

    def gradient(self, w: Tensor) -> Tensor:
        return self.b + w.abs()
