"""Estimates kept to the running scale of their slopes: -STABILISED."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Literal

import torch
from annotated_types import Ge, Gt, Lt

from gradcost.estimators.base import Estimate, Estimator, LossFn, Params, State


@dataclass(frozen=True)
class Stabilised:
    """Against the spikes of the jvp that the paper describes (section 4.6, appendix F.5).

    The slope along a random direction is about N(0, |grad f|^2), so its root mean square over
    some steps, s, tells the length of the gradient, and a slope r of many times that is noise
    or the beginning of a divergence. Of an estimate with the slopes r_1, ..., r_n and
    r = sqrt(mean r_i^2),

        clip:       g min(1, limit s / r)
        normalise:  g / s

    is taken, with s^2 the mean of r^2 over the steps before, weighted by powers of `decay` and
    corrected for its beginning at zero as Adam's; what was clipped enters clipped, or one spike
    would raise the limit for the next. The first step, which has none before it, is its own
    scale. Cost: nothing; memory: two numbers.

    Clipping leaves nearly all estimates as they are, and biases those that it shortens. Under
    normalisation a learning rate means a length, whatever the scale of the loss.

    Attributes:
        base: an estimator that looks along directions.
        how: `clip` or `normalise`.
        limit: of `clip`, in multiples of s; a normal slope is beyond 3 in 0.3 % of the steps.
        decay: of the weights of past steps; 0.95 remembers about 20.
    """

    base: Estimator
    how: Literal["clip", "normalise"] = "clip"
    limit: Annotated[float, Gt(0)] = 3.0
    decay: Annotated[float, Ge(0), Lt(1)] = 0.95

    def init(self, params: Params) -> State:
        """The base's state, the weighted sum of squares, and the sum of the weights."""
        first = next(iter(params.values()))
        return self.base.init(params), torch.zeros((), device=first.device), 0.0

    def estimate(
        self, loss: LossFn, params: Params, state: State, seed: int
    ) -> tuple[Estimate, State]:
        """Scale the base's estimate by what its slopes have been like."""
        base_state, squares, weights = state
        found, base_state = self.base.estimate(loss, params, base_state, seed)
        size = found.projections.square().mean().sqrt()
        scale = (squares / weights).sqrt() if weights else size
        if self.how == "normalise":
            factor = (1 / scale).nan_to_num(posinf=1.0)
            kept = size
        else:
            factor = (self.limit * scale / size).clamp(max=1.0).nan_to_num(1.0)
            kept = size * factor
        gradient = {name: value * factor.to(value.dtype) for name, value in found.gradient.items()}
        squares = self.decay * squares + (1 - self.decay) * kept.square()
        weights = self.decay * weights + (1 - self.decay)
        return replace(found, gradient=gradient), (base_state, squares, weights)
