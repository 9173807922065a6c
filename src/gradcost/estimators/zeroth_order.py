"""Zeroth-order central differences along random directions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from annotated_types import Ge, Gt
from torch import Tensor

from gradcost.estimators import directions
from gradcost.estimators.base import Estimate, LossFn, Params


@dataclass(frozen=True)
class ZerothOrder:
    """Central finite differences (MeZO, Malladi et al., 2023; paper, equation 2).

    g = 1/n sum_i [f(w + e v_i) - f(w - e v_i)] / (2 e) v_i with v_i ~ N(0, I_d). Along a
    direction the error is O(e^2); for e -> 0 this is the forward gradient along the same
    directions. Cost: two forward passes a direction.

    Attributes:
        epsilon: e, the perturbation step size (the paper's Table 7).
        perturbations: n, directions per step.
        at_once: directions evaluated together, as stacked parameters; 1 evaluates them in
            turn. Memory grows with it.
    """

    epsilon: Annotated[float, Gt(0)] = 1e-3
    perturbations: Annotated[int, Ge(1)] = 1
    at_once: Annotated[int, Ge(1)] = 1

    def init(self, params: Params) -> tuple[()]:
        """Central differences carry nothing from step to step."""
        return ()

    @torch.no_grad()
    def estimate(
        self, loss: LossFn, params: Params, state: tuple[()], seed: int
    ) -> tuple[Estimate, tuple[()]]:
        """Evaluate the loss on both sides along `perturbations` directions and average."""
        gradient = {name: torch.zeros_like(value) for name, value in params.items()}
        slopes, means = [], []
        for indices in directions.chunks(self.perturbations, self.at_once):
            stack = directions.draw_stack(params, seed, indices)
            above = _losses(loss, params, stack, self.epsilon)
            below = _losses(loss, params, stack, -self.epsilon)
            slope = (above - below) / (2 * self.epsilon)
            for name, direction in stack.items():
                gradient[name] += torch.tensordot(slope.to(direction.dtype), direction, dims=1)
            slopes.append(slope)
            means.append((above + below) / 2)
        for total in gradient.values():
            total /= self.perturbations
        return Estimate(torch.cat(means).mean(), gradient, torch.cat(slopes)), state


def _losses(loss: LossFn, params: Params, stack: dict[str, Tensor], step: float) -> Tensor:
    """The losses (k,) at params + step * v for k stacked directions v."""
    if len(next(iter(stack.values()))) == 1:
        return loss({name: value + step * stack[name][0] for name, value in params.items()})[None]
    moved = {name: value + step * stack[name] for name, value in params.items()}
    losses: Tensor = torch.func.vmap(loss)(moved)
    return losses
