"""The meter against sums done by hand, PyTorch's counter and the CPU's allocator."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.profiler import ProfilerActivity, profile, record_function

from gradcost.accounting.meter import MANY, Meter, stored_bytes
from gradcost.estimators import load
from gradcost.models.checkpointing import checkpoint
from gradcost.models.frozen import freeze_linears
from tests.counters import count_flops
from tests.models import architectures

METHODS = {
    "bp": {"kind": "backprop"},
    "bp-checkpointing": {"kind": "backprop"},
    "zo": {"kind": "zeroth-order"},
    "fmad": {"kind": "forward-mode"},
    "fmad-together": {"kind": "forward-mode", "perturbations": 3, "at_once": 3},
    "zo-together": {"kind": "zeroth-order", "perturbations": 3, "at_once": 3},
}


def allocated(work) -> int:
    """The most bytes that the CPU's allocator had given out at once for `work`."""
    work()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        work()
    events = [e for e in seen.profiler.kineto_results.events() if e.name() == "[memory]"]
    live = most = 0
    for event in sorted(events, key=lambda e: e.start_ns()):
        live += event.nbytes()
        most = max(most, live)
    return most


def above(meter) -> int:
    peak = meter.peak()
    return peak.total - peak.frozen_weights - peak.trainable_parameters


def test_a_product_is_two_flops_a_multiply_add():
    a, b = torch.ones(3, 4), torch.ones(4, 5)
    with Meter() as meter:
        a @ b
        a + a
    assert meter.flops == 2 * 3 * 4 * 5


def test_the_peak_is_the_most_that_is_alive_at_once():
    a = torch.ones(1000)
    with Meter(frozen_weights=[a]) as meter:
        b = a + 1
        c = b + 1
        assert meter.live == 8000
        del b
        assert meter.live == 4000
        d = c + 1
        del c, d
    assert meter.live == 0
    assert meter.peak().total == 4000 + 8000


def test_views_updates_in_place_and_what_was_known_take_no_memory():
    a = torch.ones(1000)
    with Meter(frozen_weights=[a]) as meter:
        a.view(10, 100).t()
        a += 1
    assert above(meter) == 0


def test_what_a_storage_is_for_follows_from_what_it_is_made_of():
    frozen, trained, x = torch.ones(1000), torch.ones(1000), torch.ones(1000)
    with Meter(frozen_weights=[frozen], trainable_parameters=[trained], activations=[x]) as meter:
        dense = frozen.double()
        direction = torch.empty(1000).normal_()
        moved = trained + 1e-3 * direction
        hidden = x * moved
        with record_function("host"):
            copy = hidden.clone()
        gradient = hidden * 2
        state = torch.zeros_like(trained)
        meter.claim("gradients", {"a": [gradient]})
        meter.claim("states", state)
        meter.claim("states", trained)  # keeps what it was
    peak = meter.peak()
    assert peak.model_dump() == {
        "frozen_weights": 4000,
        "trainable_parameters": 4000,
        "activations": 8000,
        "gradients": 4000,
        "states": 4000,
        "directions": 8000,
        "workspace": 8000,
        "host": 4000,
    }
    assert peak.total == 40000
    del dense, direction, moved, hidden, copy, gradient, state


def test_a_claim_holds_from_the_beginning():
    x = torch.ones(1000)
    with Meter() as meter:
        gradient = x + 1
        (gradient + 1).sum()
        meter.claim("gradients", gradient)
    assert meter.peak().gradients == 4000


def test_tangents_are_directions():
    example = architectures.make("llama", layers=2, hidden=64, length=32, dtype=torch.float32)
    freeze_linears(example.model)
    found = {}
    for name in ("zo", "fmad"):
        with Meter(
            trainable_parameters=example.params.values(),
            frozen_weights=[*example.model.parameters(), *example.model.buffers()],
        ) as meter:
            load(**METHODS[name]).estimate(example.loss, example.params, (), 1)
        found[name] = meter.peak()
    sizes = sum(value.numel() * 4 for value in example.params.values())
    assert found["zo"].directions <= 3 * sizes
    assert found["fmad"].directions > 0.5 * found["fmad"].activations


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("layers", [2, 4, 8])
@pytest.mark.parametrize("name", ["llama", "opt", "bert", "roberta", "qwen2_vl"])
def test_the_peak_is_that_of_the_allocator_and_flops_those_of_pytorchs_counter(
    name, layers, method
):
    example = architectures.make(
        name, layers=layers, hidden=64, length=64, batch=4, dtype=torch.float32
    )
    freeze_linears(example.model)
    if method == "bp-checkpointing":
        checkpoint(example.model, "every-layer")
    estimator = load(**METHODS[method])

    def work():
        estimator.estimate(example.loss, example.params, (), 1)

    real = allocated(work)
    with Meter(
        trainable_parameters=example.params.values(),
        frozen_weights=[*example.model.parameters(), *example.model.buffers()],
    ) as meter:
        work()
    assert above(meter) == pytest.approx(real, rel=0.05)
    if layers == 2:
        assert meter.flops == count_flops(work)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("method", METHODS)
def test_the_peak_is_that_of_the_cuda_allocator(method):
    example = architectures.make(
        "llama", layers=4, hidden=256, length=128, batch=8, dtype=torch.float32
    )
    freeze_linears(example.model)
    example.model.cuda()
    for key, value in example.inputs.items():
        example.inputs[key] = value.cuda() if isinstance(value, torch.Tensor) else value
    object.__setattr__(example, "target", example.target.cuda())
    estimator = load(**METHODS[method])
    estimator.estimate(example.loss, example.params, (), 1)
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    estimator.estimate(example.loss, example.params, (), 1)
    real = torch.cuda.max_memory_allocated() - before
    with Meter(
        trainable_parameters=example.params.values(),
        frozen_weights=[*example.model.parameters(), *example.model.buffers()],
    ) as meter:
        estimator.estimate(example.loss, example.params, (), 1)
    assert above(meter) == pytest.approx(real, rel=0.05)


def test_a_trace_of_many_examples_tells_of_any_number():
    mode = FakeTensorMode()

    def traced(examples):
        with mode:
            model = nn.Sequential(nn.Linear(64, 96), nn.Tanh(), nn.Linear(96, 64))
            x = torch.ones(examples, 64)
            with Meter(trainable_parameters=model.parameters(), activations=[x]) as meter:
                model(x).sum().backward()
        return meter.trace(examples)

    many = traced(MANY)
    for examples in (1, 2, 7, 40):
        one = traced(examples)
        assert many.flops_at(examples) == one.flops_at(examples)
        assert many.peak_at(examples) == one.peak_at(examples)


def test_an_allocation_of_which_nothing_is_left_is_no_peak():
    with Meter() as meter:
        torch.ones(1000)
        torch.ones(1000)
    assert meter.peak().total == 4000


def test_tied_weights_are_stored_once():
    one, two = nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False)
    assert stored_bytes([*one.parameters(), *two.parameters()]) == 2 * 64
    two.weight = one.weight
    assert stored_bytes([one.weight, two.weight]) == 64
