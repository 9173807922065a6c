"""Models ready to be finetuned: what is trained, where it starts, what is refused."""

from __future__ import annotations

import pytest
import torch

from gradcost.models import store
from gradcost.models.build import build, trainable
from gradcost.models.frozen import FrozenLinear

SPEC = {"dtype": "float32", "lora": {"rank": 1, "alpha": 1.0, "targets": ["q_proj", "v_proj"]}}


@pytest.fixture(scope="module")
def manifest_folder(llama_folder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("manifest")
    store.prepare({"source": {"folder": str(llama_folder)}}, {}, folder)
    return folder


def made(folder, seed=0, checkpointing=False, **changes):
    return build(SPEC | changes, folder, 4, checkpointing=checkpointing, seed=seed, device="cpu")


def test_adapters_and_head_are_trained_and_nothing_else(manifest_folder):
    model = made(manifest_folder)
    params = trainable(model)
    # 2 layers x (q, v) x (16 + 16), and a head of 4 x 16
    assert sum(value.numel() for value in params.values()) == 2 * 2 * 32 + 4 * 16
    assert all("lora_" in name or "score" in name for name in params)
    frozen = [module for module in model.modules() if isinstance(module, FrozenLinear)]
    assert len(frozen) >= 2 * 7
    assert not model.training


def test_the_start_follows_from_the_seed_alone(manifest_folder):
    first, again, other = (trainable(made(manifest_folder, seed)) for seed in (0, 0, 1))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)
    # common random numbers: checkpointing is another method, with the same start
    third = trainable(made(manifest_folder, 0, checkpointing=True))
    assert all(torch.equal(first[name], third[name]) for name in first)


def test_checkpointing_recomputes_and_gives_the_same_gradient(manifest_folder):
    from gradcost.training.run import loss_function

    batch = _batch()
    gradients, calls = [], []
    for checkpointing in (False, True):
        model = made(manifest_folder, checkpointing=checkpointing)
        params = trainable(model)
        count = []
        hook = next(m for n, m in model.named_modules() if n.endswith("layers.1.input_layernorm"))
        hook.register_forward_hook(lambda *_, count=count: count.append(1))
        loss = loss_function(model, batch, own_only=checkpointing)(params)
        gradients.append(torch.autograd.grad(loss, list(params.values())))
        calls.append(len(count))
    assert calls == [1, 2]
    for plain, recomputed in zip(*gradients, strict=True):
        torch.testing.assert_close(plain, recomputed)


def test_checkpointing_refuses_parameters_that_are_not_the_model_s_own(manifest_folder):
    from gradcost.training.run import loss_function

    model = made(manifest_folder, checkpointing=True)
    params = {name: value.clone() for name, value in trainable(model).items()}
    with pytest.raises(ValueError, match="only the model's own parameters"):
        loss_function(model, _batch(), own_only=True)(params)


def test_a_model_in_four_bits_is_finetuned_with_exact_jvps(llama_folder, tmp_path):
    """bitsandbytes' own layers give wrong ones under torch.func, in silence."""
    from gradcost.estimators import directions, load
    from gradcost.training.run import loss_function

    store.prepare({"source": {"folder": str(llama_folder)}}, {}, tmp_path)
    model = made(tmp_path, quantisation="nf4")
    params = trainable(model)
    assert any(hasattr(module.weight, "quant_state") for module in model.modules()
               if isinstance(module, FrozenLinear))  # fmt: skip
    loss = loss_function(model, _batch(), own_only=False)
    truth, _ = load("backprop").estimate(loss, params, (), 0)
    for at_once in (1, 3):
        found, _ = load("forward-mode", perturbations=3, at_once=at_once).estimate(
            loss, params, (), 5
        )
        expected = [
            sum((truth.gradient[n] * v).sum() for n, v in directions.draw(params, 5, i).items())
            for i in range(3)
        ]
        torch.testing.assert_close(found.projections, torch.stack(expected), rtol=1e-3, atol=1e-4)


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
