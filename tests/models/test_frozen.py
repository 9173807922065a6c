"""The frozen linear against the layer that it replaces."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.autograd import forward_ad

from gradcost.accounting.flops import count_flops
from gradcost.models.frozen import FrozenLinear, freeze_linears


def layers(bias: bool = True) -> tuple[nn.Linear, FrozenLinear]:
    torch.manual_seed(0)
    plain = nn.Linear(8, 5, bias=bias).double().requires_grad_(False)
    return plain, FrozenLinear(plain)


@pytest.mark.parametrize("bias", [True, False])
def test_outputs_and_every_kind_of_derivative_are_those_of_a_plain_linear(bias):
    plain, frozen = layers(bias)
    x = torch.randn(3, 4, 8, dtype=torch.float64, requires_grad=True)
    tangents = torch.randn(6, 3, 4, 8, dtype=torch.float64)
    close = torch.testing.assert_close
    close(frozen(x), plain(x))
    weights = torch.randn(3, 4, 5, dtype=torch.float64)
    for layer in (plain, frozen):
        layer.gradient = torch.autograd.grad((layer(x) * weights).sum(), x)[0]
    close(frozen.gradient, plain.gradient)
    with forward_ad.dual_level(), torch.no_grad():
        found = forward_ad.unpack_dual(frozen(forward_ad.make_dual(x, tangents[0]))).tangent
    close(found, tangents[0] @ plain.weight.T)

    def along(layer):
        return torch.func.vmap(lambda t: torch.func.jvp(layer, (x,), (t,))[1])(tangents)

    close(along(frozen), along(plain))


def test_second_derivatives_are_exact_too():
    _, frozen = layers()
    x = torch.randn(2, 8, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda v: frozen(v).sin(), x)
    assert torch.autograd.gradgradcheck(lambda v: frozen(v).sin(), x)


def test_a_tangent_costs_one_product_and_not_two():
    plain, frozen = layers(bias=False)
    x = torch.randn(3, 8, dtype=torch.float64)
    product = 2 * 3 * 8 * 5

    def jvp(layer):
        with forward_ad.dual_level(), torch.no_grad():
            layer(forward_ad.make_dual(x, torch.ones_like(x)))

    assert count_flops(lambda: frozen(x)) == product
    assert count_flops(lambda: jvp(frozen)) == 2 * product
    assert count_flops(lambda: jvp(plain)) == 3 * product


def test_a_weight_in_four_bits_gives_exact_derivatives():
    import bitsandbytes as bnb

    torch.manual_seed(0)
    packed = bnb.nn.Linear4bit(64, 32, bias=False, quant_type="nf4", compute_dtype=torch.float32)
    packed.load_state_dict({"weight": torch.randn(32, 64)})
    packed.requires_grad_(False).to("cpu")
    # the first call packs the weight
    frozen = FrozenLinear(packed)
    weight = frozen.dense()
    assert weight.shape == (32, 64)
    x, tangents = torch.randn(3, 64), torch.randn(4, 3, 64)
    torch.testing.assert_close(frozen(x), x @ weight.T)
    found = torch.func.vmap(lambda t: torch.func.jvp(frozen, (x,), (t,))[1])(tangents)
    torch.testing.assert_close(found, tangents @ weight.T)


def test_trained_linears_are_left_alone():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2).requires_grad_(False))
    assert freeze_linears(model) == 1
    assert isinstance(model[0], nn.Linear)
    assert isinstance(model[1], FrozenLinear)


def test_packed_layers_of_an_unknown_kind_are_named():
    class Packed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("qweight", torch.zeros(2, dtype=torch.int32))

    with pytest.raises(NotImplementedError, match=r"0\.inner: .* Packed"):
        freeze_linears(nn.Sequential(nn.ModuleDict({"inner": Packed()})))
