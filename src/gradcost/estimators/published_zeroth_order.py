"""Zeroth order as the paper's public code runs it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from gradcost.estimators.zeroth_order import ZerothOrder


@dataclass(frozen=True)
class PublishedZerothOrder(ZerothOrder):
    """As published: the slope is multiplied by e v instead of v, so that E[g] = e grad f.

    With SGD the learning rate is in effect e times the one that is set; AdamW, whose steps
    do not depend on the gradient's scale, hides it.
    """

    def combine(self, slopes: Tensor, vectors: dict[str, Tensor]) -> dict[str, Tensor]:
        """e sum_i s_i v_i."""
        return super().combine(slopes * self.epsilon, vectors)
