"""Directions that follow the gradient estimated before: -ADAPTIVE."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Annotated

import torch
from annotated_types import Ge, Lt
from torch import Tensor

from gradcost.estimators.base import Estimate, LossFn, Params, State
from gradcost.estimators.directional import Directional
from gradcost.estimators.directions import length, stack


@dataclass(frozen=True)
class Adaptive:
    """Adaptive perturbation sampling (paper, appendix C: ZO- and FMAD-ADAPTIVE).

    The first step calibrates: of several directions it keeps the one along which the loss
    changes most. The text asks for the highest positive projection; v and -v give the same
    estimate, so each direction is turned uphill first, and the choice is that of the
    largest |v . grad f|.

    From then on each direction is a rolling average of the gradient's direction as it was
    last estimated and of a new draw z:

        v_t = momentum h_(t-1) + sqrt(1 - momentum^2) z_t,  h_t = r g_t / |g_t|,

    where r is the root mean square length of z. The text leaves the weights open. Those of
    a stationary autoregression keep |v| that of a plain draw, so that a learning rate means
    the same as without it. The mean of the estimate is (momentum^2 h h^T +
    (1 - momentum^2) E[z z^T]) grad f: biased towards h, as the paper says of its own.

    Attributes:
        base: forward mode or zeroth order.
        calibration: directions tried at the first step; the paper's number is 4.
        momentum: the weight of the gradient's direction. The paper gives no number; 0.9 is
            the usual one of a rolling average.
    """

    base: Directional
    calibration: Annotated[int, Ge(1)] = 4
    momentum: Annotated[float, Ge(0), Lt(1)] = 0.9

    def init(self, params: Params) -> State:
        """No direction is known yet."""
        return None

    @torch.no_grad()
    def estimate(
        self, loss: LossFn, params: Params, state: State, seed: int
    ) -> tuple[Estimate, State]:
        """Calibrate at the first step; look along the mixed directions at all others."""

        def draw(index: int) -> dict[str, Tensor]:
            return self.base.directions.draw(params, seed, index)

        if state is None:
            found = self.base.along(loss, params, draw, self.calibration)
            chosen = self.choose(found.projections)
            gradient = self.base.combine(found.projections[[chosen]], stack([draw(chosen)]))
            found = replace(found, gradient=gradient)
        else:
            found = self.base.along(
                loss, params, lambda i: self.mix(state, draw(i)), self.base.perturbations
            )
        return found, self._history(found.gradient, state)

    def choose(self, projections: Tensor) -> int:
        """The index of the direction to keep, from the slopes (k,) along all."""
        return int(projections.abs().argmax())

    def mix(self, history: dict[str, Tensor], drawn: dict[str, Tensor]) -> dict[str, Tensor]:
        """The direction to look along."""
        new = math.sqrt(1 - self.momentum**2)
        return {name: self.momentum * history[name] + new * z for name, z in drawn.items()}

    def _history(
        self, gradient: dict[str, Tensor], before: dict[str, Tensor] | None
    ) -> dict[str, Tensor] | None:
        """`gradient` at the length of a draw; what was before if it is zero or not finite."""
        size = sum(value.numel() for value in gradient.values())
        scale = self.base.directions.radius(size) / length(gradient)
        usable = torch.isfinite(scale)
        if before is None and not usable:
            return None
        scaled = {name: value * scale.to(value.dtype) for name, value in gradient.items()}
        if before is None:
            return scaled
        # without a decision in Python, which would have to wait for the device
        return {name: torch.where(usable, value, before[name]) for name, value in scaled.items()}
