"""A small Qwen2-VL, trained from nothing on questions about images.

No vision-language model is small, real and reachable without a hub, so the laptop scale
makes one: it learns to answer some kinds of questions about some of the images, and is
finetuned on all kinds about others. It stops after a number of steps, never after a time.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gradcost import cpu
from gradcost.models.pretrain import SPECIAL, fit, train_tokenizer
from gradcost.models.vision import ImageProcessor
from gradcost.study import small
from gradcost.study.seeds import derive
from gradcost.tasks.example import Example
from gradcost.tasks.images import opened
from gradcost.tasks.tokens import Rows, Split

# as those of Qwen2-VL
_SIGHT = {
    "vision_start_token_id": "<|vision_start|>",
    "image_token_id": "<|image_pad|>",
    "vision_end_token_id": "<|vision_end|>",
    "video_token_id": "<|video_pad|>",
}
_TEMPLATE = (
    "{% for message in messages %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% else %}{{ part['text'] }}{% endif %}{% endfor %}{% endfor %}"
    "{% if add_generation_prompt %}\n{% endif %}"
)


def pretrain(spec: dict[str, Any], corpora: dict[str, dict[str, Any]], folder: Path) -> None:
    """Train tokenizer and model, and save both and an image processor in `folder`.

    Args:
        spec: the `pretraining` of a model.
        corpora: data specs of the tasks in `spec["corpora"]`, by name. Their modules have a
            function `corpus`, from a source to examples with the bytes of their images.
    """
    from transformers import AutoConfig, AutoModelForImageTextToText
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil
    from transformers.utils import logging

    logging.disable_progress_bar()
    cpu.prepare(spec["threads"])
    pairs = [pair for name in spec["corpora"] for pair in _corpus(corpora[name])]
    texts = [f"{one.prompt}\n {one.answer}" for one, _ in pairs]
    tokenizer = train_tokenizer(texts, spec["vocabulary"], SPECIAL, list(_SIGHT.values()))
    tokenizer.chat_template = _TEMPLATE
    torch.manual_seed(derive(spec["seed"], "initialisation"))
    fields = small.config(spec)
    fields["text_config"] |= {
        "vocab_size": len(tokenizer), "bos_token_id": None,
        "eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id,
    }  # fmt: skip
    fields |= {name: tokenizer.convert_tokens_to_ids(text) for name, text in _SIGHT.items()}
    config = AutoConfig.for_model(fields.pop("model_type"), **fields)
    model = AutoModelForImageTextToText.from_config(config, attn_implementation="eager")
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    vision = fields["vision_config"]
    Qwen2VLImageProcessorPil(
        patch_size=vision["patch_size"], merge_size=vision["spatial_merge_size"],
        temporal_patch_size=vision["temporal_patch_size"],
        size={"shortest_edge": 1, "longest_edge": spec["vision"]["image_size"] ** 2},
    ).save_pretrained(folder)  # fmt: skip
    # read from the files, as all stages after this one do
    where = {"pretrained_model_name_or_path": str(folder)}
    processor = ImageProcessor(where, spec["vision"]["image_size"])
    batches = _Batches(pairs, tokenizer, processor, spec)
    fit(model, lambda: batches.loss(model), spec)
    model.save_pretrained(folder)


def _corpus(spec: dict[str, Any]) -> list[tuple[Example, bytes]]:
    module = import_module(f"gradcost.tasks.{spec['dataset'].replace('-', '_')}")
    pairs: list[tuple[Example, bytes]] = module.corpus(spec["source"])
    return pairs


class _Batches:
    """Questions about images, which are all processed beforehand."""

    def __init__(
        self,
        pairs: list[tuple[Example, bytes]],
        tokenizer: Any,
        processor: ImageProcessor,
        spec: dict[str, Any],
    ) -> None:
        numbers: dict[str, int] = {}
        pictures = []
        for one, found in pairs:
            if str(one.image) not in numbers:
                numbers[str(one.image)] = len(numbers)
                pictures.append(opened(found))
        pixels, self.grid = processor.pixels(pictures)
        self.pixels = pixels.unflatten(0, (len(pictures), -1))
        rows = Rows(tokenizer, {"length": spec["length"], "suffix": None}, processor.placeholder)
        self.questions: Split = rows.answered(
            {
                "prompt": [one.prompt for one, _ in pairs],
                "answer": [one.answer for one, _ in pairs],
                "image": [numbers[str(one.image)] for one, _ in pairs],
            }
        )
        self.token, self.size = processor.placeholder.token, spec["batch_labelled"]
        self.rng = torch.Generator().manual_seed(derive(spec["seed"], "order"))

    def loss(self, model: Any) -> Tensor:
        """The mean cross-entropy of the answers' tokens of a batch."""
        chosen = torch.randint(len(self.questions), (self.size,), generator=self.rng)
        part = self.questions[chosen]
        assert part.images is not None
        length = part.ids.shape[1]
        answered = torch.arange(length, 0, -1) <= part.labels[:, None]
        found: Tensor = model(
            **part.inputs(),
            pixel_values=self.pixels[part.images].flatten(0, 1),
            image_grid_thw=self.grid[part.images],
            mm_token_type_ids=(part.ids == self.token).int(),
            labels=part.ids.where(answered, -100),
        ).loss
        return found
