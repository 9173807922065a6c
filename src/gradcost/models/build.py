"""From a spec to a model that is ready to be finetuned."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import nn

from gradcost.models import store
from gradcost.models.frozen import freeze_linears
from gradcost.study.seeds import derive


def build(
    spec: dict[str, Any], folder: Path, classes: int, *, checkpointing: bool, seed: int, device: str
) -> nn.Module:
    """A frozen base with trainable low-rank adapters and a trainable classification head.

    The adapters' and the head's first values follow from `seed` alone; adapters start as
    the identity (Hu et al., 2022). Attention is `eager`: fused kernels have no forward
    mode, and all methods should run the same arithmetic.

    Args:
        spec: the `model` of a run's spec.
        folder: where the model's manifest lies.
        classes: the number of classes of the task.
        checkpointing: recompute each layer's activations in the backward pass.
        seed: the run's seed.
        device: `cpu` or `cuda`.
    """
    from peft import LoraConfig, TaskType, get_peft_model
    from transformers import AutoModelForSequenceClassification
    from transformers.utils import logging as transformers_logging

    # loading a language model as a classifier rightly lacks a head: no warning needed
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    # peft still asks for what transformers now calls activation checkpointing
    warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing", category=FutureWarning)
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    torch.manual_seed(derive(seed, "initialisation"))
    located = store.locate(folder)
    model = AutoModelForSequenceClassification.from_pretrained(
        **located,
        num_labels=classes,
        dtype=getattr(torch, spec["dtype"]),
        attn_implementation="eager",
        quantization_config=_quantisation(spec),
        device_map=device,
    )
    if model.config.pad_token_id is None:
        tokenizer = store.tokenizer(folder)
        model.config.pad_token_id = (
            tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id
        )
    lora = spec["lora"]
    config = LoraConfig(
        task_type=TaskType.SEQ_CLS,
        r=lora["rank"],
        lora_alpha=lora["alpha"],
        lora_dropout=0.0,
        target_modules=lora["targets"],
    )
    model = get_peft_model(model, config)
    freeze_linears(model)
    # dropout off for all methods: a finite difference needs one function, not two
    model.eval()
    if checkpointing:
        model.get_base_model().activation_checkpointing_enable({"use_reentrant": False})
        # transformers checkpoints in training mode alone
        model.train()
        for module in model.modules():
            if isinstance(module, nn.Dropout):
                module.eval()
    return model  # type: ignore[no-any-return]


def trainable(model: nn.Module) -> dict[str, nn.Parameter]:
    """The trainable parameters by name."""
    return {name: value for name, value in model.named_parameters() if value.requires_grad}


def _quantisation(spec: dict[str, Any]) -> Any:
    if spec.get("quantisation") is None:
        return None
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type=spec["quantisation"],
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=getattr(torch, spec["dtype"]),
        # the head is trained, so it stays dense
        llm_int8_skip_modules=["score", "classifier"],
    )
