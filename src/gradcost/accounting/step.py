"""The cost of one optimiser step, counted while it is taken once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from gradcost.accounting.meter import Meter, stored_bytes
from gradcost.study.record import Cost


def measure(
    model: nn.Module,
    params: Mapping[str, Tensor],
    forward: Callable[[], object],
    step: Callable[[], Mapping[str, Any]],
    inputs: Iterable[Tensor] = (),
) -> Cost:
    """Count FLOPs and bytes of a step.

    Args:
        model: for its weights.
        params: those of them that are trained.
        forward: one forward pass of a batch.
        step: one gradient estimate of the same batch and its update. It returns what
            tensors are for, by category of `gradcost.study.record.Memory`.
        inputs: the batch; it counts as activations.
    """
    tensors = [*model.parameters(), *model.buffers()]
    with torch.no_grad(), Meter() as inference:
        forward()
    # a storage is of the category that is said first
    with Meter(
        trainable_parameters=params.values(), frozen_weights=tensors, activations=inputs
    ) as meter:
        claims = step()
        for category, found in claims.items():
            meter.claim(category, found)
        del claims
    peak = meter.peak()
    return Cost(
        trainable_parameters=sum(value.numel() for value in params.values()),
        total_parameters=sum(numbers(value) for value in model.parameters()),
        forward_flops=inference.flops,
        step_flops=meter.flops,
        model_bytes=stored_bytes(tensors),
        peak_bytes=peak.total,
        peak=peak,
    )


def numbers(parameter: nn.Parameter) -> int:
    """How many numbers a parameter stands for, packed or not."""
    state = getattr(parameter, "quant_state", None)
    return parameter.numel() if state is None else state.shape.numel()
