"""The study's architectures in small, made from their config classes with random weights."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

VOCABULARY = 64
CLASSES = 3


@dataclass(frozen=True)
class Example:
    """A model with adapters, and a batch for it.

    Attributes:
        model: in evaluation mode; adapters (rank 1, on queries and values) and a
            classifier's head are trained, all else is frozen. Attention is eager.
        inputs: keyword arguments of its forward pass.
        target: (batch,), a class or token for each row.
    """

    model: nn.Module
    inputs: dict[str, Any]
    target: Tensor

    @property
    def params(self) -> dict[str, Tensor]:
        """What is trained, by name."""
        named = self.model.named_parameters()
        return {name: value for name, value in named if value.requires_grad}

    def loss(self, params: Mapping[str, Tensor]) -> Tensor:
        """Cross-entropy in the precision of the logits; transformers' own is in float32."""
        output = torch.func.functional_call(self.model, dict(params), (), self.inputs)
        logits = output.logits if output.logits.dim() == 2 else output.logits[:, -1]
        return nn.functional.cross_entropy(logits, self.target)

    def forward(self) -> Tensor:
        """The loss at the parameters as they are, without a graph: one forward pass."""
        with torch.no_grad():
            return self.loss(self.params)


def make(
    name: str,
    layers: int = 2,
    hidden: int = 32,
    length: int = 8,
    batch: int = 2,
    dtype: torch.dtype = torch.float64,
    padded: bool = True,
    packed: bool = False,
) -> Example:
    """The architecture `name`, one of `BUILDERS`, with weights that follow from its sizes.

    Args:
        layers: of each tower.
        hidden: a multiple of 16.
        length: tokens in a row, image tokens included.
        padded: whether the last row ends in padding (two tokens).
        packed: whether the base's linears, but not its head, are in bitsandbytes' NF4.
    """
    torch.manual_seed(0)
    ids = torch.randint(8, VOCABULARY, (batch, length))
    mask = torch.ones_like(ids)
    if padded and name not in IMAGES:
        ids[-1, -2:], mask[-1, -2:] = 1, 0
    inputs = {"input_ids": ids, "attention_mask": mask}
    model, targets = BUILDERS[name](layers, hidden, inputs)
    # keys and values of all layers are for generation
    model.config.use_cache = False
    model.config.get_text_config().use_cache = False
    if packed:
        _pack(model)
    model = _with_adapters(model, targets)
    target = torch.randint(CLASSES, (batch,))
    # RoPE's frequencies stay in float32 in a model in bfloat16; here all is one precision
    return Example(model.to(dtype).eval(), inputs, target)


def _llama(layers: int, hidden: int, inputs: dict[str, Any]) -> tuple[Any, list[str]]:
    from transformers import LlamaConfig, LlamaForSequenceClassification

    config = LlamaConfig(**_common(layers, hidden), num_key_value_heads=2,
                         intermediate_size=3 * hidden)  # fmt: skip
    return LlamaForSequenceClassification(config), ["q_proj", "v_proj"]


def _opt(layers: int, hidden: int, inputs: dict[str, Any]) -> tuple[Any, list[str]]:
    from transformers import OPTConfig, OPTForSequenceClassification

    config = OPTConfig(**_common(layers, hidden), ffn_dim=4 * hidden, word_embed_proj_dim=hidden)
    return OPTForSequenceClassification(config), ["q_proj", "v_proj"]


def _bert(layers: int, hidden: int, inputs: dict[str, Any]) -> tuple[Any, list[str]]:
    from transformers import BertConfig, BertForSequenceClassification

    config = BertConfig(**_common(layers, hidden), intermediate_size=4 * hidden)
    return BertForSequenceClassification(config), ["query", "value"]


def _roberta(layers: int, hidden: int, inputs: dict[str, Any]) -> tuple[Any, list[str]]:
    from transformers import RobertaConfig, RobertaForSequenceClassification

    config = RobertaConfig(**_common(layers, hidden), intermediate_size=4 * hidden)
    return RobertaForSequenceClassification(config), ["query", "value"]


def _gpt2(layers: int, hidden: int, inputs: dict[str, Any]) -> tuple[Any, list[str]]:
    from transformers import GPT2Config, GPT2ForSequenceClassification

    return GPT2ForSequenceClassification(GPT2Config(**_common(layers, hidden))), ["c_attn"]


def _qwen2_vl(layers: int, hidden: int, inputs: dict[str, Any]) -> tuple[Any, list[str]]:
    """Text and one image a row: 8 x 4 pixels in patches of 2 x 2, merged to 2 image tokens."""
    from transformers import Qwen2VLConfig, Qwen2VLForConditionalGeneration

    image, start, end = 2, 3, 4
    ids = inputs["input_ids"]
    ids[:, :4] = torch.tensor([start, image, image, end])
    inputs["mm_token_type_ids"] = (ids == image).int()
    inputs["image_grid_thw"] = torch.tensor([[1, 4, 2]]).repeat(len(ids), 1)
    # channels x frames x height x width of a patch
    inputs["pixel_values"] = torch.randn(8 * len(ids), 3 * 2 * 2 * 2, dtype=torch.float64)
    inputs["logits_to_keep"] = 1
    half = hidden // 4 // 2
    sections = [half - 2 * (half // 3), half // 3, half // 3]
    common = _common(layers, hidden)
    config = Qwen2VLConfig(
        text_config={
            **common,
            "num_key_value_heads": 2,
            "intermediate_size": 3 * hidden,
            "rope_parameters": {"rope_type": "default", "rope_theta": 1e4,
                                "mrope_section": sections},
        },
        vision_config={
            "depth": layers,
            "embed_dim": hidden,
            "hidden_size": hidden,
            "num_heads": 4,
            "patch_size": 2,
            "spatial_merge_size": 2,
            "temporal_patch_size": 2,
        },
        image_token_id=image,
        video_token_id=5,
        vision_start_token_id=start,
        vision_end_token_id=end,
        attn_implementation="eager",
    )  # fmt: skip
    return Qwen2VLForConditionalGeneration(config), ["q_proj", "v_proj"]


def _qwen2_vl_towers(layers: int, hidden: int, inputs: dict[str, Any]) -> Any:
    """The same with adapters in the vision tower too."""
    model, targets = _qwen2_vl(layers, hidden, inputs)
    return model, [*targets, "qkv"]


BUILDERS: dict[str, Callable[[int, int, dict[str, Any]], tuple[Any, list[str]]]] = {
    "llama": _llama,
    "opt": _opt,
    "bert": _bert,
    "roberta": _roberta,
    "qwen2_vl": _qwen2_vl,
    "qwen2_vl_towers": _qwen2_vl_towers,
    "gpt2": _gpt2,
}
IMAGES = ("qwen2_vl", "qwen2_vl_towers")


class DoublePrecision(TorchFunctionMode):
    """Makes float32 mean float64, and so lifts the float32 that transformers hard-codes.

    RMSNorm, the softmax of eager attention and RoPE are computed in float32 whatever the
    model's precision, which leaves 1e-7 of derivatives that are exact otherwise.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if isinstance(func, torch._ops.OpOverload):
            # bitsandbytes' own: made for float32, it writes nonsense to anything wider
            return func(*args, **kwargs)
        if func is torch.Tensor.float:
            func = torch.Tensor.double
        kwargs = {name: _lifted(value) for name, value in kwargs.items()}
        return func(*map(_lifted, args), **kwargs)


def _lifted(value: Any) -> Any:
    return torch.float64 if value is torch.float32 else value


def _common(layers: int, hidden: int) -> dict[str, Any]:
    return {
        "vocab_size": VOCABULARY,
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": 4,
        "max_position_embeddings": 128,
        "num_labels": CLASSES,
        "pad_token_id": 1,
        "bos_token_id": 0,
        "eos_token_id": 0,
        "attn_implementation": "eager",
        # derivatives of a model that is nearly linear would test little
        "initializer_range": 0.2,
    }


def _pack(model: Any) -> None:
    from bitsandbytes.nn import Linear4bit

    for path, parent in list(model.named_modules()):
        for name, layer in list(parent.named_children()):
            head = f"{path}.{name}".strip(".").startswith(("score", "classifier", "lm_head"))
            if type(layer) is nn.Linear and not head:
                new = Linear4bit(layer.in_features, layer.out_features, layer.bias is not None,
                                 compute_dtype=torch.float32, quant_type="nf4")  # fmt: skip
                new.load_state_dict(layer.state_dict())
                setattr(parent, name, new.requires_grad_(False).to("cpu"))
    # how PEFT knows
    model.is_loaded_in_4bit = True


def _with_adapters(model: nn.Module, targets: list[str]) -> nn.Module:
    from peft import LoraConfig, TaskType, get_peft_model

    classifier = hasattr(model, "score") or hasattr(model, "classifier")
    config = LoraConfig(
        task_type=TaskType.SEQ_CLS if classifier else TaskType.CAUSAL_LM,
        r=1,
        target_modules=targets,
        fan_in_fan_out="c_attn" in targets,
        # no factor is zero, else half of the derivatives are
        init_lora_weights=False,
    )
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", message=".*is_gradient_checkpointing", category=FutureWarning
        )
        return get_peft_model(model, config)
