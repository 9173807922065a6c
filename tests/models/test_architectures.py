"""Estimators on the study's architectures with frozen linears: exactness, FLOPs, memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gradcost.estimators import load
from gradcost.estimators.directions import Directions
from gradcost.models.checkpointing import checkpoint
from gradcost.models.frozen import FrozenLinear, freeze_linears
from tests.counters import MemoryAbove, count_flops
from tests.models.architectures import BUILDERS, DoublePrecision, Example, make

# of Qwen2-VL's image tokens, when its vision tower is trained; it costs time alone
pytestmark = pytest.mark.filterwarnings("ignore:.*batching rule for aten..masked_scatter")

SEED, N = 3, 3
# bitsandbytes packs no Conv1D
PACKABLE = [name for name in BUILDERS if name != "gpt2"]

# these are trained without dropout
DETERMINISTIC = ("llama", "qwen2_vl", "qwen2_vl_towers")


def step(example: Example, kind: str, **settings: Any) -> Callable[[], Any]:
    estimator = load(kind, **settings)
    return lambda: estimator.estimate(example.loss, example.params, (), SEED)[0]


def projections(example: Example, kind: str, **settings: Any) -> Tensor:
    return step(example, kind, perturbations=N, **settings)().projections


def slopes(example: Example) -> Tensor:
    """<gradient, v> for the directions v that all estimators draw, by backpropagation."""
    gradient = step(example, "backprop")().gradient
    directions = (Directions().draw(example.params, SEED, index) for index in range(N))
    return torch.stack([sum((gradient[n] * v[n]).sum() for n in v) for v in directions])


@torch.no_grad()
def jvps(example: Example) -> Tensor:
    """The same by forward mode: `torch.func.jvp` without `vmap`."""
    directions = (Directions().draw(example.params, SEED, index) for index in range(N))
    params = dict(example.params)
    return torch.stack([torch.func.jvp(example.loss, (params,), (v,))[1] for v in directions])


def error(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).norm() / expected.norm())


@pytest.mark.parametrize("name", BUILDERS)
def test_forward_mode_is_exact_in_double_precision(name):
    example = make(name)
    with DoublePrecision():
        expected, stock = slopes(example), projections(example, "forward-mode")
        assert stock.dtype == torch.float64
        assert error(stock, expected) < 1e-8
        assert freeze_linears(example.model) > 0
        for found in (
            slopes(example),
            projections(example, "forward-mode"),
            projections(example, "forward-mode", at_once=N),
            jvps(example),
        ):
            assert error(found, expected) < 1e-8
            assert error(found, stock) < 1e-8


@pytest.mark.parametrize("name", PACKABLE)
def test_forward_mode_is_exact_over_weights_in_four_bits(name):
    double, single = (make(name, packed=True, dtype=t) for t in (torch.float64, torch.float32))
    for example in (double, single):
        freeze_linears(example.model)
        linears = [m for m in example.model.modules() if isinstance(m, FrozenLinear)]
        packed = [linear for linear in linears if linear.weight.dtype == torch.uint8]
        # all but a head
        assert len(packed) >= len(linears) - 2 > 0
    with DoublePrecision():
        expected = slopes(double)
        for at_once in (1, N):
            assert error(projections(double, "forward-mode", at_once=at_once), expected) < 1e-8
        assert error(jvps(double), expected) < 1e-8
    for at_once in (1, N):
        assert error(projections(single, "forward-mode", at_once=at_once), expected) < 1e-5
    assert error(jvps(single), expected) < 1e-5


@pytest.mark.parametrize("name", BUILDERS)
def test_zeroth_order_converges_with_the_square_of_its_step(name):
    example = make(name)
    freeze_linears(example.model)
    for module in example.model.modules():
        if isinstance(getattr(module, "activation_fn", None), nn.ReLU):
            # OPT's: with kinks there is no Taylor series to converge by
            module.activation_fn = nn.GELU()
    with DoublePrecision():
        exact = projections(example, "forward-mode")
        coarse, fine = (
            error(projections(example, "zeroth-order", epsilon=epsilon, at_once=2), exact)
            for epsilon in (4e-4, 2e-4)
        )
    assert coarse < 0.02
    assert 3.9 < coarse / fine < 4.1


def flops(example: Example, kind: str, **settings: Any) -> float:
    """FLOPs of a step in units of a forward pass."""
    return count_flops(step(example, kind, **settings)) / count_flops(example.forward)


def trained_share(example: Example) -> float:
    """How much of a forward pass lies in the towers that have adapters."""
    base = example.model.get_base_model()
    tower = getattr(getattr(base, "model", None), "visual", None)
    if tower is None or any(value.requires_grad for value in tower.parameters()):
        return 1.0
    with torch.no_grad():
        inputs = example.inputs["pixel_values"].float(), example.inputs["image_grid_thw"]
        return 1 - count_flops(lambda: tower(*inputs)) / count_flops(example.forward)


@pytest.mark.parametrize("name", BUILDERS)
def test_a_step_costs_as_many_forward_passes_as_promised(name):
    """2 for backpropagation, 3 with checkpoints, 2n zeroth order, 1 + n forward mode.

    Of less than that, the lower bounds allow: the first layer's inputs depend on no adapter,
    and a tower without adapters is passed forward alone. Of more: adapters, heads, and two
    products for a tangent of a product in attention.
    """
    example = make(name, layers=4, hidden=128, length=16, dtype=torch.float32, padded=False)
    share = trained_share(example)
    stock = flops(example, "forward-mode", perturbations=N)
    # three products where one would do, and the forward pass again for each direction
    assert stock > (1 + 1.7 * share) * N
    freeze_linears(example.model)
    assert 1 + 0.9 * share < flops(example, "backprop") <= 2.05
    # the estimate itself takes a multiply-add for each parameter and direction
    assert flops(example, "zeroth-order", perturbations=N) == pytest.approx(2 * N, rel=1e-3)
    assert 1 + 0.9 * share < flops(example, "forward-mode") <= 2.05
    together = flops(example, "forward-mode", perturbations=N, at_once=N)
    assert 1 + 0.9 * share * N < together <= 1.05 + N
    gradient = step(example, "backprop")().gradient
    checkpoint(example.model, "every-layer")
    torch.testing.assert_close(step(example, "backprop")().gradient, gradient)
    # recomputing stops at what backward needs last, before a layer's last product
    assert 1 + 1.5 * share < flops(example, "backprop") <= 3.05


@pytest.mark.parametrize("name", BUILDERS)
def test_memory_grows_with_depth_for_backpropagation_alone(name):
    depths, peaks = (2, 4, 8), []
    for layers in depths:
        # a batch whose activations outweigh the adapters, of which all methods keep copies
        example = make(
            name, layers=layers, hidden=64, length=32, batch=8, dtype=torch.float32, padded=False
        )
        freeze_linears(example.model)
        inputs = [value for value in example.inputs.values() if isinstance(value, Tensor)]
        known = [*example.model.parameters(), *example.model.buffers(), *inputs]

        def peak(kind: str, example=example, known=known, **settings: Any) -> int:
            with MemoryAbove(known) as memory:
                step(example, kind, **settings)()
            return memory.peak

        peaks.append(
            (
                peak("backprop"),
                peak("zeroth-order"),
                peak("forward-mode"),
                peak("forward-mode", perturbations=N, at_once=N),
            )
        )
    backprop, *others = zip(*peaks, strict=True)
    assert backprop[2] - backprop[1] == pytest.approx(2 * (backprop[1] - backprop[0]), rel=0.15)
    assert backprop[2] > 3 * backprop[0]
    for other in others:
        assert max(other) < 1.05 * min(other)
    # tangents: forward mode keeps about twice what zeroth order does, and more at once
    zeroth_order, forward, together = (other[0] for other in others)
    assert zeroth_order < forward < together
