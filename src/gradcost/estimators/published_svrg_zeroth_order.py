"""ZO-SVRG as the paper's public code runs it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from gradcost.estimators.base import Estimate, LossFn, Params, State
from gradcost.estimators.svrg import Svrg


@dataclass(frozen=True)
class PublishedSvrgZerothOrder(Svrg):
    """As published: the snapshot is never loaded, so the minibatch's terms cancel.

    Both are evaluated at the current parameters, and every step until the next snapshot
    takes the full gradient of the last one.
    """

    def control(
        self,
        loss: LossFn,
        params: Params,
        snapshot: dict[str, Tensor],
        base_state: State,
        seed: int,
        step: int,
    ) -> Estimate:
        """The batch's estimate at the current parameters."""
        return super().control(loss, params, dict(params), base_state, seed, step)
