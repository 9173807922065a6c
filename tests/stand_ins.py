"""Small stand-ins of the paper's models: random weights, with a tokenizer of characters."""

from __future__ import annotations

from pathlib import Path

import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

DECODERS, ENCODERS = ("llama", "opt"), ("bert", "roberta")
CHARACTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.:?-#\n "
SIGHT = ("<|vision_start|>", "<|image_pad|>", "<|vision_end|>", "<|video_pad|>")
# as that of Qwen2-VL, of one message
TEMPLATE = (
    "{% for message in messages %}{% for part in message['content'] %}{% if part['type'] == "
    "'image' %}<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endfor %}{% if add_generation_prompt %}\n{% endif %}"
)


def weights(kind: str, folder: Path) -> None:
    """A random model of two layers, and a tokenizer of characters."""
    names = ["<pad>", "<unk>", "<end>", *CHARACTERS, *SIGHT]
    vocabulary = {name: index for index, name in enumerate(names)}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    made.add_special_tokens(list(SIGHT))
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="<pad>", unk_token="<unk>", eos_token="<end>"
    )
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    if kind == "qwen2_vl":
        seeing(len(names), vocabulary).save_pretrained(folder)
        # the hub's file names the class by its first name
        Qwen2VLImageProcessorPil(patch_size=14, merge_size=2).save_pretrained(folder)
        return
    common = {
        "vocab_size": len(names), "hidden_size": 64, "num_hidden_layers": 2,
        "num_attention_heads": 2, "max_position_embeddings": 128, "pad_token_id": 0,
        "bos_token_id": None, "eos_token_id": 2,
    }  # fmt: skip
    own = {"ffn_dim": 64, "word_embed_proj_dim": 64} if kind == "opt" else {"intermediate_size": 64}
    config = transformers.AutoConfig.for_model(kind, **common, **own)
    auto = transformers.AutoModelForCausalLM if kind in DECODERS else transformers.AutoModel
    auto.from_config(config).save_pretrained(folder)


def seeing(vocabulary: int, tokens: dict[str, int]) -> transformers.PreTrainedModel:
    """A random Qwen2-VL: two layers that see, two that read."""
    text = {
        "vocab_size": vocabulary, "hidden_size": 64, "num_hidden_layers": 2,
        "num_attention_heads": 2, "num_key_value_heads": 1, "intermediate_size": 64,
        "pad_token_id": 0, "bos_token_id": None, "eos_token_id": 2,
        "rope_parameters": {"rope_type": "default", "rope_theta": 1e4,
                            "mrope_section": [4, 6, 6]},
    }  # fmt: skip
    vision = {"depth": 2, "embed_dim": 32, "hidden_size": 64, "num_heads": 2}
    config = transformers.Qwen2VLConfig(
        text_config=text, vision_config=vision, vision_start_token_id=tokens[SIGHT[0]],
        image_token_id=tokens[SIGHT[1]], vision_end_token_id=tokens[SIGHT[2]],
        video_token_id=tokens[SIGHT[3]],
    )  # fmt: skip
    return transformers.Qwen2VLForConditionalGeneration(config)
