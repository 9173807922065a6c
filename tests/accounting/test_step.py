"""The cost of a step, counted while it is taken."""

from __future__ import annotations

import torch
from torch import nn

from gradcost.accounting.step import measure


def test_the_cost_of_a_step_counts_forward_and_step_and_what_memory_is_for():
    model = nn.Linear(64, 64, bias=False)
    x = torch.ones(2, 64)
    steps = []

    def step():
        steps.append(1)
        gradients = torch.autograd.grad(model(x).sum(), list(model.parameters()))
        state = [torch.zeros_like(value) for value in model.parameters()]
        return {"gradients": gradients, "states": state}

    cost = measure(model, dict(model.named_parameters()), lambda: model(x), step, [x])
    assert len(steps) == 1
    assert cost.forward_flops == 2 * 2 * 64 * 64
    assert cost.forward_equivalents == 2.0
    assert cost.trainable_parameters == cost.total_parameters == 64 * 64
    assert cost.model_bytes == cost.peak.trainable_parameters == 64 * 64 * 4
    assert cost.peak.gradients == cost.peak.states == cost.model_bytes
    assert cost.peak.frozen_weights == 0
    assert cost.peak_bytes == cost.peak.total
