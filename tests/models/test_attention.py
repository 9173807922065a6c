"""Attention is switched to what forward mode can differentiate."""

from __future__ import annotations

import warnings

import pytest
import torch
from torch import nn
from transformers import LlamaConfig, PreTrainedModel

from gradcost.estimators import load
from gradcost.models import attention
from gradcost.models.attention import use_differentiable_attention
from tests.models import architectures
from tests.models.architectures import Example


@pytest.fixture(autouse=True)
def kernels():
    """Attention's kernels, which belong to the process, are put back; nothing has been said."""
    attention._say.cache_clear()
    yield
    for kernel in ("flash", "mem_efficient", "cudnn"):
        getattr(torch.backends.cuda, f"enable_{kernel}_sdp")(True)
    torch.backends.mha.set_fastpath_enabled(True)


def jvps(example: Example) -> torch.Tensor:
    estimator = load("forward-mode", perturbations=2)
    found, _ = estimator.estimate(example.loss, example.params, (), 0)
    return found.projections


def with_fused_attention(name: str) -> tuple[Example, torch.Tensor]:
    example = architectures.make(name, layers=1)
    expected = jvps(example)
    example.model.get_base_model().set_attn_implementation("sdpa")
    return example, expected


@pytest.mark.parametrize("name", architectures.BUILDERS)
def test_fused_attention_gives_way_to_eager_everywhere(name):
    example, expected = with_fused_attention(name)
    with pytest.raises(NotImplementedError):
        jvps(example)
    with pytest.warns(UserWarning, match="now eager: .* no derivative of sdpa"):
        use_differentiable_attention(example.model)
    parts = [part for part in example.model.modules() if isinstance(part, PreTrainedModel)]
    assert {part.config._attn_implementation for part in parts} == {"eager"}
    torch.testing.assert_close(jvps(example), expected)


def test_a_change_is_announced_once():
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        for _ in range(2):
            example, _ = with_fused_attention("qwen2_vl")
            use_differentiable_attention(example.model)
            use_differentiable_attention(example.model)
    assert len([each for each in said if "attention" in str(each.message)]) == 1


def test_eager_attention_is_left_alone():
    model = architectures.make("llama").model
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        use_differentiable_attention(model)
    assert torch.backends.cuda.flash_sdp_enabled()


def test_other_fused_kernels_give_way_too():
    model = architectures.make("llama").model
    for kind in ("flash_attention_2", "flex_attention"):
        model.config._attn_implementation_internal = kind
        with pytest.warns(UserWarning, match=kind):
            use_differentiable_attention(model)
        assert model.config._attn_implementation == "eager"


class OwnAttention(nn.Module):
    """Calls PyTorch's attention, whatever the model's configuration says."""

    def forward(self, x):
        return nn.functional.scaled_dot_product_attention(x, x, x)


class OwnModel(PreTrainedModel):
    config_class = LlamaConfig
    _supports_sdpa = True

    def __init__(self, config):
        super().__init__(config)
        self.attention = OwnAttention()

    def forward(self, x):
        return self.attention(x)


def own_model() -> OwnModel:
    config = LlamaConfig(num_hidden_layers=1, attn_implementation="sdpa")
    return OwnModel(config)


def multihead() -> nn.Module:
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(16, 2, dim_feedforward=16, batch_first=True)
    return layer.double().requires_grad_(False).eval()


@pytest.mark.parametrize("make", [own_model, multihead])
def test_a_model_without_eager_attention_gets_the_math_kernel(make):
    model = make()
    shape = (2, 3, 5, 16) if make is own_model else (3, 5, 16)
    x, tangent = torch.randn(2, *shape, dtype=torch.float64)
    step = 1e-6 * tangent
    expected = (model(x + step) - model(x - step)) / 2e-6

    def jvp():
        with torch.no_grad():
            return torch.func.jvp(model, (x,), (tangent,))[1]

    with pytest.raises((NotImplementedError, RuntimeError)):
        jvp()
    with pytest.warns(UserWarning, match="math kernel"):
        use_differentiable_attention(model)
    torch.testing.assert_close(jvp(), expected, atol=1e-8, rtol=1e-6)


def test_what_cannot_be_switched_is_named():
    model = nn.ModuleDict({"inner": own_model()})
    model["inner"].config._attn_implementation_internal = "flash_attention_2"
    with pytest.raises(NotImplementedError, match=r"^inner \(.*OwnModel\): .*flash_attention_2"):
        use_differentiable_attention(model)
