"""What forward mode and zeroth order share: derivatives along directions, averaged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor

from gradcost.estimators.base import Estimate, LossFn, Params, State
from gradcost.estimators.directions import NORMAL, Directions, chunks, stack

DrawFn = Callable[[int], dict[str, Tensor]]
"""Direction i of the step, shaped like the parameters."""


@dataclass(frozen=True)
class Directional:
    """g = 1/n sum_i (v_i . grad f) v_i (paper, equations 1 and 2).

    A subclass says how the directional derivatives v_i . grad f, the slopes, are found.

    Attributes:
        perturbations: n, directions per step.
        at_once: directions evaluated together (the paper's parallel implementation); 1
            evaluates them in turn (sequential). Memory grows with it.
        directions: how they are drawn.
    """

    perturbations: Annotated[int, Ge(1)] = 1
    at_once: Annotated[int, Ge(1)] = 1
    directions: Directions = NORMAL

    def init(self, params: Params) -> State:
        """Nothing is carried from step to step."""
        return ()

    def estimate(
        self, loss: LossFn, params: Params, state: State, seed: int
    ) -> tuple[Estimate, State]:
        """Evaluate the slopes along `perturbations` directions and average."""
        found = self.along(
            loss, params, lambda i: self.directions.draw(params, seed, i), self.perturbations
        )
        return found, state

    @torch.no_grad()  # else the graph of the evaluations keeps every activation
    def along(self, loss: LossFn, params: Params, draw: DrawFn, count: int) -> Estimate:
        """The estimate along directions 0 to `count` - 1 of `draw`."""
        gradient = {name: torch.zeros_like(value) for name, value in params.items()}
        here = self.evaluate_here(loss, params)
        values, slopes = [], []
        for indices in chunks(count, self.at_once):
            vectors = stack([draw(index) for index in indices])
            value, slope = self.slopes(loss, params, vectors, here)
            for name, part in self.combine(slope, vectors).items():
                gradient[name] += part
            values.append(value)
            slopes.append(slope)
        for total in gradient.values():
            total /= count
        return Estimate(torch.cat(values).mean(), gradient, torch.cat(slopes))

    def combine(self, slopes: Tensor, vectors: dict[str, Tensor]) -> dict[str, Tensor]:
        """sum_i s_i v_i for slopes (k,) along k stacked directions."""
        return {
            name: torch.tensordot(slopes.to(vector.dtype), vector, dims=1)
            for name, vector in vectors.items()
        }

    def evaluate_here(self, loss: LossFn, params: Params) -> Tensor | None:
        """What the directions of a step share, evaluated once; by default nothing."""
        return None

    def slopes(
        self, loss: LossFn, params: Params, vectors: dict[str, Tensor], here: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """The slopes (k,) along k stacked directions, and the loss seen on the way (k,) or (1,)."""
        raise NotImplementedError
