"""The cost of one optimiser step, measured once at the start of a run."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from gradcost.accounting.flops import count_flops
from gradcost.accounting.memory import PeakMemory, stored_bytes
from gradcost.study.record import Cost


def measure(
    model: nn.Module,
    forward: Callable[[], object],
    step: Callable[[], object],
    put_back: Callable[[], object],
    trainable: int,
) -> Cost:
    """Count FLOPs and bytes of a step.

    Args:
        model: for its weights.
        forward: one forward pass of a batch.
        step: one gradient estimate of the same batch and its update; run twice.
        put_back: undoes `step`.
        trainable: number of trainable parameters.
    """
    tensors = [*model.parameters(), *model.buffers()]
    with torch.no_grad():
        forward_flops = count_flops(forward)
    with PeakMemory(tensors) as memory:
        step()
    put_back()
    weights = stored_bytes(tensors)
    step_flops = count_flops(step)
    put_back()
    return Cost(
        trainable_parameters=trainable,
        total_parameters=sum(_numbers(value) for value in model.parameters()),
        forward_flops=forward_flops,
        step_flops=step_flops,
        model_bytes=weights,
        peak_bytes=weights + memory.peak,
    )


def _numbers(parameter: nn.Parameter) -> int:
    state = getattr(parameter, "quant_state", None)
    return parameter.numel() if state is None else state.shape.numel()
