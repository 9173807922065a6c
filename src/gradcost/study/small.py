"""The shapes of the small models that the pipeline pretrains, as Hugging Face configs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# What of an encoder's shape is not common to all.
_ENCODERS: dict[str, dict[str, Any]] = {
    "bert": {"type_vocab_size": 2},
    "roberta": {"type_vocab_size": 1, "layer_norm_eps": 1e-5},
}


def config(pretraining: Mapping[str, Any]) -> dict[str, Any]:
    """That of its `architecture` or, with `vision`, of a Qwen2-VL; without its special tokens.

    Args:
        pretraining: fields of `gradcost.study.config.Pretraining`.
    """
    common = {
        "vocab_size": pretraining["vocabulary"],
        "hidden_size": pretraining["hidden"],
        "intermediate_size": pretraining["intermediate"],
        "num_hidden_layers": pretraining["layers"],
        "num_attention_heads": pretraining["heads"],
        "max_position_embeddings": 4 * pretraining["length"],
    }
    architecture, vision = pretraining["architecture"], pretraining.get("vision")
    if architecture in _ENCODERS:
        # the positions of RoBERTa begin after that of the pad token, whose number is 1
        common["max_position_embeddings"] += 2 * (architecture == "roberta")
        # 0.02 is for a width of 768; as small in a narrow model, what BERT's pooler (which no
        # masked token trains) passes on would be near zero
        common["initializer_range"] = 0.02 * (768 / common["hidden_size"]) ** 0.5
        return {"model_type": architecture, **common, **_ENCODERS[architecture]}
    common["num_key_value_heads"] = pretraining["heads"]
    if vision is None:
        return {"model_type": "llama", **common, "tie_word_embeddings": True}
    # a pair of numbers each turns by the place in time, the row and the column
    pairs = common["hidden_size"] // common["num_attention_heads"] // 2
    sections = [pairs - 2 * (pairs // 3), pairs // 3, pairs // 3]
    rope = {"rope_type": "default", "rope_theta": 1e4, "mrope_section": sections}
    return {
        "model_type": "qwen2_vl",
        "text_config": {"model_type": "qwen2_vl_text", **common, "rope_parameters": rope},
        "vision_config": {
            "depth": vision["layers"],
            "embed_dim": vision["hidden"],
            "hidden_size": common["hidden_size"],
            "num_heads": vision["heads"],
            "mlp_ratio": 4,
            "patch_size": vision["patch"],
            "in_channels": 3,
            "spatial_merge_size": 2,
            "temporal_patch_size": 2,
        },
        "tie_word_embeddings": True,
    }
