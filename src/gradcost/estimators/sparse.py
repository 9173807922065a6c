"""Directions that touch the parameters of largest magnitude alone: -SPARSE."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated

import torch
from annotated_types import Gt, Le
from torch import Tensor

from gradcost.estimators.base import Estimate, LossFn, Params, State
from gradcost.estimators.directional import Directional


@dataclass(frozen=True)
class Sparse:
    """Perturbations of the largest parameters (Guo et al., 2025; paper, appendix C).

    At each step the ceil(share d) parameters of largest magnitude are chosen anew, among
    all tensors together; directions and gradient are zero elsewhere. In d there remains
    ceil(share d), and with it falls the variance of the estimate. Of equal magnitudes,
    those that come first by name and position are taken.

    This class works on dense parameters. Over a base in 4 bits, ZO- and FMAD-SPARSE train
    the chosen weights as a sparse correction instead (`gradcost.models.sparse`).

    Attributes:
        base: forward mode or zeroth order.
        share: of the parameters; the paper's is 1 %.
    """

    base: Directional
    share: Annotated[float, Gt(0), Le(1)] = 0.01

    def init(self, params: Params) -> State:
        """Nothing is carried from step to step."""
        return ()

    @torch.no_grad()
    def estimate(
        self, loss: LossFn, params: Params, state: State, seed: int
    ) -> tuple[Estimate, State]:
        """The base's estimate along masked directions."""
        masks = self.masks(params)

        def draw(index: int) -> dict[str, Tensor]:
            drawn = self.base.directions.draw(params, seed, index)
            return {name: masks[name] * vector for name, vector in drawn.items()}

        return self.base.along(loss, params, draw, self.base.perturbations), state

    def masks(self, params: Params) -> dict[str, Tensor]:
        """Which parameters are perturbed: tensors of booleans like `params`."""
        names = sorted(params)
        chosen = largest(torch.cat([params[name].flatten() for name in names]), self.share)
        parts = chosen.split([params[name].numel() for name in names])
        return {
            name: part.view(params[name].shape) for name, part in zip(names, parts, strict=True)
        }


def largest(values: Tensor, share: float) -> Tensor:
    """A mask of the ceil(share d) entries of `values` (d,) of largest magnitude."""
    size, kept = values.abs(), count(share, len(values))
    threshold = size.kthvalue(len(values) - kept + 1).values
    above, equal = size > threshold, size == threshold
    return above | (equal & (equal.cumsum(0) <= kept - above.sum()))


def count(share: float, size: int) -> int:
    """ceil(share size) in exact arithmetic: 0.07 of 100 are 7, though 0.07 * 100 > 7."""
    return math.ceil(Fraction(repr(share)) * size)
