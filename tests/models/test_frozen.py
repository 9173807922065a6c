"""The frozen linear against the layer that it replaces."""

from __future__ import annotations

import copy
from functools import partial

import pytest
import torch
from torch import nn
from torch.autograd import forward_ad
from torch.nn.functional import linear

from gradcost.models.frozen import FrozenLinear, StockLinear, freeze_linears
from tests.counters import MemoryAbove, count_flops
from tests.models import architectures
from tests.models.linears import IN, KINDS, OUT, gptq, make

close = torch.testing.assert_close


def pair(name: str):
    """A frozen linear, and what it should compute, in float64."""
    kind = make(name)
    bias = None if kind.bias is None else kind.bias.double()
    return FrozenLinear(kind.layer), partial(linear, weight=kind.weight.double(), bias=bias)


def normal(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@pytest.mark.parametrize("name", KINDS)
def test_outputs_and_every_kind_of_derivative_are_those_of_a_plain_linear(name):
    frozen, plain = pair(name)
    x, tangents = normal(3, 4, IN).requires_grad_(), normal(6, 3, 4, IN)
    close(frozen(x), plain(x))

    def gradient(layer):
        return torch.autograd.grad(layer(x).sin().sum(), x)[0]

    def dual(layer):
        with forward_ad.dual_level(), torch.no_grad():
            output = layer(forward_ad.make_dual(x, tangents[0])).sin()
            return forward_ad.unpack_dual(output).tangent

    def jvp(layer, tangent=tangents[0]):
        return torch.func.jvp(lambda v: layer(v).sin(), (x,), (tangent,))[1]

    def jvps(layer):
        return torch.func.vmap(partial(jvp, layer))(tangents)

    def outputs(layer):
        return torch.func.vmap(layer, in_dims=2, out_dims=1)(tangents)

    def hessian(layer):
        return torch.func.hessian(lambda v: layer(v).sin().sum())(x[0, :2])

    for derivative in (gradient, dual, jvp, jvps, outputs, hessian):
        close(derivative(frozen), derivative(plain))


@pytest.mark.parametrize("name", ["dense", "Conv1D", "GPTQ 4 bits"])
def test_second_derivatives_agree_with_finite_differences(name):
    frozen, _ = pair(name)
    x = normal(1, IN).requires_grad_()
    assert torch.autograd.gradcheck(lambda v: frozen(v).sin(), x)
    assert torch.autograd.gradgradcheck(lambda v: frozen(v).sin(), x)


@pytest.mark.parametrize("name", KINDS)
def test_autograd_keeps_no_weight(name):
    chain = nn.Sequential()
    for _ in range(3):
        layer = FrozenLinear(make(name).layer)
        chain.extend([layer, nn.ConstantPad1d((0, IN - OUT), 0.0)])
    known = [*chain.parameters(), *chain.buffers()]
    x = torch.randn(2, IN, requires_grad=True)
    saved: list[torch.Tensor] = []
    with (
        torch.autograd.graph.saved_tensors_hooks(lambda t: saved.append(t) or t, lambda t: t),
        MemoryAbove([*known, x]) as memory,
    ):
        output = chain(x)
    assert not saved
    # the output alone is alive
    assert memory.live == output.nbytes
    assert torch.autograd.grad(output.sum(), x)[0].any()


@pytest.mark.parametrize("name", ["dense without bias", "Conv1D", "NF4", "GPTQ 4 bits"])
def test_a_tangent_costs_one_product_and_not_two(name):
    frozen, plain = pair(name)
    x = normal(3, IN)
    product = 2 * 3 * IN * OUT

    def jvp(layer):
        with forward_ad.dual_level(), torch.no_grad():
            layer(forward_ad.make_dual(x, torch.ones_like(x)))

    def jvps(layer):
        along = partial(torch.func.jvp, layer, (x,))
        torch.func.vmap(lambda t: along((t,)), out_dims=(None, 0))(normal(5, 3, IN))

    assert count_flops(lambda: frozen(x)) == product
    assert count_flops(lambda: jvp(frozen)) == 2 * product
    assert count_flops(lambda: jvps(frozen)) == (1 + 5) * product
    assert count_flops(lambda: jvp(plain)) == 3 * product


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_products_have_the_precision_of_the_inputs(dtype):
    for name in KINDS:
        frozen, plain = pair(name)
        x = normal(2, IN).to(dtype)
        assert frozen(x).dtype == dtype
        close(frozen(x).double(), plain(x.double()), atol=0.2, rtol=0.02)


def test_a_bias_may_be_trained():
    layer = nn.Linear(4, 3)
    layer.weight.requires_grad_(False)
    frozen = FrozenLinear(layer)
    frozen(torch.ones(5, 4)).sum().backward()
    close(frozen.bias.grad, torch.full((3,), 5.0))


def test_trained_linears_are_left_alone():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2).requires_grad_(False))
    assert freeze_linears(model) == 1
    assert isinstance(model[0], nn.Linear)
    assert isinstance(model[1], FrozenLinear)
    assert freeze_linears(model) == 0
    with pytest.raises(TypeError, match="Linear is not a linear with a frozen weight"):
        FrozenLinear(model[0])


def test_names_modes_and_copies_are_as_before():
    model = nn.Sequential(*(make(name).layer for name in KINDS if "4" not in name)).eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    freeze_linears(model)
    close(model.state_dict(), before)
    assert not any(module.training for module in model.modules())
    copied = copy.deepcopy(model)
    model[0].weight.zero_()
    assert not model[0].dense().any()
    assert copied[0].dense().any()


def test_a_layer_with_two_names_is_swapped_under_both():
    """As in PEFT's adapters for GPTQ, which call the base by its second name."""
    model = nn.Module()
    model.base_layer = model.quant_linear_module = gptq(4, version=1).layer
    model.other = nn.Sequential(model.base_layer)
    assert freeze_linears(model) == 1
    assert isinstance(model.base_layer, FrozenLinear)
    assert model.base_layer is model.quant_linear_module is model.other[0]


def test_tied_weights_stay_tied():
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(vocab_size=16, hidden_size=8, intermediate_size=8, num_hidden_layers=1,
                         num_attention_heads=2, tie_word_embeddings=True)  # fmt: skip
    model = LlamaForCausalLM(config).requires_grad_(False)
    count = sum(isinstance(module, nn.Linear) for module in model.modules())
    assert freeze_linears(model) == count
    model.tie_weights()
    assert isinstance(model.lm_head, FrozenLinear)
    assert model.lm_head.weight is model.get_input_embeddings().weight
    assert model.lm_head.dense() is model.model.embed_tokens.weight


@pytest.mark.parametrize("name", architectures.BUILDERS)
def test_no_frozen_linear_of_any_architecture_is_left(name):
    from transformers.pytorch_utils import Conv1D

    model = architectures.make(name, layers=1).model
    stock = [m for m in model.modules() if isinstance(m, nn.Linear | Conv1D)]
    assert freeze_linears(model) == sum(not layer.weight.requires_grad for layer in stock) > 0
    left = [m for m in model.modules() if isinstance(m, nn.Linear | Conv1D)]
    assert left
    assert all(layer.weight.requires_grad for layer in left)


def test_packed_layers_of_an_unknown_kind_are_named():
    class Packed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("qweight", torch.zeros(2, dtype=torch.int32))

    with pytest.raises(NotImplementedError, match=r"^0\.inner \(tests\..*\.Packed\): "):
        freeze_linears(nn.Sequential(nn.ModuleDict({"inner": Packed()})))
    with pytest.raises(NotImplementedError, match=r"^inner \("):
        freeze_linears(nn.ModuleDict({"inner": Packed()}))


@pytest.mark.parametrize("name", ["NF4 nested", "GPTQ 4 bits"])
def test_stock_linears_say_the_same_and_pay_for_zeros(name):
    """As published: forward mode also multiplies by the tangent of the dense weight."""
    layer = make(name).layer
    stock, frozen = nn.Sequential(layer), nn.Sequential(copy.deepcopy(layer))
    assert freeze_linears(stock, stock=True) == freeze_linears(frozen) == 1
    x, tangent = torch.randn(2, 5, IN), torch.randn(2, 5, IN)
    results, flops = [], []
    for model in (stock, frozen):
        flops.append(count_flops(lambda model=model: torch.func.jvp(model, (x,), (tangent,))))
        results.append(torch.func.jvp(model, (x,), (tangent,)))
        results[-1] += (torch.func.vjp(model, x)[1](results[-1][0])[0],)
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other)
    product = 2 * 10 * IN * OUT
    assert flops == [3 * product, 2 * product]


def test_stock_linears_leave_dense_weights_alone():
    model = nn.Sequential(nn.Linear(2, 2).requires_grad_(False))
    assert freeze_linears(model, stock=True) == 0
    assert type(model[0]) is nn.Linear


PACKED = [name for name in KINDS if name.startswith(("NF4", "FP4", "GPTQ"))]


def stock_linear(name: str) -> nn.Module:
    model = nn.Sequential(make(name).layer)
    freeze_linears(model, stock=True)
    assert type(model[0]) is StockLinear
    return model[0]


@pytest.mark.parametrize("name", PACKED)
def test_a_stock_linear_has_the_outputs_and_derivatives_of_a_plain_one(name):
    stock, (_, plain) = stock_linear(name), pair(name)
    x, tangent = normal(3, 4, IN), normal(2, 3, 4, IN)[1]
    cotangent = plain(tangent).cos()
    close(stock(x), plain(x))
    close(torch.func.jvp(stock, (x,), (tangent,)), torch.func.jvp(plain, (x,), (tangent,)))
    close(torch.func.vjp(stock, x)[1](cotangent), torch.func.vjp(plain, x)[1](cotangent))


@pytest.mark.parametrize("name", PACKED)
def test_a_stock_linear_keeps_its_dense_weight_for_the_backward_pass(name):
    stock, x = stock_linear(name), torch.randn(2, IN, requires_grad=True)
    saved: list[torch.Tensor] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: saved.append(t) or t, lambda t: t):
        stock(x)
    assert [tensor.numel() for tensor in saved] == [OUT * IN]
