"""Zeroth-order SGD that moves the parameters themselves, at the memory of inference."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from annotated_types import Ge, Gt
from torch import Tensor

from gradcost.estimators.base import Params
from gradcost.estimators.directions import NORMAL, Directions


@dataclass(frozen=True)
class Step:
    """What a step saw on its way: the loss, the slopes (n,) and the norm of the gradient."""

    loss: Tensor
    projections: Tensor
    gradient_norm: Tensor


@dataclass(frozen=True)
class ZerothOrderInPlace:
    """The step w <- w - lr g of zeroth-order SGD, for parameters that fit but once.

    g is that of `ZerothOrder` with the same settings and seed; weights differ from those
    of that estimator by rounding alone. Neither g nor a direction is ever in memory as a
    whole: each is drawn again, a block at a time, and added to the parameters in place
    (Malladi et al., 2023, algorithm 1). MeZO draws a direction four times a step: to w + e v,
    to w - e v, back to w, and for the update. Here the way back and the update are one
    pass, so that one direction is drawn three times, or twice with one-sided differences.
    With n directions the others must be undone before the next is looked along, which
    takes 4 n - 1 draws (one-sided: 3 n - 1); no order of evaluation needs fewer.

    Attributes:
        epsilon, difference, perturbations, directions: as in `ZerothOrder`. Directions that
            are known only as a whole (normalised, `sphere`, `low-rank`) are an error.
    """

    epsilon: Annotated[float, Gt(0)] = 1e-3
    difference: Literal["central", "one-sided"] = "central"
    perturbations: Annotated[int, Ge(1)] = 1
    directions: Directions = NORMAL

    def __post_init__(self) -> None:
        whole = self.directions.normalise or self.directions.distribution in ("sphere", "low-rank")
        if whole:
            raise ValueError(f"directions must be drawn piece by piece in place: {self.directions}")

    @torch.no_grad()
    def step(
        self,
        loss: Callable[[], Tensor],
        params: Params,
        seed: int,
        learning_rate: float,
        weight_decay: float = 0.0,
        sign: bool = False,
    ) -> Step:
        """Look along the directions and update `params` in place.

        Args:
            loss: the loss of the batch at the parameters as they are, a scalar.
            params: the parameters by name, contiguous.
            seed: of the directions.
            learning_rate: lr.
            weight_decay: also subtract lr * weight_decay * w.
            sign: step along the sign of g: SignZO (Liu et al., 2019; paper, F.7).
        """
        e, n = self.epsilon, self.perturbations
        here = loss() if self.difference == "one-sided" else None
        away = -e if here is None else e  # where a direction's evaluations leave the parameters
        values, slopes = [], []
        for index in range(n):
            self._add(params, seed, index, e)
            above = loss()
            if here is None:
                self._add(params, seed, index, -2 * e)
                below = loss()
                values.append((above + below) / 2)
                slopes.append((above - below) / (2 * e))
            else:
                values.append(here)
                slopes.append((above - here) / e)
            if index < n - 1:
                self._add(params, seed, index, -away)
        projections = torch.stack(slopes)
        norm = self._update(params, seed, projections, -away, learning_rate, weight_decay, sign)
        return Step(torch.stack(values).mean(), projections, norm)

    def _add(self, params: Params, seed: int, index: int, scale: float) -> None:
        """params += scale * v."""
        for name, part, numbers in self.directions.pieces(params, seed, index):
            params[name].view(-1)[part].add_(numbers.to(params[name].dtype), alpha=scale)

    def _update(
        self,
        params: Params,
        seed: int,
        projections: Tensor,
        back: float,
        learning_rate: float,
        weight_decay: float,
        sign: bool,
    ) -> Tensor:
        """params += back * v_n - lr (g + weight_decay params); the norm of g."""
        n = len(projections)
        weights = projections / n
        square = torch.zeros((), device=projections.device)
        drawn = (self.directions.pieces(params, seed, index) for index in range(n))
        for pieces in zip(*drawn, strict=True):
            name, part, last = pieces[-1]
            target = params[name].view(-1)[part]
            # summed in float32 at least, whatever the parameters are kept in
            gradient = last.to(torch.promote_types(last.dtype, target.dtype)) * weights[-1]
            for weight, (_, _, numbers) in zip(weights[:-1], pieces[:-1], strict=True):
                gradient.addcmul_(numbers, weight)
            square += gradient.dot(gradient)
            target.add_(last.to(target.dtype), alpha=back)
            if weight_decay:
                target.mul_(1 - learning_rate * weight_decay)
            target.sub_(
                (gradient.sign_() if sign else gradient).to(target.dtype), alpha=learning_rate
            )
        return square.sqrt()
