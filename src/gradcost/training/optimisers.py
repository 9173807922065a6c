"""The optimisers of the paper's Tables 5 to 8."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn


def build(spec: dict[str, Any], params: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """The optimiser that `hyperparameters` of a run's spec describe, at a constant rate."""
    rate, decay = spec["learning_rate"], spec["weight_decay"]
    if spec["optimizer"] == "adamw":
        return torch.optim.AdamW(params, lr=rate, weight_decay=decay)
    return torch.optim.SGD(
        params,
        lr=rate,
        momentum=spec["momentum"],
        nesterov=spec["nesterov"],
        weight_decay=decay,
    )
