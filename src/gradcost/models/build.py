"""From a spec to a model that is ready to be finetuned."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from gradcost.models import store
from gradcost.models.attention import use_differentiable_attention
from gradcost.models.checkpointing import checkpoint
from gradcost.models.frozen import freeze_linears
from gradcost.study.seeds import derive
from gradcost.tasks.images import Images
from gradcost.tasks.tokens import Split

if TYPE_CHECKING:
    from gradcost.models.sparse import Selection

# What transformers calls the head of a classifier.
HEADS = ("score", "classifier")
# In 4 bits stay dense: a head that is trained, a language model's, and a tower that sees, as
# in the checkpoints of Qwen2-VL in 4 bits.
DENSE = (*HEADS, "lm_head", "visual")


@dataclass(frozen=True)
class Ready:
    """A model ready to be finetuned.

    Attributes:
        model: takes `input_ids` and `attention_mask`, returns `.logits`: (batch, classes), or
            those of `gradcost.models.answers`.
        params: what is trained, by name.
        selection: the weights that are trained, if they are chosen anew at each step.
        prompt: token ids that follow each input.
        pad: the token that fills up a row.
        inputs: what the model is given of a batch.
        words: for each label word the token that stands for it, as text.
    """

    model: nn.Module
    params: dict[str, nn.Parameter]
    selection: Selection | None = None
    prompt: tuple[int, ...] = ()
    pad: int = 0
    inputs: Callable[[Split], dict[str, Tensor]] = Split.inputs
    words: dict[str, str] = field(default_factory=dict)


def build(
    spec: dict[str, Any],
    folder: Path,
    classes: int,
    answer: int = 0,
    images: Path | None = None,
) -> Ready:
    """Load a base, set up its objective, and choose what is trained.

    Trained are low-rank adapters (Hu et al., 2022; they start as the identity) on a frozen
    base, or all parameters, or the largest of the base's own weights (`models.sparse`); a
    classification head always. First values follow from the run's seed alone. Attention is
    `eager`: fused kernels have no forward mode, and all methods should run the same
    arithmetic.

    Args:
        spec: a run's spec.
        folder: where the model's manifest lies.
        classes: the number of classes of the task.
        answer: tokens of the longest answer, where answers are text.
        images: the file of those that the prompts are about.
    """
    hush()
    torch.manual_seed(derive(spec["seed"], "initialisation"))
    objective = spec["method"]["objective"]
    base, pad = _base(spec, folder, classes if objective == "head" else None)
    if images is not None:
        vision = _part("vision")
        where = store.locate(folder)
        processor = vision.ImageProcessor(where, spec["model"]["image_size"])
        seeing = partial(vision.VisionAnswerModel, processor=processor, images=Images(images))
        return finish(base, spec, pad=pad, answer=answer, answering=seeing)
    if objective != "label-words":
        return finish(base, spec, pad=pad, answer=answer)
    tokenizer, text = store.tokenizer(folder), spec["task"]["prompt"]
    prompt = tuple(tokenizer(text, add_special_tokens=False)["input_ids"]) if text else ()
    tokens = _label_tokens(tokenizer, spec["task"], classes)
    ready = finish(base, spec, tokens, prompt, pad)
    texts = (tokenizer.decode([token]) for token in tokens)
    return replace(ready, words=dict(zip(spec["task"]["label_words"], texts, strict=True)))


def hush() -> None:
    """Silence what the libraries say of a model that is rightly loaded or made."""
    from transformers.utils import logging as transformers_logging

    # loading a language model as a classifier rightly lacks a head: no warning needed
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    # peft still asks for what transformers now calls activation checkpointing
    warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing", category=FutureWarning)
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)


def finish(
    base: Any,
    spec: dict[str, Any],
    tokens: Sequence[int] | None = None,
    prompt: tuple[int, ...] = (),
    pad: int = 0,
    answer: int = 0,
    selection: Any = None,
    answering: Callable[[nn.Module, int], Any] | None = None,
    place: Callable[[nn.Module], object] = lambda model: None,
) -> Ready:
    """Choose what of a loaded base is trained, and how it is differentiated.

    Nothing here depends on a weight's value, but for which are the largest.

    Args:
        base: a classifier or a language model, as the objective needs. It is changed.
        spec: a run's spec.
        tokens: those of the label words.
        prompt: see `Ready`.
        pad: see `Ready`.
        answer: see `build`.
        selection: the class of the selection of the largest weights, if not the usual one.
        answering: wraps a model and the length of answers, if not `AnswerModel`.
        place: called when the adapters are there, to move the model to where it stays.
    """
    # nothing is generated: keys and values of earlier layers would be kept for nothing
    base.config.use_cache = base.config.get_text_config().use_cache = False
    use_differentiable_attention(base)
    method, trainable = spec["method"], spec["model"]["trainable"]
    model = base
    if trainable == "lora":
        model = _with_adapters(base, spec["model"]["lora"], method["objective"] == "head")
    elif trainable == "sparse":
        for name, value in base.named_parameters():
            value.requires_grad_(name.split(".")[0] in HEADS)
    place(model)
    stock = trainable != "sparse" and not method.get("frozen_linears", True)
    freeze_linears(model, stock=stock)
    chosen = None
    if trainable == "sparse":
        kind = {} if selection is None else {"kind": selection}
        share = spec["model"]["share"]
        # what is trained is the language model, by adapters or not
        chosen = _part("sparse").train_largest(model, share, ["lm_head", "visual"], **kind)
    # dropout off for all methods: a finite difference needs one function, not two
    model.eval()
    if (policy := method.get("checkpointing", "none")) != "none":
        checkpoint(model, policy)
    if tokens is not None:
        model = _part("label_words").LabelWords(model, tokens)
    inputs: Callable[[Split], dict[str, Tensor]] = Split.inputs
    if answer:
        answers = (answering or _part("answers").AnswerModel)(model, answer)
        model, inputs = answers, answers.inputs
    params = {name: value for name, value in model.named_parameters() if value.requires_grad}
    return Ready(model, params, chosen, prompt, pad, inputs)


def _base(spec: dict[str, Any], folder: Path, classes: int | None) -> tuple[Any, int]:
    """The base as a classifier or, without classes, as a language model; its pad token."""
    import transformers

    kind: Any = transformers.AutoModelForCausalLM
    if classes is not None:
        kind = transformers.AutoModelForSequenceClassification
    elif spec["model"].get("image_size"):
        kind = transformers.AutoModelForImageTextToText
    where = store.locate(folder)
    _check_quantisation(where, spec["model"])
    gptq = _part("gptq") if spec["model"].get("quantisation") == "gptq" else None
    with gptq.loading() if gptq else nullcontext():
        base, found = kind.from_pretrained(
            **where,
            **({} if classes is None else {"num_labels": classes}),
            dtype=getattr(torch, spec["model"]["dtype"]),
            attn_implementation="eager",
            **_quantisation(spec["model"]),
            device_map=spec["hardware"]["device"],
            output_loading_info=True,
        )
    if gptq:
        gptq.check(found["missing_keys"], where["pretrained_model_name_or_path"])
    config = base.config.get_text_config()
    if config.pad_token_id is None:
        config.pad_token_id = base.config.pad_token_id = store.pad_token(folder)
    return base, config.pad_token_id


def _check_quantisation(where: dict[str, Any], spec: dict[str, Any]) -> None:
    """Refuse a checkpoint that is packed where the configuration says otherwise, or not packed."""
    from transformers import AutoConfig

    packed = getattr(AutoConfig.from_pretrained(**where), "quantization_config", None) or {}
    kind, wanted = packed.get("quant_method"), spec.get("quantisation")
    if (kind or wanted == "gptq") and kind != wanted:
        raise ValueError(
            f"models.{spec['name']}.quantisation = {wanted!r}, but the checkpoint of "
            f"{where['pretrained_model_name_or_path']} is "
            f"{f'packed by {kind}' if kind else 'not packed'}"
        )


def _with_adapters(base: Any, lora: dict[str, Any], classifier: bool) -> nn.Module:
    from peft import LoraConfig, TaskType, get_peft_model

    config = LoraConfig(
        task_type=TaskType.SEQ_CLS if classifier else TaskType.CAUSAL_LM,
        r=lora["rank"],
        lora_alpha=lora["alpha"],
        lora_dropout=0.0,
        target_modules=lora["targets"],
    )
    model: nn.Module = get_peft_model(base, config)
    return model


def _label_tokens(tokenizer: Any, task: dict[str, Any], classes: int) -> list[int]:
    words = task["label_words"]
    if len(words) != classes:
        raise ValueError(
            f"tasks.{task['name']}.label_words has {len(words)} words; the task has "
            f"{classes} classes and needs a word for each, in their order"
        )
    found: list[int] = _part("label_words").label_tokens(tokenizer, words, task["prompt"])
    return found


def _part(name: str) -> Any:
    """A module that some runs need: imported by name, so that the others do not depend on it."""
    return import_module(f"gradcost.models.{name}")


def _quantisation(spec: dict[str, Any]) -> dict[str, Any]:
    # a checkpoint of GPTQ says it itself, and no argument may, not even None
    if spec.get("quantisation") in (None, "gptq"):
        return {}
    from transformers import BitsAndBytesConfig

    config = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type=spec["quantisation"],
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=getattr(torch, spec["dtype"]),
        # as patterns, wherever in the model they are
        llm_int8_skip_modules=[rf"(.*\.)?{name}" for name in DENSE],
    )
    return {"quantization_config": config}
