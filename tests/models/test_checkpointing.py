"""Checkpointing: the same gradients, for other amounts of memory and FLOPs."""

from __future__ import annotations

import gc
import weakref
from itertools import pairwise
from math import ceil, sqrt
from typing import get_args

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from gradcost.accounting import closed_form
from gradcost.accounting.meter import Meter
from gradcost.accounting.step import measure
from gradcost.models.checkpointing import checkpoint, segments
from gradcost.models.frozen import freeze_linears
from gradcost.study.config import Checkpointing
from gradcost.study.record import Cost
from tests.counters import count_flops
from tests.models.architectures import CLASSES, IMAGES, Example, make

POLICIES = [policy for policy in get_args(Checkpointing) if policy != "none"]
ARCHITECTURES = ["llama", "opt", "bert", "roberta", "qwen2_vl"]
TOWERS = "qwen2_vl_towers"


def gradients(example: Example) -> dict[str, Tensor]:
    params = example.params
    found = torch.autograd.grad(example.loss(params), list(params.values()))
    return dict(zip(params, found, strict=True))


def cost(policy: str, layers: int, hidden: int = 32, batch: int = 4) -> Cost:
    """Of a step of backprop on a Llama in float32."""
    example = make("llama", layers=layers, hidden=hidden, length=32, batch=batch,
                   dtype=torch.float32)  # fmt: skip
    freeze_linears(example.model)
    if policy != "none":
        checkpoint(example.model, policy)
    inputs = [value for value in example.inputs.values() if isinstance(value, Tensor)]
    return measure(
        example.model, example.params, example.forward,
        lambda: {"gradients": list(gradients(example).values())}, inputs,
    )  # fmt: skip


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_gradients_are_those_without_checkpointing(name, policy):
    # three layers: segments of different lengths
    example = make(name, layers=3)
    expected = gradients(example)
    checkpoint(example.model, policy)
    found = gradients(example)
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        torch.testing.assert_close(found[key], value, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("name", [*ARCHITECTURES, TOWERS])
def test_the_loss_is_that_without_checkpointing(name, policy):
    example = make(name, layers=3)
    expected = example.loss(example.params)
    checkpoint(example.model, policy)
    assert torch.equal(example.loss(example.params), expected)


@pytest.mark.parametrize("policy", POLICIES)
def test_each_of_two_towers_has_gradients_as_without_checkpointing(policy):
    example = make(TOWERS, layers=3)
    expected = gradients(example)
    assert any(".visual." in name and value.any() for name, value in expected.items())
    checkpoint(example.model, policy)
    for name, value in gradients(example).items():
        torch.testing.assert_close(value, expected[name], rtol=1e-12, atol=1e-14)


def described(name: str, example: Example) -> closed_form.Description:
    """The closed form's view of an example."""
    targets = {"bert": ("query", "value"), "roberta": ("query", "value"),
               TOWERS: ("q_proj", "v_proj", "qkv")}  # fmt: skip
    head, grids = closed_form.Head(classes=CLASSES), ()
    if name in IMAGES:
        head = closed_form.Head("language-model", positions=1)
        grids = tuple(tuple(grid) for grid in example.inputs["image_grid_thw"].tolist())
    batch = closed_form.Batch(*example.inputs["input_ids"].shape, grids)
    adapters = closed_form.Adapters(1, targets.get(name, ("q_proj", "v_proj")))
    return closed_form.describe(example.model.config, batch, head, adapters)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("name", [*ARCHITECTURES, TOWERS])
def test_flops_are_those_of_the_closed_form(name, policy):
    # five layers: segments of one layer and of two
    example = make(name, layers=5)
    freeze_linears(example.model)
    checkpoint(example.model, policy)
    counted = count_flops(lambda: gradients(example))
    assert counted == closed_form.backprop(described(name, example), policy)


@pytest.mark.parametrize("policy", POLICIES)
def test_gradients_through_packed_weights_are_the_same(policy):
    example = make("llama", layers=3, hidden=64, dtype=torch.float32, packed=True)
    freeze_linears(example.model)
    expected = gradients(example)
    checkpoint(example.model, policy)
    for key, value in gradients(example).items():
        torch.testing.assert_close(value, expected[key], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("policy", POLICIES)
def test_a_second_step_is_like_the_first(policy):
    example = make("opt", layers=4)
    checkpoint(example.model, policy)
    first, second = gradients(example), gradients(example)
    for key, value in first.items():
        assert torch.equal(second[key], value)


def test_what_is_stored_less_is_computed_again():
    costs = {policy: cost(policy, layers=9) for policy in ("none", *POLICIES)}
    flops = {policy: one.step_flops for policy, one in costs.items()}
    assert flops["none"] < flops["selective"] < flops["every-layer"] < flops["whole-layers"]
    assert flops["offload"] == flops["every-layer"] < flops["segments"] < flops["nested"]
    stored = {policy: one.peak.activations for policy, one in costs.items()}
    assert stored["none"] > stored["selective"] > stored["segments"] > stored["every-layer"]
    assert stored["every-layer"] > stored["offload"]
    assert {one.peak.host for policy, one in costs.items() if policy != "offload"} == {0}


def test_nested_stores_the_least_where_layers_are_many():
    nested, layers, joined = (
        cost(policy, layers=16).peak.activations for policy in ("nested", "every-layer", "segments")
    )
    assert nested < layers < joined


@pytest.mark.parametrize(
    ("policy", "grows_with"),
    [("none", lambda p: p), ("every-layer", lambda p: p), ("nested", sqrt), ("segments", sqrt)],
)
def test_activations_grow_with_depth_as_they_should(policy, grows_with):
    """The step from 36 to 64 layers over that from 16 to 36."""
    few, some, many = (cost(policy, layers=p).peak.activations for p in (16, 36, 64))
    expected = (grows_with(64) - grows_with(36)) / (grows_with(36) - grows_with(16))
    assert (many - some) / (some - few) == pytest.approx(expected, rel=0.1)


def test_offload_keeps_the_inputs_of_layers_in_the_memory_of_the_host():
    few, many = cost("offload", layers=4), cost("offload", layers=12)
    assert many.peak.activations <= 1.02 * few.peak.activations
    hidden = 4 * 32 * 32 * 4  # rows, tokens, numbers, bytes
    assert many.peak.host - few.peak.host == 8 * hidden


@pytest.mark.parametrize("name", [*ARCHITECTURES, TOWERS])
def test_offload_moves_the_inputs_of_layers_and_nothing_that_layers_share(name):
    example = make(name, layers=3, dtype=torch.float32)
    checkpoint(example.model, "offload")
    with Meter() as meter:
        gradients(example)
    # the vision tower has as many patches as the text has tokens
    towers = 2 if name == TOWERS else 1
    hidden = 2 * 8 * 32 * 4  # rows, tokens, numbers, bytes
    assert meter.peak().host == towers * 3 * hidden


def test_offload_lets_go_of_the_inputs_of_layers():
    example = make("llama", layers=4)
    checkpoint(example.model, "offload")
    alive = []
    for layer in example.model.base_model.model.model.layers:

        def spied(hidden, *args, run=layer.forward, **kwargs):
            alive.append(weakref.ref(hidden))
            return run(hidden, *args, **kwargs)

        layer.forward = spied
    loss = example.loss(example.params)
    gc.collect()
    assert len(alive) == 4
    assert [one() for one in alive] == [None] * 4
    loss.backward()


@pytest.mark.parametrize("policy", POLICIES)
def test_nothing_is_run_again_where_no_gradient_is_asked_for(policy):
    example = make("llama", layers=4)
    plain = count_flops(example.forward)
    checkpoint(example.model, policy)
    assert count_flops(example.forward) == plain


def test_layers_below_all_that_is_trained_are_not_run_again():
    def again(trained: int) -> int:
        """FLOPs of checkpointing four layers, of which the upper ones are trained."""
        example = make("llama", layers=4)
        for name, value in example.model.named_parameters():
            if any(f"layers.{index}." in name for index in range(4 - trained)):
                value.requires_grad_(False)
        plain = count_flops(lambda: gradients(example))
        checkpoint(example.model, "every-layer")
        return count_flops(lambda: gradients(example)) - plain

    assert [again(trained) for trained in (1, 2, 4)] == [n * again(1) for n in (1, 2, 4)]
    assert again(1) > 0


@given(layers=st.integers(1, 500))
def test_segments_are_as_many_as_the_root_of_the_layers_and_as_equal_as_can_be(layers):
    bounds = segments(layers)
    lengths = [after - before for before, after in pairwise(bounds)]
    assert (bounds[0], bounds[-1]) == (0, layers)
    assert len(lengths) == ceil(sqrt(layers))
    assert min(lengths) >= 1
    assert max(lengths) - min(lengths) <= 1


def test_a_model_without_layers_is_an_error():
    with pytest.raises(ValueError, match="Linear has no layers that can be checkpointed"):
        checkpoint(nn.Linear(2, 2), "every-layer")
