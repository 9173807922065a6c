"""Models ready to be finetuned: what is trained, where it starts, what is refused."""

from __future__ import annotations

import pytest
import torch

from gradcost.models import store
from gradcost.models.build import build
from gradcost.models.frozen import FrozenLinear
from gradcost.training.objective import batch_loss
from tests.runs import small_spec


@pytest.fixture(scope="module")
def manifest_folder(llama_folder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("manifest")
    store.prepare({"source": {"folder": str(llama_folder)}}, {}, folder)
    return folder


def made(folder, method="bp-vanilla", seed=0, model=None, **changes):
    spec = small_spec(method, seed=seed)
    spec["model"] |= model or {}
    spec["method"] |= changes
    return build(spec, folder, 4)


def test_adapters_and_head_are_trained_and_nothing_else(manifest_folder):
    ready = made(manifest_folder)
    model, params = ready.model, ready.params
    # 2 layers x (q, v) x (16 + 16), and a head of 4 x 16
    assert sum(value.numel() for value in params.values()) == 2 * 2 * 32 + 4 * 16
    assert all("lora_" in name or "score" in name for name in params)
    frozen = [module for module in model.modules() if isinstance(module, FrozenLinear)]
    assert len(frozen) >= 2 * 7
    assert not model.training


def test_the_start_follows_from_the_seed_alone(manifest_folder):
    first, again, other = (made(manifest_folder, seed=seed).params for seed in (0, 0, 1))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)
    # common random numbers: checkpointing is another method, with the same start
    third = made(manifest_folder, "bp-checkpointing").params
    assert all(torch.equal(first[name], third[name]) for name in first)


def test_checkpointing_recomputes_and_gives_the_same_gradient(manifest_folder):
    batch = _batch()
    gradients, calls = [], []
    for checkpointing in ("none", "every-layer"):
        ready = made(manifest_folder, checkpointing=checkpointing)
        model, params = ready.model, ready.params
        count = []
        hook = next(m for n, m in model.named_modules() if n.endswith("layers.1.input_layernorm"))
        hook.register_forward_hook(lambda *_, count=count: count.append(1))
        loss = batch_loss(model, batch, params if checkpointing != "none" else None)(params)
        gradients.append(torch.autograd.grad(loss, list(params.values())))
        calls.append(len(count))
    assert calls == [1, 2]
    for plain, recomputed in zip(*gradients, strict=True):
        torch.testing.assert_close(plain, recomputed)


def test_checkpointing_refuses_parameters_that_are_not_the_model_s_own(manifest_folder):
    ready = made(manifest_folder, "bp-checkpointing")
    params = {name: value.clone() for name, value in ready.params.items()}
    with pytest.raises(ValueError, match="only the model's own parameters"):
        batch_loss(ready.model, _batch(), ready.params)(params)


def test_a_model_in_four_bits_is_finetuned_with_exact_jvps(llama_folder, tmp_path):
    """bitsandbytes' own layers give wrong ones under torch.func, in silence."""
    from gradcost.estimators import load
    from gradcost.estimators.directions import Directions

    store.prepare({"source": {"folder": str(llama_folder)}}, {}, tmp_path)
    ready = made(tmp_path, model={"quantisation": "nf4"})
    model, params = ready.model, ready.params
    assert any(hasattr(module.weight, "quant_state") for module in model.modules()
               if isinstance(module, FrozenLinear))  # fmt: skip
    loss = batch_loss(model, _batch())
    truth, _ = load("backprop").estimate(loss, params, (), 0)
    for at_once in (1, 3):
        found, _ = load("forward-mode", perturbations=3, at_once=at_once).estimate(
            loss, params, (), 5
        )
        expected = [
            sum((truth.gradient[n] * v).sum() for n, v in Directions().draw(params, 5, i).items())
            for i in range(3)
        ]
        torch.testing.assert_close(found.projections, torch.stack(expected), rtol=1e-3, atol=1e-4)


def test_all_parameters_can_be_trained(manifest_folder):
    ready = made(manifest_folder, model={"trainable": "all"})
    assert set(ready.params) == {name for name, _ in ready.model.named_parameters()}
    assert not any(isinstance(module, FrozenLinear) for module in ready.model.modules())


@pytest.mark.parametrize("quantisation", [None, "nf4"])
def test_the_largest_weights_can_be_trained_instead_of_adapters(manifest_folder, quantisation):
    changes = {"trainable": "sparse", "share": 0.01, "quantisation": quantisation}
    ready = made(manifest_folder, model=changes)
    # 2 layers x (4 of 16 x 16, 3 of 16 x 32), and the head
    d = 2 * (4 * 16 * 16 + 3 * 16 * 32)
    sizes = {name: value.numel() for name, value in ready.params.items()}
    assert sizes == {"selection.values": -(-d // 100), "score.weight": 64}
    assert ready.selection.values is ready.params["selection.values"]


def test_label_words_take_the_place_of_a_head(manifest_folder):
    spec = small_spec("zo-vanilla")
    spec["method"]["objective"] = "label-words"
    spec["task"] |= {"label_words": ["bid", "oil", "profit", "tariff"], "prompt": " goods"}
    ready = build(spec, manifest_folder, 4)
    assert not any("score" in name for name in ready.params)
    batch = _batch()
    logits = ready.model(input_ids=batch.ids, attention_mask=batch.mask).logits
    assert logits.shape == (3, 4)
    tokenizer = store.tokenizer(manifest_folder)
    assert list(ready.prompt) == tokenizer("goods")["input_ids"]
    spec["task"]["label_words"] = ["bid", "oil"]
    with pytest.raises(ValueError, match=r"tasks\.news\.label_words has 2 words; .* 4 classes"):
        build(spec, manifest_folder, 4)


def test_stock_linears_are_left_in_place_on_request(manifest_folder):
    ready = made(manifest_folder, frozen_linears=False)
    assert not any(isinstance(module, FrozenLinear) for module in ready.model.modules())


def test_weights_that_are_not_those_of_the_manifest_are_refused(llama_folder, tmp_path):
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(llama_folder, copy)
    store.prepare({"source": {"folder": str(copy)}}, {}, tmp_path / "manifest")
    (copy / "config.json").write_text("{}")
    with pytest.raises(ValueError, match=r"config\.json in .*copy"):
        store.locate(tmp_path / "manifest")
    with pytest.raises(FileNotFoundError, match="no folder"):
        store.prepare({"source": {"folder": str(tmp_path / "none")}}, {}, tmp_path / "x")


def _batch():
    from gradcost.tasks.tokens import Split

    torch.manual_seed(1)
    mask = torch.ones(3, 6, dtype=torch.bool)
    mask[0, 4:] = False
    ids = torch.randint(1, 20, (3, 6)).masked_fill(~mask, 0)
    return Split(ids, mask, torch.tensor([0, 3, 1]))
