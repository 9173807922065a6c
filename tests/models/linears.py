"""Linear layers with a frozen weight, one of each kind that can be frozen."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

OUT, IN, GROUP = 32, 64, 16


class Kind(NamedTuple):
    """A layer, and its weight (OUT, IN) and bias (OUT,) found without the code under test."""

    layer: nn.Module
    weight: Tensor
    bias: Tensor | None


class GptqLinear(nn.Module):
    """The buffers of a layer of AutoGPTQ."""

    QUANT_TYPE = "cuda-old"

    def __init__(self, bits: int, **buffers: Tensor | None) -> None:
        super().__init__()
        self.bits = bits
        for name, value in buffers.items():
            self.register_buffer(name, value)


class GptqModelLinear(GptqLinear):
    """A layer of GPTQModel, which says what its zeros are."""

    QUANT_TYPE = "torch"

    def qzero_format(self) -> int:
        return 2


def dense(bias: bool) -> Kind:
    layer = nn.Linear(IN, OUT, bias=bias).requires_grad_(False)
    return Kind(layer, layer.weight.clone(), layer.bias.clone() if bias else None)


def conv1d() -> Kind:
    from transformers.pytorch_utils import Conv1D

    layer = Conv1D(OUT, IN).requires_grad_(False)
    layer.bias.copy_(torch.randn(OUT))
    return Kind(layer, layer.weight.T.clone(), layer.bias.clone())


def bitsandbytes(quant_type: str, nested: bool, bias: bool) -> Kind:
    import bitsandbytes

    layer = bitsandbytes.nn.Linear4bit(
        IN, OUT, bias=bias, compute_dtype=torch.float32, compress_statistics=nested,
        quant_type=quant_type,
    )  # fmt: skip
    layer.requires_grad_(False).to("cpu")
    offsets, layer.bias = layer.bias, None
    # in training mode: in evaluation the weight is rearranged for the CPU's own kernel
    weight = layer.train()(torch.eye(IN)).T
    layer.bias = offsets
    return Kind(layer, weight, offsets)


def gptq(bits: int, version: int, bias: bool = False) -> Kind:
    """Groups are not contiguous (`desc_act`), and zeros take all values there are."""
    levels, groups = 2**bits, IN // GROUP
    codes = torch.randint(levels, (IN, OUT))
    zeros = torch.randint(levels, (groups, OUT))
    zeros[0, :2] = torch.tensor([0, levels - 1])
    # powers of two, so that products with them are exact in half precision
    scales = 2.0 ** torch.randint(-9, -4, (groups, OUT))
    group = torch.arange(groups).repeat_interleave(GROUP)[torch.randperm(IN)]
    weight = torch.empty(OUT, IN)
    for i in range(IN):
        weight[:, i] = scales[group[i]] * (codes[i] - zeros[group[i]])
    made = GptqLinear if version == 1 else GptqModelLinear
    stored = (zeros - 1) % levels if version == 1 else zeros
    offsets = torch.randn(OUT).half() if bias else None
    layer = made(
        bits,
        qweight=pack(codes.T, bits).T.contiguous(),
        qzeros=pack(stored, bits),
        scales=scales.half(),
        g_idx=group.int(),
        bias=offsets,
    )
    return Kind(layer, weight, offsets)


def pack(values: Tensor, bits: int) -> Tensor:
    """Rows of integers as words of 32 bits, the first integer in the lowest bits."""
    per_word = 32 // bits
    words = [
        [sum(v << (bits * k) for k, v in enumerate(row[at : at + per_word]))
         for at in range(0, len(row), per_word)]
        for row in values.tolist()
    ]  # fmt: skip
    unsigned = torch.tensor(words)
    return torch.where(unsigned < 2**31, unsigned, unsigned - 2**32).to(torch.int32)


KINDS: dict[str, Callable[[], Kind]] = {
    "dense": lambda: dense(bias=True),
    "dense without bias": lambda: dense(bias=False),
    "Conv1D": conv1d,
    "NF4": lambda: bitsandbytes("nf4", nested=False, bias=False),
    "NF4 nested": lambda: bitsandbytes("nf4", nested=True, bias=True),
    "FP4": lambda: bitsandbytes("fp4", nested=False, bias=True),
    "FP4 nested": lambda: bitsandbytes("fp4", nested=True, bias=False),
    "GPTQ 2 bits": lambda: gptq(2, version=1),
    "GPTQ 4 bits": lambda: gptq(4, version=1, bias=True),
    "GPTQ 4 bits, version 2": lambda: gptq(4, version=2),
    "GPTQ 8 bits": lambda: gptq(8, version=1),
    "GPTQ 8 bits, version 2": lambda: gptq(8, version=2, bias=True),
}


def make(name: str) -> Kind:
    """The kind `name` with weights that are always the same."""
    torch.manual_seed(0)
    with torch.no_grad():
        return KINDS[name]()
