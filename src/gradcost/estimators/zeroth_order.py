"""Zeroth-order finite differences along random directions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from annotated_types import Gt
from torch import Tensor

from gradcost.estimators.base import LossFn, Params
from gradcost.estimators.directional import Directional


@dataclass(frozen=True)
class ZerothOrder(Directional):
    """Finite differences (MeZO, Malladi et al., 2023; paper, equation 2).

    g = 1/n sum_i [f(w + e v_i) - f(w - e v_i)] / (2 e) v_i with v_i ~ N(0, I_d). Along a
    direction the error is O(e^2); for e -> 0 this is the forward gradient along the same
    directions. Cost: two forward passes a direction.

    Attributes:
        epsilon: e, the perturbation step size (the paper's Table 7).
        difference: `central`, as above, or `one-sided`: [f(w + e v) - f(w)] / e with f(w)
            evaluated once for all directions. That is 1 + n forward passes instead of 2 n,
            at an error of O(e).
    """

    epsilon: Annotated[float, Gt(0)] = 1e-3
    difference: Literal["central", "one-sided"] = "central"

    def evaluate_here(self, loss: LossFn, params: Params) -> Tensor | None:
        """f(w), where it is needed."""
        return loss(params) if self.difference == "one-sided" else None

    def slopes(
        self, loss: LossFn, params: Params, vectors: dict[str, Tensor], here: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """The mean of the two losses, or f(w), and the projected gradients (k,)."""
        above = _losses(loss, params, vectors, self.epsilon)
        if here is not None:
            return here.reshape(1), (above - here) / self.epsilon
        below = _losses(loss, params, vectors, -self.epsilon)
        return (above + below) / 2, (above - below) / (2 * self.epsilon)


def _losses(loss: LossFn, params: Params, vectors: dict[str, Tensor], step: float) -> Tensor:
    """The losses (k,) at params + step * v for k stacked directions v."""
    if len(next(iter(vectors.values()))) == 1:
        return loss({name: value + step * vectors[name][0] for name, value in params.items()})[None]
    moved = {name: value + step * vectors[name] for name, value in params.items()}
    losses: Tensor = torch.func.vmap(loss)(moved)
    return losses
