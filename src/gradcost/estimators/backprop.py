"""Backpropagation: the exact gradient by reverse-mode differentiation."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from gradcost.estimators.base import Estimate, LossFn, Params


@dataclass(frozen=True)
class Backprop:
    """The exact gradient by reverse mode (Rumelhart et al., 1986; paper, section 2).

    Cost: two forward passes' worth of FLOPs where the weights are frozen and adapters are
    trained (a frozen weight needs no gradient of its own), three with activation
    checkpointing (Chen et al., 2016). Whether activations are checkpointed is a property
    of the model behind `loss`, not of this class.
    """

    def init(self, params: Params) -> tuple[()]:
        """Backpropagation carries nothing from step to step."""
        return ()

    def estimate(
        self, loss: LossFn, params: Params, state: tuple[()], seed: int
    ) -> tuple[Estimate, tuple[()]]:
        """One forward and one backward pass. `seed` is not used: nothing is random."""
        leaves = {
            name: value if value.requires_grad else value.detach().requires_grad_()
            for name, value in params.items()
        }
        value = loss(leaves)
        gradients = torch.autograd.grad(value, list(leaves.values()))
        gradient = dict(zip(params, gradients, strict=True))
        return Estimate(value.detach(), gradient, value.new_empty(0)), state
