"""A vision-language model: its images, its frozen part, and what of it is packed."""

from __future__ import annotations

import io
from pathlib import Path

import PIL.Image
import pytest
import torch
from torch.func import functional_call

from gradcost.accounting.meter import Meter
from gradcost.estimators import load
from gradcost.models import store, vision
from gradcost.models.build import build
from gradcost.models.frozen import FrozenLinear
from gradcost.tasks import images
from gradcost.tasks.tokens import Split
from gradcost.training.answers import answer_loss
from gradcost.training.objective import Objective, batch_loss
from tests.runs import small_spec
from tests.stand_ins import weights

SIZE, LENGTH, ANSWER = 64, 12, 3


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A stand-in of Qwen2-VL, and two images."""
    made = tmp_path_factory.mktemp("qwen2_vl")
    (made / "weights").mkdir()
    weights("qwen2_vl", made / "weights")
    store.prepare({"source": {"folder": str(made / "weights")}}, {}, made)
    pictures = []
    for size, colour in (((90, 30), "red"), ((20, 50), "blue")):
        file = io.BytesIO()
        PIL.Image.new("RGB", size, colour).save(file, "jpeg")
        pictures.append((colour, file.getvalue()))
    images.write(made / images.FILE, pictures)
    return made


def spec(method: str = "bp-vanilla", **model) -> dict:
    made = small_spec(method, model={"image_size": SIZE, **model})
    made["method"]["objective"] = "answer"
    return made


def rows(folder: Path) -> Split:
    """One row for each image: padding, the image, a question and an answer."""
    found = vision.ImageProcessor(store.locate(folder), SIZE).placeholder
    assert found.count == 4
    text = torch.arange(5, 5 + LENGTH)
    ids = torch.stack([torch.cat([torch.zeros(2), torch.full((4,), found.token), text])] * 2)
    mask = torch.ones_like(ids, dtype=torch.bool)
    mask[:, :2] = False
    return Split(ids.long(), mask, torch.tensor([ANSWER, 2]), torch.tensor([0, 1]))


def ready(folder: Path, made: dict):
    return build(made, folder, 0, ANSWER, folder / images.FILE)


def shaken(params) -> None:
    """Adapters start as nothing: let them do something."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for value in params.values():
            value.add_(torch.randn(value.shape, generator=generator) / 8)


def test_what_lies_below_all_that_is_trained_is_run_once_and_changes_nothing(folder):
    found = ready(folder, spec())
    shaken(found.params)
    batch = rows(folder)
    below, whole = found.model.inputs(batch), found.model.shown(batch)
    assert set(below) == {"inputs_embeds", "attention_mask", "position_ids"}
    torch.testing.assert_close(found.model(**below).logits, found.model(**whole).logits)
    # the image counts
    swapped = Split(batch.ids, batch.mask, batch.labels, batch.images.flip(0))
    other = found.model(**found.model.inputs(swapped)).logits
    assert not torch.allclose(other, found.model(**below).logits, atol=1e-6)


def test_a_tower_that_is_trained_is_run_each_time(folder):
    found = ready(folder, spec(trainable="all"))
    assert "pixel_values" in found.inputs(rows(folder))
    loss = batch_loss(found.model, rows(folder), None, answer_loss, found.inputs)
    gradients = torch.autograd.grad(loss(found.params), list(found.params.values()),
                                    allow_unused=True)  # fmt: skip
    seen = dict(zip(found.params, gradients, strict=True))
    tower = [name for name in seen if "visual" in name]
    assert tower
    assert all(seen[name] is not None for name in tower)


# a finite difference divides the last bits of a loss in float32
@pytest.mark.parametrize(("kind", "noise"), [("forward-mode", 1e-6), ("zeroth-order", 1e-3)])
def test_directions_together_are_those_in_turn(folder, kind, noise):
    found = ready(folder, spec())
    shaken(found.params)
    estimates = []
    for at_once in (1, 4):
        loss = batch_loss(found.model, rows(folder), None, answer_loss, found.inputs)
        estimator = load(kind=kind, perturbations=4, at_once=at_once)
        estimates.append(estimator.estimate(loss, found.params, (), 3)[0].gradient)
    for name, value in estimates[0].items():
        torch.testing.assert_close(value, estimates[1][name], rtol=1e-3, atol=noise)


def test_forward_mode_is_the_derivative(folder):
    """In float64, along a direction, against backpropagation."""
    found = ready(folder, spec(dtype="float64"))
    shaken(found.params)
    batch = rows(folder)
    # the library's softmax is in float32, in which float64's least number is minus infinity
    batch.mask[:] = True
    params, inputs = dict(found.params), found.inputs(batch)
    assert inputs["inputs_embeds"].dtype == torch.float64

    def loss(params):
        return answer_loss(functional_call(found.model, params, (), inputs).logits, rows(folder))

    tangents = {name: torch.randn_like(value) for name, value in params.items()}
    _, slope = torch.func.jvp(loss, (params,), (tangents,))
    gradients = torch.autograd.grad(loss(params), list(params.values()))
    exact = sum(
        (gradient * tangent).sum()
        for gradient, tangent in zip(gradients, tangents.values(), strict=True)
    )
    # the loss itself is summed up in float32
    torch.testing.assert_close(slope.double(), exact, rtol=1e-5, atol=0)


def test_in_four_bits_the_tower_stays_dense(folder):
    found = ready(folder, spec(quantisation="nf4"))
    packed = {
        name for name, module in found.model.named_modules()
        if isinstance(module, FrozenLinear) and module.weight.dtype == torch.uint8
    }  # fmt: skip
    assert packed
    assert not [name for name in packed if "visual" in name or "lm_head" in name]


def test_the_cost_of_a_run_counts_the_tower_once_a_batch(folder):
    """Ten directions in turn: the tower once, what lies above it twenty times."""
    found, batch = ready(folder, spec()), rows(folder)
    flops = []
    for perturbations in (1, 10):
        loss = batch_loss(found.model, batch, None, answer_loss, found.inputs)
        with Meter() as meter:
            estimator = load(kind="zeroth-order", perturbations=perturbations)
            estimator.estimate(loss, found.params, (), 0)
        flops.append(meter.flops)
    with Meter() as tower:
        found.inputs(batch)
    with Meter() as above, torch.no_grad():
        found.model(**found.inputs(batch))
    forward = above.flops - tower.flops
    # and a sum of directions, each times its slope
    summed = 2 * sum(value.numel() for value in found.params.values())
    assert flops == [tower.flops + n * (2 * forward + summed) for n in (1, 10)]


def test_an_objective_counts_what_it_prepares(folder):
    found = ready(folder, spec())
    batch = rows(folder)
    objective = Objective(found.model, batch, 2, 0, "cpu", None, answer_loss, found.inputs)
    objective.preparation = 0.25
    loss = objective.at(1)
    loss(found.params)
    loss(found.params)
    assert (objective.batches, objective.evaluations) == (1, 2.25)
    objective.at(2)(found.params)
    assert (objective.batches, objective.evaluations) == (2, 3.5)


def test_a_model_that_takes_no_images_is_named(tmp_path):
    (tmp_path / "weights").mkdir()
    weights("llama", tmp_path / "weights")
    store.prepare({"source": {"folder": str(tmp_path / "weights")}}, {}, tmp_path)
    with pytest.raises(ValueError, match="takes no images: its config has no image_token_id"):
        vision.ImageProcessor(store.locate(tmp_path), SIZE)


def test_the_paper_s_images_make_as_many_tokens_as_published(tmp_path):
    (tmp_path / "weights").mkdir()
    weights("qwen2_vl", tmp_path / "weights")
    store.prepare({"source": {"folder": str(tmp_path / "weights")}}, {}, tmp_path)
    processor = vision.ImageProcessor(store.locate(tmp_path), 512)
    assert processor.placeholder.count == 324
    pixels, grid = processor.pixels([PIL.Image.new("RGB", (33, 700))])
    assert grid.tolist() == [[1, 36, 36]]
    assert len(pixels) == 4 * 324
