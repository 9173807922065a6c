"""The optimisers of the paper's Tables 5 to 8, those of its open question (F.5), and signs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn


def build(spec: dict[str, Any], params: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """The optimiser that `hyperparameters` of a run's spec describe, at a constant rate."""
    rate, decay = spec["learning_rate"], spec["weight_decay"]
    if spec["optimizer"] == "sgd":
        return torch.optim.SGD(
            params,
            lr=rate,
            momentum=spec["momentum"],
            nesterov=spec["nesterov"],
            weight_decay=decay,
        )
    kinds: dict[str, Callable[..., torch.optim.Optimizer]] = {
        "adamw": torch.optim.AdamW,
        "adagrad": torch.optim.Adagrad,
        "rmsprop": torch.optim.RMSprop,
        "sign": SignSGD,
    }
    return kinds[spec["optimizer"]](params, lr=rate, weight_decay=decay)


class SignSGD(torch.optim.Optimizer):
    """w <- w - lr (sign(g) + weight_decay w) (Bernstein et al., 2018).

    With a zeroth-order estimate it is ZO-signSGD (Liu et al., 2019), the paper's SIGNZO
    (F.7). Every component moves by the learning rate, whatever the size of the gradient.
    """

    def __init__(
        self, params: Iterable[nn.Parameter], lr: float, weight_decay: float = 0.0
    ) -> None:
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One update of all parameters that have a gradient."""
        for group in self.param_groups:
            for value in group["params"]:
                if value.grad is not None:
                    value.mul_(1 - group["lr"] * group["weight_decay"])
                    value.sub_(value.grad.sign(), alpha=group["lr"])
