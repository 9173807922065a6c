"""Every method on the study's architectures, in float64: each slope that it takes is exact."""

from __future__ import annotations

import pytest
import torch

from gradcost.estimators import directions, load
from gradcost.estimators.directional import Directional
from gradcost.models.frozen import freeze_linears
from tests.counters import MemoryAbove
from tests.estimators.problems import flat, inner
from tests.models import architectures
from tests.models.architectures import DoublePrecision

ARCHITECTURES = ["llama", "opt", "bert", "roberta", "qwen2_vl"]
REDUCTIONS = {
    "vanilla": None,
    "multiple": None,
    "accumulate": {"window": 2},
    "adaptive": {},
    "svrg": {"snapshot_every": 1},
    "sparse": {"share": 0.01},
}


class Batches:
    """The loss of an example, and a training set of two batches of which it is one."""

    def __init__(self, example: architectures.Example) -> None:
        self.example = example
        self.batches = [(0.5, self), (0.5, lambda params: 2 * example.loss(params))]

    def __call__(self, params):
        return self.example.loss(params)


def made(method: str, kind: str):
    own = {"epsilon": 1e-5} if kind == "zeroth-order" else {}
    many = {"perturbations": 3, "at_once": 3} if method == "multiple" else {}
    base = load(kind, **own, **many)
    settings = REDUCTIONS[method]
    return base if settings is None else load(method, base=base, **settings)


@pytest.fixture(scope="module", params=ARCHITECTURES)
def example(request):
    found = architectures.make(request.param)
    freeze_linears(found.model)
    return found


@pytest.mark.parametrize("method", REDUCTIONS)
@pytest.mark.parametrize(("kind", "tolerance"), [("forward-mode", 1e-8), ("zeroth-order", 1e-5)])
def test_every_slope_of_every_method_is_the_gradient_along_its_direction(
    example, method, kind, tolerance, monkeypatch
):
    seen = []
    along = Directional.along

    def recorded(self, loss, params, draw, count):
        found = along(self, loss, params, draw, count)
        seen.append((loss, params, [draw(index) for index in range(count)], found))
        return found

    monkeypatch.setattr(Directional, "along", recorded)
    with DoublePrecision():
        params = {name: value.detach().clone() for name, value in example.params.items()}
        estimator = made(method, kind)
        state = estimator.init(params)
        for seed in range(2):
            found, state = estimator.estimate(Batches(example), params, state, seed)
            params = {name: value - 1e-3 * found.gradient[name] for name, value in params.items()}
        assert len(seen) >= 2
        for loss, at, drawn, found in seen:
            truth = load("backprop").estimate(loss, at, (), 0)[0].gradient
            slopes = torch.stack([inner(truth, v) for v in drawn])
            scale = flat(truth).norm()
            error = (found.projections - slopes).abs().max() / scale
            assert error < tolerance
            parts = [s * flat(v) for s, v in zip(found.projections, drawn, strict=True)]
            torch.testing.assert_close(flat(found.gradient), torch.stack(parts).mean(0))


def all_parameters(example):
    return dict(example.model.named_parameters())


@pytest.mark.parametrize("difference", ["central", "one-sided"])
def test_a_step_of_the_whole_model_in_place_is_that_of_the_estimator(example, difference):
    with DoublePrecision():
        before = {k: v.detach().clone() for k, v in all_parameters(example).items()}
        settings = {"perturbations": 2, "difference": difference}
        expected, _ = load("zeroth-order", **settings).estimate(example.loss, before, (), 4)
        live = {k: v.clone() for k, v in before.items()}
        load("zeroth-order-in-place", **settings).step(lambda: example.loss(live), live, 4, 1e-2)
    for name, value in before.items():
        found = (value - live[name]) / 1e-2
        torch.testing.assert_close(found, expected.gradient[name], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_training_a_whole_model_in_place_takes_the_memory_of_inference(name, monkeypatch):
    monkeypatch.setattr(directions, "BLOCK", 2**10)
    example = architectures.make(name, hidden=64, dtype=torch.float32)
    params = {name: value.detach() for name, value in all_parameters(example).items()}
    known = [*example.model.parameters(), *example.model.buffers(), *example.inputs.values()]
    known = [value for value in known if isinstance(value, torch.Tensor)]
    weights = sum(value.numel() * value.element_size() for value in params.values())
    with MemoryAbove(known) as inference:
        example.forward()
    with MemoryAbove(known) as memory:
        load("zeroth-order-in-place").step(lambda: example.loss(params), params, 1, 1e-3)
    assert weights + memory.peak <= 1.05 * (weights + inference.peak)


@pytest.mark.parametrize("kind", ["forward-mode", "zeroth-order"])
def test_the_mean_of_many_directions_is_as_far_from_the_gradient_as_the_lemmas_say(example, kind):
    """E|g - grad f|^2 = (d + 1)/n |grad f|^2 (Lemmas I.3 to I.6): a bias would not fall with n."""
    n = 400
    own = {"epsilon": 1e-5} if kind == "zeroth-order" else {}
    with DoublePrecision():
        params = {name: value.detach() for name, value in example.params.items()}
        truth = flat(load("backprop").estimate(example.loss, params, (), 0)[0].gradient)
        estimator = load(kind, perturbations=n, at_once=100, **own)
        found, _ = estimator.estimate(example.loss, params, (), 1)
    square = (flat(found.gradient) - truth).pow(2).sum() / truth.pow(2).sum()
    # the square of a vector of d nearly independent components: relative spread sqrt(2 / d)
    d = len(truth)
    assert float(square * n / (d + 1)) == pytest.approx(1, abs=5 * (2 / d) ** 0.5)
    # and the slopes are N(0, |grad f|^2)
    ratio = float(found.projections.pow(2).mean() / truth.pow(2).sum())
    assert ratio == pytest.approx(1, abs=5 * (2 / n) ** 0.5)
