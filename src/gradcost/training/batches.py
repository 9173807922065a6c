"""The order in which a run sees its training examples."""

from __future__ import annotations

import torch
from torch import Tensor

from gradcost.study.seeds import derive


def batch_indices(step: int, batch_size: int, examples: int, seed: int) -> Tensor:
    """The examples of step `step` (1, 2, ...): epochs of all examples, each in a new order.

    A function of its arguments alone, so that a run can resume at any step. Consecutive
    batches run through one epoch's order into the next, and all have `batch_size`.
    """
    start = (step - 1) * batch_size
    positions = torch.arange(start, start + batch_size)
    epochs = positions // examples
    indices = torch.empty(batch_size, dtype=torch.long)
    for epoch in epochs.unique().tolist():
        generator = torch.Generator().manual_seed(derive(seed, "order", epoch))
        order = torch.randperm(examples, generator=generator)
        chosen = epochs == epoch
        indices[chosen] = order[positions[chosen] % examples]
    return indices
