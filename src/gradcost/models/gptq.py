"""Checkpoints of GPTQ (Frantar et al., 2023), as the paper's public code loads them.

Read without the packages that have kernels for them: the linears' packed integers are loaded
as they are stored, and `gradcost.models.packed` says how they become weights.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.quantizers.auto import AUTO_QUANTIZER_MAPPING
from transformers.quantizers.base import HfQuantizer

_KEY = "gptq"


class GptqLinear(nn.Linear):
    """The buffers of a packed linear, under the names of the format; see `models.packed`.

    A linear to those who look for linears. It computes nothing itself.
    """

    def __init__(
        self, in_features: int, out_features: int, bias: bool, bits: int, group: int
    ) -> None:
        """Make the buffers for groups of `group` inputs that share a scale, -1 for all."""
        nn.Module.__init__(self)
        self.in_features, self.out_features, self.bits = in_features, out_features, bits
        groups = -(-in_features // (in_features if group == -1 else group))
        words = 32 // bits
        shapes = {
            "qweight": ((in_features // words, out_features), torch.int32),
            "qzeros": ((groups, out_features // words), torch.int32),
            "scales": ((groups, out_features), torch.float16),
            "g_idx": ((in_features,), torch.int32),
            **({"bias": ((out_features,), torch.float16)} if bias else {}),
        }
        for name, (shape, dtype) in shapes.items():
            self.register_buffer(name, torch.empty(shape, dtype=dtype))
        if not bias:
            self.register_parameter("bias", None)

    @property
    def weight(self) -> torch.Tensor:  # type: ignore[override]
        """What those ask for device and type who take it for a linear: the scales."""
        return self.get_buffer("scales")


class _Quantizer(HfQuantizer):
    """Puts `GptqLinear`s where the checkpoint has packed linears."""

    def _process_model_before_weight_loading(self, model: nn.Module, **kwargs: Any) -> None:
        config = self.quantization_config
        if config.bits not in (2, 4, 8):
            raise NotImplementedError(f"GPTQ with {config.bits} bits: known are 2, 4 and 8")
        for path, layer in list(model.named_modules()):
            # a tower that sees is not packed
            if isinstance(layer, GradientCheckpointingLayer) and "visual" not in path.split("."):
                for name, linear in list(layer.named_modules()):
                    if type(linear) is nn.Linear:
                        made = GptqLinear(
                            linear.in_features, linear.out_features, linear.bias is not None,
                            config.bits, config.group_size,
                        )  # fmt: skip
                        parent, _, last = name.rpartition(".")
                        setattr(layer.get_submodule(parent), last, made)

    def is_serializable(self) -> bool:
        return False

    @property
    def is_trainable(self) -> bool:
        return True


@contextmanager
def loading() -> Iterator[None]:
    """Let `from_pretrained` load GPTQ's checkpoints so, for as long as the context lasts."""
    known = AUTO_QUANTIZER_MAPPING[_KEY]
    AUTO_QUANTIZER_MAPPING[_KEY] = _Quantizer
    try:
        yield
    finally:
        AUTO_QUANTIZER_MAPPING[_KEY] = known


def check(missing: list[str], source: str) -> None:
    """Refuse a checkpoint that lacks what it should have packed.

    Args:
        missing: names of tensors that the checkpoint lacks.
        source: of the checkpoint.

    Raises:
        ValueError: naming some of them.
    """
    packed = [name for name in missing if name.rpartition(".")[2] in ("qweight", "scales")]
    if packed:
        raise ValueError(
            f"{source} is not a checkpoint of GPTQ as it is known here: it has no "
            f"{', '.join(sorted(packed)[:3])}{' and more' * (len(packed) > 3)}"
        )
