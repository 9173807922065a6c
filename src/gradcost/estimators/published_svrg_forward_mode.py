"""FMAD-SVRG as the paper's public code runs it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gradcost.estimators.base import Estimate, LossFn, Params, State
from gradcost.estimators.svrg import Svrg


@dataclass(frozen=True)
class PublishedSvrgForwardMode(Svrg):
    """As published: every step starts from the snapshot, with unrelated directions there.

    The snapshot is copied into the parameters to evaluate the control and stays there when
    the optimiser steps, so that the model is never more than one update away from it. The
    directions at the snapshot are seeded by the epoch, those at the parameters by the step.

    The only estimator that writes to the parameters: it is the defect.
    """

    @torch.no_grad()
    def control(
        self,
        loss: LossFn,
        params: Params,
        snapshot: dict[str, Tensor],
        base_state: State,
        seed: int,
        step: int,
    ) -> Estimate:
        """The batch's estimate at the snapshot, which the parameters become."""
        for name, value in params.items():
            value.copy_(snapshot[name])
        epoch = step // len(loss.batches)  # type: ignore[attr-defined]
        return super().control(loss, params, snapshot, base_state, epoch, step)
