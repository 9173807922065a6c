"""Functions of a few parameters, with their exact gradients."""

from __future__ import annotations

import torch
from torch import Tensor

from gradcost.estimators import Estimate, LossFn, Params, load

SIZES = {"b": (3, 2), "a": (5,)}
D = 11


def problem(seed: int) -> tuple[dict[str, Tensor], Tensor]:
    """Parameters and a matrix, in float64."""
    generator = torch.Generator().manual_seed(seed)
    params = {
        name: torch.randn(size, generator=generator, dtype=torch.float64, requires_grad=True)
        for name, size in SIZES.items()
    }
    return params, torch.randn(5, 6, generator=generator, dtype=torch.float64)


def smooth(matrix: Tensor) -> LossFn:
    """A function that is neither linear nor quadratic."""

    def loss(params: Params) -> Tensor:
        return torch.sin(params["a"] @ matrix @ params["b"].reshape(6)) + (
            params["a"].pow(2).sum().log1p()
        )

    return loss


def exact(seed: int) -> tuple[LossFn, dict[str, Tensor], Estimate]:
    """A loss, parameters, and the loss and gradient there."""
    params, matrix = problem(seed)
    loss = smooth(matrix)
    estimate, _ = load("backprop").estimate(loss, params, (), 0)
    return loss, params, estimate


def inner(left: Params, right: Params) -> Tensor:
    """The inner product of all tensors together."""
    return torch.stack([(left[name] * right[name]).sum() for name in left]).sum()


def flat(values: Params) -> Tensor:
    """All tensors as one vector, in the order of their names."""
    return torch.cat([values[name].detach().reshape(-1) for name in sorted(values)])


class Sum:
    """A finite sum of smooth functions, and one of them as the current batch's."""

    def __init__(self, seed: int, count: int, current: int = 0) -> None:
        self.batches = [(1 / count, smooth(problem(seed + index)[1])) for index in range(count)]
        self.current = self.batches[current][1]

    def __call__(self, params: Params) -> Tensor:
        return self.current(params)

    def gradient(self, params: Params) -> Tensor:
        """Of the whole sum, (d,)."""
        found = [
            (share, load("backprop").estimate(loss, params, (), 0)[0].gradient)
            for share, loss in self.batches
        ]
        return torch.stack([share * flat(gradient) for share, gradient in found]).sum(0)
