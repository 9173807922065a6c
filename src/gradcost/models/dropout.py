"""Dropout off, in training mode too.

transformers checkpoints activations in training mode alone, and models drop out in many
ways: by `nn.Dropout`, by functions that read a probability from their module, by leaving
out whole layers. In training mode `nn.Dropout.eval()` reaches the first kind only.
"""

from __future__ import annotations

from torch import nn


def disable_dropout(model: nn.Module) -> None:
    """Set every probability of dropout in `model` to zero: it computes as in evaluation."""
    for module in model.modules():
        if isinstance(module, nn.modules.dropout._DropoutNd):
            module.p = 0.0
        for name, value in vars(module).items():
            # dropout, attention_dropout, layerdrop, resid_pdrop
            if "drop" in name and isinstance(value, float):
                setattr(module, name, 0.0)
