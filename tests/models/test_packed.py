"""The dense weight of each kind of layer."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from gradcost.models.packed import storage
from tests.models.linears import IN, KINDS, OUT, GptqLinear, gptq, make


@pytest.mark.parametrize("name", KINDS)
def test_the_dense_weight_is_the_one_that_was_stored(name):
    kind = make(name)
    stored = storage(kind.layer)
    assert (stored.in_features, stored.out_features) == (IN, OUT)
    found = stored.dense(kind.layer)
    assert found.shape == (OUT, IN)
    torch.testing.assert_close(found.float(), kind.weight, atol=0, rtol=0)


def test_what_is_trained_or_no_linear_is_not_stored():
    class Own(nn.Linear):
        def forward(self, x):
            return super().forward(x) ** 2

    assert storage(nn.Linear(2, 2)) is None
    assert storage(Own(2, 2).requires_grad_(False)) is None
    assert storage(nn.LayerNorm(2).requires_grad_(False)) is None
    assert storage(nn.Embedding(2, 2).requires_grad_(False)) is None


def integers() -> nn.Module:
    layer = nn.Linear(2, 2)
    layer.weight = nn.Parameter(torch.ones(2, 2, dtype=torch.int8), requires_grad=False)
    return layer


def eight_bit_floats() -> nn.Module:
    layer = nn.Linear(2, 2)
    layer.weight = nn.Parameter(torch.ones(2, 2).to(torch.float8_e4m3fn), requires_grad=False)
    return layer


def without_groups() -> nn.Module:
    kind = gptq(4, version=1).layer
    return GptqLinear(4, qweight=kind.qweight, qzeros=kind.qzeros, scales=kind.scales)


def three_bits() -> nn.Module:
    layer = gptq(4, version=1).layer
    layer.bits = 3
    return layer


def of_exllama() -> nn.Module:
    layer = gptq(4, version=1).layer
    layer.QUANT_TYPE = "exllama"
    return layer


def rearranged() -> nn.Module:
    layer = gptq(4, version=1).layer
    layer.qweight = layer.qweight.T.contiguous()
    return layer


UNKNOWN = [integers, eight_bit_floats, without_groups, three_bits, of_exllama, rearranged]


@pytest.mark.parametrize("make_layer", UNKNOWN)
def test_what_is_packed_in_another_way_is_refused(make_layer):
    with pytest.raises(NotImplementedError):
        storage(make_layer())


def test_a_weight_that_is_not_packed_yet_or_rearranged_is_refused():
    import bitsandbytes

    layer = bitsandbytes.nn.Linear4bit(IN, OUT, compute_dtype=torch.float32)
    with pytest.raises(RuntimeError, match="not packed yet"):
        storage(layer).dense(layer)
    layer = make("NF4").layer
    layer.weight.quant_state.packing_format_for_cpu = True
    with pytest.raises(RuntimeError, match="before the model is called"):
        storage(layer).dense(layer)
