"""How the weight of a linear layer is stored, and how it is made dense.

Known are PyTorch's own linear, GPT-2's `Conv1D`, bitsandbytes' 4 bits (NF4 and FP4, their
scales quantised again or not), and GPTQ's integers (Frantar et al., 2023) in the layout of
AutoGPTQ and GPTQModel:

    W[o, i] = scales[g_idx[i], o] (qweight[i, o] - zeros[g_idx[i], o]).

Integers of 2, 4 or 8 bits fill words of 32 bits from the lowest bit up: `qweight`
(in_features bits / 32, out_features) along the first dimension, `qzeros`
(groups, out_features bits / 32) along the last. AutoGPTQ stores zeros less one (version 1
of the format); GPTQModel may have taken that back when it loaded the layer (version 2) and
says so by the layer's `qzero_format()`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

# Kernels of AutoGPTQ and GPTQModel that leave the packed weight as the format has it; others,
# such as exllama's and Marlin's, store it in an order of their own.
_GPTQ_KERNELS = {None, "cuda", "cuda-old", "torch", "triton", "tritonv2"}


class Storage(NamedTuple):
    """How a frozen weight is stored.

    Attributes:
        dense: the weight (out_features, in_features), from a module that holds the layer's
            tensors under the names that they have there. It may be a view.
    """

    in_features: int
    out_features: int
    dense: Callable[[Any], Tensor]


def storage(layer: nn.Module) -> Storage | None:
    """How the weight of `layer` is stored; nothing if it is not a linear with a frozen weight.

    Raises:
        NotImplementedError: for a packed weight of a kind that is not known.
    """
    from transformers.pytorch_utils import Conv1D

    weight = layer._parameters.get("weight")
    if all(name in layer._buffers for name in ("qweight", "qzeros", "scales", "g_idx")):
        return _gptq_storage(layer)
    if isinstance(layer, nn.Linear) and hasattr(weight, "quant_state"):
        return Storage(layer.in_features, layer.out_features, _bitsandbytes)
    if is_packed(layer):
        raise NotImplementedError("the weight is packed in a way that is not known")
    if weight is None or weight.requires_grad:
        return None
    if type(layer) is Conv1D:
        return Storage(weight.shape[0], weight.shape[1], _transposed)
    # a subclass with a forward of its own computes something else
    if isinstance(layer, nn.Linear) and type(layer).forward is nn.Linear.forward:
        return Storage(layer.in_features, layer.out_features, _plain)
    return None


def is_packed(layer: nn.Module) -> bool:
    """Whether `layer` itself holds a weight that is not made of numbers as they are."""
    if isinstance(layer, nn.Embedding):  # packed or not: what it reads has no tangent
        return False
    return "qweight" in layer._buffers or any(
        not value.is_floating_point() or value.dtype.itemsize == 1
        for value in layer._parameters.values()
        if value is not None
    )


def _plain(layer: Any) -> Tensor:
    weight: Tensor = layer.weight
    return weight


def _transposed(layer: Any) -> Tensor:
    weight: Tensor = layer.weight
    return weight.T


def _bitsandbytes(layer: Any) -> Tensor:
    """Raises: RuntimeError: if the weight is not packed yet, or packed for another kernel."""
    import bitsandbytes.functional

    state = layer.weight.quant_state
    if state is None:
        raise RuntimeError("the weight is not packed yet: move the model to its device first")
    if getattr(state, "packing_format_for_cpu", False):
        raise RuntimeError(
            "bitsandbytes has rearranged the weight for its CPU kernel: freeze the linears "
            "before the model is called for the first time"
        )
    dense: Tensor = bitsandbytes.functional.dequantize_4bit(layer.weight.data, state)
    return dense


def _gptq_storage(layer: Any) -> Storage:
    bits = layer.bits
    if bits not in (2, 4, 8):
        raise NotImplementedError(f"GPTQ with {bits} bits: known are 2, 4 and 8")
    kernel = getattr(layer, "QUANT_TYPE", None)
    in_features, (groups, out_features) = len(layer.g_idx), layer.scales.shape
    shapes = layer.qweight.shape, layer.qzeros.shape
    expected = (in_features * bits // 32, out_features), (groups, out_features * bits // 32)
    types = {layer.qweight.dtype, layer.qzeros.dtype}
    if kernel not in _GPTQ_KERNELS or shapes != expected or types != {torch.int32}:
        raise NotImplementedError(
            f"the weight is not as the GPTQ format has it (kernel {kernel}, shapes "
            f"{tuple(shapes[0])} and {tuple(shapes[1])}): load it with the kernel `torch`"
        )
    first_version = not hasattr(layer, "qzero_format") or layer.qzero_format() == 1
    return Storage(in_features, out_features, partial(_gptq, bits, int(first_version)))


def _gptq(bits: int, offset: int, layer: Any) -> Tensor:
    # a zero is a number of `bits` bits as well: the largest plus one is none
    zeros = (_unpack(layer.qzeros, bits, dim=1) + offset) & (2**bits - 1)
    groups, scales = layer.g_idx.long(), layer.scales
    dense = _unpack(layer.qweight, bits, dim=0).to(scales.dtype)
    # in place, and exact up to the scale: a difference of two integers of 8 bits
    dense -= zeros.to(scales.dtype)[groups]
    dense *= scales[groups]
    return dense.T


def _unpack(words: Tensor, bits: int, dim: int) -> Tensor:
    """The integers in `words`, whose dimension `dim` grows 32 / bits times, as bytes."""
    mask = 2**bits - 1
    parts = [((words >> shift) & mask).to(torch.uint8) for shift in range(0, 32, bits)]
    return torch.stack(parts, dim + 1).flatten(dim, dim + 1)
