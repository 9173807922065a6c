"""Counts of FLOPs and bytes against sums done by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from gradcost.accounting.flops import count_flops
from gradcost.accounting.memory import PeakMemory, stored_bytes
from gradcost.accounting.step import measure


def test_a_product_is_two_flops_a_multiply_add():
    a, b = torch.ones(3, 4), torch.ones(4, 5)
    assert count_flops(lambda: a @ b) == 2 * 3 * 4 * 5
    assert count_flops(lambda: a + a) == 0


def test_the_peak_is_the_most_that_is_alive_at_once():
    a = torch.ones(1000)
    with PeakMemory([a]) as memory:
        b = a + 1
        c = b + 1
        assert memory.live == 8000
        del b
        assert memory.live == 4000
        d = c + 1
        assert memory.peak == 8000
        del c, d
    assert memory.live == 0
    assert memory.peak == 8000


def test_views_updates_in_place_and_what_was_known_take_no_memory():
    a = torch.ones(1000)
    with PeakMemory([a]) as memory:
        a.view(10, 100).t()
        a += 1
    assert memory.peak == 0


@pytest.mark.parametrize("layers", [4, 8])
def test_the_activations_of_backprop_grow_with_depth_and_those_of_inference_do_not(layers):
    rows, width = 64, 32
    body = [nn.Sequential(nn.Linear(width, width, bias=False), nn.Tanh()) for _ in range(layers)]
    model = nn.Sequential(*body)
    x = torch.ones(rows, width)
    activation = rows * width * 4
    with PeakMemory([*model.parameters(), x]) as memory, torch.no_grad():
        model(x)
    assert memory.peak <= 3 * activation
    with PeakMemory([*model.parameters(), x]) as memory:
        model(x).sum().backward()
    # each layer keeps the output of its tanh
    assert memory.peak >= layers * activation


def test_tied_weights_are_stored_once():
    one, two = nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False)
    assert stored_bytes([*one.parameters(), *two.parameters()]) == 2 * 64
    two.weight = one.weight
    assert stored_bytes([one.weight, two.weight]) == 64


def test_the_cost_of_a_step_counts_forward_and_step_and_weights():
    model = nn.Linear(8, 8, bias=False)
    x = torch.ones(2, 8)
    undone = []
    cost = measure(
        model, lambda: model(x), lambda: model(x).sum().backward(), lambda: undone.append(1), 64
    )
    assert undone == [1, 1]
    assert cost.forward_flops == 2 * 2 * 8 * 8
    assert cost.forward_equivalents == 2.0
    assert cost.model_bytes == 256
    assert cost.peak_bytes > 256
