"""Models without numbers against models with them, and against those that are published."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from gradcost.accounting.meter import stored_bytes
from gradcost.accounting.step import numbers
from gradcost.models.build import HEADS
from gradcost.models.frozen import freeze_linears
from gradcost.planning import abstract
from gradcost.study import architectures
from tests.models.architectures import CLASSES, make
from tests.study.test_architectures import LLAMA, PARAMETERS

# published with a head for the vocabulary that is not the embedding once more
UNTIED = ["llama-3.1-8b", "qwen2-vl-7b"]


def spec(targets: list[str], quantisation: str | None = None, objective: str = "head") -> dict:
    lora = {"rank": 1, "alpha": 1.0, "targets": targets}
    return {
        "model": {"dtype": "float32", "quantisation": quantisation, "trainable": "lora",
                  "lora": lora},
        "method": {"objective": objective},
    }  # fmt: skip


def stored(model: nn.Module) -> list[torch.Tensor]:
    return [*model.parameters(), *model.buffers()]


@pytest.mark.parametrize("name", sorted(PARAMETERS))
def test_a_shipped_architecture_makes_a_model_of_the_published_size(name):
    """Without the head for the vocabulary, and without adapters and classifier."""
    shape = architectures.load(name)
    objective = "head" if shape.has_classifier else "label-words"
    model = abstract.build(shape.config, spec(shape.targets, "nf4", objective), 2).model
    assert {tensor.device.type for tensor in stored(model)} == {"meta"}
    ours = {*HEADS, "lm_head"}
    base = [
        numbers(value)
        for path, value in model.named_parameters()
        if ".lora_" not in path and not ours & set(path.split("."))
    ]
    embedding = shape.text["vocab_size"] * shape.text["hidden_size"]
    published = PARAMETERS[name] - (embedding if name in UNTIED else 0)
    assert sum(base) == pytest.approx(published, rel=0.01)


@pytest.mark.parametrize(
    ("name", "packed"),
    [*((name, False) for name in ("llama", "opt", "bert", "roberta")), ("roberta", True),
     *((name, True) for name in ("llama", "opt", "bert"))],
)  # fmt: skip
def test_a_model_is_to_the_byte_that_with_numbers(name, packed):
    real = make(name, hidden=64, dtype=torch.float32, packed=packed).model
    freeze_linears(real)
    targets = ["query", "value"] if "bert" in name else ["q_proj", "v_proj"]
    config: Any = real.base_model.model.config
    asked = spec(targets, "nf4" if packed else None)
    found = abstract.build(config.to_dict(), asked, CLASSES).model

    def shapes(model: nn.Module) -> dict[str, tuple]:
        parts = [*model.named_parameters(), *model.named_buffers()]
        return {path: (one.shape, one.dtype, one.requires_grad) for path, one in parts}

    assert shapes(found) == shapes(real)
    assert stored_bytes(stored(found)) == stored_bytes(stored(real))


def test_a_question_about_a_mask_is_answered_with_no_and_about_a_number_not_at_all():
    """Rows are padded: no mask is all true."""
    with abstract.without_numbers():
        assert not torch.ones(2, 3, dtype=torch.bool).all()
        assert torch.ones(2, 3, dtype=torch.bool).all().item() is False
        with pytest.raises(RuntimeError, match="meta"):
            torch.ones(1).item()


@pytest.mark.parametrize(
    ("changes", "targets", "message"),
    [
        ({}, ["query"], "no linear of llama is called query; it has q_proj, k_proj"),
        ({"model_type": "lama"}, ["q_proj"], "no model can be made of this config of lama"),
        ({"num_attention_heads": 3}, ["q_proj"], "not a multiple of the number of attention heads"),
    ],
)
def test_what_no_model_can_be_made_of_is_said(changes, targets, message):
    with pytest.raises(ValueError, match=message):
        abstract.build(LLAMA | changes, spec(targets), 2)
