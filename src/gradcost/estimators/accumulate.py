"""Gradients of several minibatches averaged before an update: -ACCUMULATE."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

import torch
from annotated_types import Ge

from gradcost.estimators.base import Estimate, Estimator, LossFn, Params, State


@dataclass(frozen=True)
class Accumulate:
    """Gradient accumulation (paper, appendix C: BP-, ZO- and FMAD-ACCUMULATE).

    Each step estimates the gradient of its own minibatch; the parameters are updated at
    every `window`-th step, along the mean of the window's estimates. Until then `due` is
    false, and the estimate is the mean so far.

    Attributes:
        base: any estimator.
        window: steps from one update to the next; the paper's is 100.
    """

    base: Estimator
    window: Annotated[int, Ge(1)] = 100

    def init(self, params: Params) -> State:
        """The base's state, the number of gradients summed, and their sum."""
        nothing = {name: torch.zeros_like(value) for name, value in params.items()}
        return self.base.init(params), 0, nothing

    def estimate(
        self, loss: LossFn, params: Params, state: State, seed: int
    ) -> tuple[Estimate, State]:
        """Add the base's estimate to the sum."""
        base_state, count, total = state
        found, base_state = self.base.estimate(loss, params, base_state, seed)
        count += 1
        total = {name: value + found.gradient[name] for name, value in total.items()}
        mean = {name: value / count for name, value in total.items()}
        due = count == self.window
        if due:
            count, total = 0, {name: torch.zeros_like(value) for name, value in total.items()}
        return replace(found, gradient=mean, due=due), (base_state, count, total)
