"""A checkpoint in GPTQ's format: loaded as it is stored, and finetuned."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from gradcost.models import store
from gradcost.models.build import build
from gradcost.tasks import images
from gradcost.tasks.tokens import Split
from gradcost.training.objective import batch_loss
from tests.models.linears import pack
from tests.runs import small_spec
from tests.stand_ins import weights

GROUP, BITS = 16, 4
DENSE = ("lm_head", "embed", "visual")


def quantised(folder, kind: str) -> dict[str, torch.Tensor]:
    """Pack the linears of a stand-in to the nearest; the weights that its integers stand for."""
    weights(kind, folder)
    tensors = load_file(folder / "model.safetensors")
    stored, dense = {}, {}
    for name, weight in tensors.items():
        stem = name.removesuffix(".weight")
        if weight.ndim != 2 or not name.endswith(".weight") or any(d in name for d in DENSE):
            stored[name] = weight
            continue
        codes, scales = codes_of(weight)
        groups = weight.shape[1] // GROUP
        middle = torch.full((groups, len(weight)), 2 ** (BITS - 1))
        stored |= {
            f"{stem}.qweight": pack(codes.contiguous(), BITS).T.contiguous(),
            f"{stem}.qzeros": pack(middle - 1, BITS),  # version 1 of the format
            f"{stem}.scales": scales.T.contiguous().half(),
            f"{stem}.g_idx": torch.arange(weight.shape[1]).int() // GROUP,
        }
        spread = scales.half().float().repeat_interleave(GROUP, 1)
        dense[name] = (codes - 2 ** (BITS - 1)) * spread
    save_file(stored, folder / "model.safetensors", metadata={"format": "pt"})
    path = folder / "config.json"
    config = json.loads(path.read_text())
    config["quantization_config"] = {
        "quant_method": "gptq", "bits": BITS, "group_size": GROUP, "desc_act": False, "sym": True,
    }  # fmt: skip
    path.write_text(json.dumps(config))
    return dense


def codes_of(weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Integers (out, in) from 0 to 15, and a scale (out, groups) for each group of inputs."""
    parts = weight.unflatten(1, (-1, GROUP))
    scales = parts.abs().amax(-1) / (2 ** (BITS - 1) - 1) + 1e-4
    scales = 2.0 ** scales.log2().ceil()  # with which products are exact in half precision
    codes = (parts / scales[..., None]).round().flatten(1) + 2 ** (BITS - 1)
    return codes.long().clamp(0, 2**BITS - 1), scales


def spec(**model) -> dict:
    made = small_spec("bp-vanilla", model={"quantisation": "gptq", **model})
    made["method"]["objective"] = "answer"
    return made


def prepared(folder, kind: str) -> dict[str, torch.Tensor]:
    (folder / "weights").mkdir(parents=True)
    dense = quantised(folder / "weights", kind)
    store.prepare({"source": {"folder": str(folder / "weights")}}, {}, folder)
    return dense


BATCH = Split(
    torch.arange(5, 29).reshape(2, 12), torch.ones(2, 12, dtype=torch.bool), torch.tensor([2, 3])
)


@pytest.mark.parametrize("kind", ["llama", "opt"])
def test_a_checkpoint_has_the_weights_that_its_integers_stand_for(tmp_path, kind):
    dense = prepared(tmp_path / "packed", kind)
    assert dense
    ready = build(spec(), tmp_path / "packed", 0, 3)
    # the same weights as numbers
    (tmp_path / "plain" / "weights").mkdir(parents=True)
    weights(kind, tmp_path / "plain" / "weights")
    path = tmp_path / "plain" / "weights" / "model.safetensors"
    save_file(load_file(path) | dense, path, metadata={"format": "pt"})
    source = {"folder": str(tmp_path / "plain" / "weights")}
    store.prepare({"source": source}, {}, tmp_path / "plain")
    plain = build(spec(quantisation=None), tmp_path / "plain", 0, 3)
    expected = plain.model(**BATCH.inputs()).logits
    torch.testing.assert_close(ready.model(**BATCH.inputs()).logits, expected, rtol=1e-4, atol=1e-5)
    buffers = dict(ready.model.named_buffers())
    assert {value.dtype for name, value in buffers.items() if "scales" in name} == {torch.float16}
    packed = [name for name in buffers if name.endswith("qweight")]
    assert len(packed) == len(dense)
    # whatever the scales are stored in, adapters are trained in single precision
    assert {value.dtype for value in ready.params.values()} == {torch.float32}


def test_it_is_differentiated_as_any_model(tmp_path):
    prepared(tmp_path, "llama")
    ready = build(spec(), tmp_path, 0, 3)
    from gradcost.training.answers import answer_loss

    loss = batch_loss(ready.model, BATCH, None, answer_loss)
    params = dict(ready.params)
    generator = torch.Generator().manual_seed(0)
    tangents = {n: torch.randn(v.shape, generator=generator) for n, v in params.items()}
    _, slope = torch.func.jvp(loss, (params,), (tangents,))
    gradients = torch.autograd.grad(loss(params), list(params.values()))
    exact = sum((g * t).sum() for g, t in zip(gradients, tangents.values(), strict=True))
    torch.testing.assert_close(slope, exact, rtol=1e-4, atol=1e-6)


def test_the_tower_that_sees_is_not_packed(tmp_path):
    dense = prepared(tmp_path, "qwen2_vl")
    images.write(tmp_path / images.FILE, [])
    ready = build(spec(image_size=64), tmp_path, 0, 3, tmp_path / images.FILE)
    packed = [n for n, _ in ready.model.named_buffers() if n.endswith("qweight")]
    assert len(packed) == len(dense)
    assert not [name for name in packed if "visual" in name]


@pytest.mark.parametrize(
    ("packed", "asked", "message"),
    [(False, "gptq", "quantisation = 'gptq', but the checkpoint of .* is not packed"),
     (True, None, "quantisation = None, but the checkpoint of .* is packed by gptq"),
     (True, "nf4", "quantisation = 'nf4', but the checkpoint of .* is packed by gptq")],
)  # fmt: skip
def test_what_the_configuration_says_otherwise_is_told(tmp_path, packed, asked, message):
    (tmp_path / "weights").mkdir()
    (quantised if packed else lambda f, k: weights(k, f))(tmp_path / "weights", "llama")
    store.prepare({"source": {"folder": str(tmp_path / "weights")}}, {}, tmp_path)
    with pytest.raises(ValueError, match=message):
        build(spec(quantisation=asked), tmp_path, 0, 3)


def test_a_checkpoint_that_lacks_integers_is_told(tmp_path):
    (tmp_path / "weights").mkdir()
    quantised(tmp_path / "weights", "llama")
    path = tmp_path / "weights" / "model.safetensors"
    kept = {n: v for n, v in load_file(path).items() if "layers.1.mlp" not in n}
    save_file(kept, path, metadata={"format": "pt"})
    store.prepare({"source": {"folder": str(tmp_path / "weights")}}, {}, tmp_path)
    with pytest.raises(ValueError, match=r"has no .*layers\.1\.mlp\.\w+\.qweight"):
        build(spec(), tmp_path, 0, 3)
