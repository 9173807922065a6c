"""Accuracy and loss over a split."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from gradcost.study.record import Evaluation
from gradcost.tasks.tokens import Split

# Of one batch: few enough that evaluation takes less memory than a training step.
_TOKENS = 4096


@torch.no_grad()
def evaluate(model: nn.Module, split: Split, device: str) -> Evaluation:
    """Classify every example of `split`; the largest logit is the answer."""
    right, loss = 0, 0.0
    size = max(1, _TOKENS // split.ids.shape[1])
    for start in range(0, len(split), size):
        part = split[slice(start, start + size)].to(device)
        logits = model(input_ids=part.ids, attention_mask=part.mask).logits.float()
        right += int((logits.argmax(-1) == part.labels).sum())
        loss += float(cross_entropy(logits, part.labels, reduction="sum"))
    return Evaluation(
        accuracy=right / len(split),
        loss=loss / len(split) if math.isfinite(loss) else None,
        examples=len(split),
        majority=float(split.labels.bincount().max() / len(split)),
    )
