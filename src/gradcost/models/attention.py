"""Attention that forward mode can differentiate.

Fused attention (FlashAttention, the fused kernels behind PyTorch's
`scaled_dot_product_attention`, FlexAttention) has no forward-mode derivative. Attention
written out as two products and a softmax (`eager`) has, and so has PyTorch's `math` kernel.
"""

from __future__ import annotations

import warnings
from functools import cache

import torch
from torch import nn


def use_differentiable_attention(model: nn.Module) -> None:
    """Switch the attention of `model`, and of the models within, to kernels with a jvp.

    A model whose attention can be chosen gets `eager`. For one that calls PyTorch's
    `scaled_dot_product_attention` whatever its configuration says, and for
    `nn.MultiheadAttention`, the `math` kernel becomes PyTorch's only one, in the whole
    process. Either change is announced by a warning, once.

    Raises:
        NotImplementedError: naming the model, for attention that cannot be switched.
    """
    from transformers import PreTrainedModel

    for path, part in model.named_modules():
        if isinstance(part, nn.MultiheadAttention):
            _use_math_kernel()
        if not isinstance(part, PreTrainedModel):
            continue
        before = part.config._attn_implementation
        if before in (None, "eager"):
            continue
        part.set_attn_implementation("eager")
        left = part.config._attn_implementation
        if left == "eager":
            _say(f"attention is now eager: forward mode has no derivative of {before}")
        elif left == "sdpa":
            _use_math_kernel()
        else:
            raise NotImplementedError(
                f"{path or 'the model'} ({type(part).__module__}.{type(part).__qualname__}): "
                f"its attention is {left}, which has no forward-mode derivative, and it "
                "cannot be switched to eager"
            )


def _use_math_kernel() -> None:
    torch.backends.cuda.enable_math_sdp(True)
    # these hold for the kernels of the CPU too
    torch.backends.cuda.enable_flash_sdp(False)
    torch.backends.cuda.enable_mem_efficient_sdp(False)
    torch.backends.cuda.enable_cudnn_sdp(False)
    # the fused encoder layer of inference
    torch.backends.mha.set_fastpath_enabled(False)
    _say("scaled_dot_product_attention now uses its math kernel alone: the others have no jvp")


@cache
def _say(message: str) -> None:
    warnings.warn(message, stacklevel=3)
