"""Stochastic variance-reduced gradients: -SVRG."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Annotated, cast

import torch
from annotated_types import Ge
from torch import Tensor

from gradcost.estimators.base import Estimate, Estimator, FiniteSumLoss, LossFn, Params, State
from gradcost.estimators.directions import length


@dataclass(frozen=True)
class Svrg:
    """SVRG (Johnson and Zhang, 2013; Liu et al., 2018; paper, appendix C: ZO- and FMAD-SVRG).

    Every `snapshot_every` epochs the parameters are copied, s = w, and the full gradient m
    is estimated there: the mean of the base's estimates over all batches, each along
    directions of its own. A step on batch b then takes

        g = g_b(w; v) - g_b(s; v) + m

    with the same directions v at both points, without which the difference would not be
    small near the snapshot. At the snapshot itself g = m.

    Cost: two estimates a step, and an epoch of them at each snapshot. Memory: two more
    copies of the parameters.

    The loss must know the training set: see `FiniteSumLoss`. An estimate's `parts` are
    `snapshot_projections`, (n,), the slopes at s along the step's directions, and the norms
    |g_b(w; v)| and |m|: `batch_gradient_norm` and `full_gradient_norm`.

    Attributes:
        base: any estimator.
        snapshot_every: epochs from one snapshot to the next; the paper's number is 5.
    """

    base: Estimator
    snapshot_every: Annotated[int, Ge(1)] = 5

    def init(self, params: Params) -> State:
        """The base's state, steps taken, the snapshot and its full gradient."""
        return self.base.init(params), 0, {}, {}

    def estimate(
        self, loss: LossFn, params: Params, state: State, seed: int
    ) -> tuple[Estimate, State]:
        """Take a snapshot if it is time, and correct the batch's estimate by it.

        Raises:
            TypeError: if the loss knows no other batches.
        """
        if not hasattr(loss, "batches"):
            raise TypeError("SVRG needs a loss with the attribute `batches`: see FiniteSumLoss")
        batches = cast(FiniteSumLoss, loss).batches
        base_state, step, snapshot, full = state
        if step % (self.snapshot_every * len(batches)) == 0:
            snapshot = {name: value.detach().clone() for name, value in params.items()}
            full = self._full(batches, snapshot, base_state, seed)
        found, state_here = self.base.estimate(loss, params, base_state, seed)
        control = self.control(loss, params, snapshot, base_state, seed, step)
        gradient = {
            name: value - control.gradient[name] + full[name]
            for name, value in found.gradient.items()
        }
        parts = {
            "snapshot_projections": control.projections,
            "batch_gradient_norm": length(found.gradient),
            "full_gradient_norm": length(full),
        }
        found = replace(found, gradient=gradient, parts=parts)
        return found, (state_here, step + 1, snapshot, full)

    def control(
        self,
        loss: LossFn,
        params: Params,
        snapshot: dict[str, Tensor],
        base_state: State,
        seed: int,
        step: int,
    ) -> Estimate:
        """The batch's estimate at the snapshot, g_b(s; v)."""
        return self.base.estimate(loss, snapshot, base_state, seed)[0]

    def _full(
        self,
        batches: Collection[tuple[float, LossFn]],
        snapshot: dict[str, Tensor],
        base_state: State,
        seed: int,
    ) -> dict[str, Tensor]:
        total = {name: torch.zeros_like(value) for name, value in snapshot.items()}
        for index, (share, loss) in enumerate(batches):
            found, _ = self.base.estimate(loss, snapshot, base_state, _mixed(seed, index))
            for name, value in found.gradient.items():
                total[name] += share * value
        return total


def _mixed(seed: int, index: int) -> int:
    """Another seed for each batch of the full gradient, and none of them `seed` itself."""
    return (seed + (index + 1) * 0x9E3779B97F4A7C15) % 2**63
