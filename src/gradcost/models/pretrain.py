"""A small Llama-type language model, trained from nothing on the text of the study.

The demo scale needs a pretrained model that is small, real and reachable without a hub.
This one reads windows of plain text and, of some corpora, documents followed by
`<topic>` and the name of their topic, so that its last position learns to hold what a
text is about. It stops after a number of steps, never after a time: the same weights
come out of a slow machine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gradcost import cpu
from gradcost.study import small
from gradcost.study.seeds import derive

TOPIC = "<topic>"
SPECIAL = {"pad_token": "<pad>", "eos_token": "<end>"}
"""Those of a model that writes, by what transformers calls them."""
_PROGRESS_EVERY = 200


def pretrain(spec: dict[str, Any], corpora: dict[str, dict[str, Any]], folder: Path) -> None:
    """Train tokenizer and model and save both in `folder`, as Hugging Face does.

    Args:
        spec: the `pretraining` of a model.
        corpora: data specs of the tasks in `spec["corpora"]`, by name.
    """
    from transformers import LlamaConfig, LlamaForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()
    cpu.prepare(spec["threads"])
    texts = {name: read(corpora[name]) for name in spec["corpora"]}
    plain = [text for pairs in texts.values() for text, _ in pairs]
    tokenizer = train_tokenizer(plain, spec["vocabulary"], SPECIAL, [TOPIC])
    torch.manual_seed(derive(spec["seed"], "initialisation"))
    fields = small.config(spec) | {
        "vocab_size": len(tokenizer), "bos_token_id": None,
        "eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id,
    }  # fmt: skip
    config = LlamaConfig(**fields, attn_implementation="eager")
    model = LlamaForCausalLM(config)
    batches = _Batches(texts, tokenizer, spec)
    fit(model, lambda: batches.loss(model), spec)
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def read(spec: dict[str, Any]) -> list[tuple[str, str]]:
    """The texts of a corpus, each with its label.

    Args:
        spec: data spec of a task.
    """
    module = import_module(f"gradcost.tasks.{spec['dataset'].replace('-', '_')}")
    pairs: list[tuple[str, str]] = module.corpus(spec["source"])
    return pairs


def train_tokenizer(
    texts: list[str], vocabulary: int, special: Mapping[str, str], others: Sequence[str] = ()
) -> Any:
    """A byte-level BPE tokenizer of `texts`.

    Args:
        texts: what it learns from.
        vocabulary: the number of its tokens, special ones included.
        special: special tokens by what transformers calls them, such as `pad_token`. They have
            the first numbers, in their order.
        others: more tokens that no text is ever split into.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[*special.values(), *others],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, **special, additional_special_tokens=list(others)
    )


class _Batches:
    """Batches of ids (batch, length) and of targets, -100 where none is asked for."""

    def __init__(
        self, texts: dict[str, list[tuple[str, str]]], tokenizer: Any, spec: dict[str, Any]
    ) -> None:
        self.spec, self.pad = spec, tokenizer.pad_token_id
        encode = tokenizer.backend_tokenizer.encode_batch
        plain, self.labelled = [], []
        topic = tokenizer.convert_tokens_to_ids(TOPIC)
        for name, pairs in texts.items():
            ids = [encoded.ids for encoded in encode([text for text, _ in pairs])]
            plain += [token for document in ids for token in [*document, tokenizer.eos_token_id]]
            if name in spec["labelled"]:
                words = [encoded.ids for encoded in encode([words for _, words in pairs])]
                for document, label in zip(ids, words, strict=True):
                    tail = [topic, *label, tokenizer.eos_token_id]
                    self.labelled.append(document[: spec["length"] - len(tail)] + tail)
        self.plain = torch.tensor(plain)
        self.rng = torch.Generator().manual_seed(derive(spec["seed"], "order"))

    def draw(self) -> Tensor:
        """Labelled documents and plain windows; padded with the tokenizer's pad."""
        spec = self.spec
        rows = torch.full((spec["batch_labelled"] + spec["batch_plain"], spec["length"]), self.pad)
        if spec["batch_labelled"]:
            chosen = torch.randint(
                len(self.labelled), (spec["batch_labelled"],), generator=self.rng
            )
            for row, index in enumerate(chosen.tolist()):
                document = self.labelled[index]
                rows[row, : len(document)] = torch.tensor(document)
        starts = torch.randint(
            len(self.plain) - spec["length"], (spec["batch_plain"], 1), generator=self.rng
        )
        rows[spec["batch_labelled"] :] = self.plain[starts + torch.arange(spec["length"])]
        return rows

    def loss(self, model: Any) -> Tensor:
        """The mean cross-entropy of a batch's next tokens."""
        ids = self.draw()
        logits = model(input_ids=ids).logits[:, :-1]
        return torch.nn.functional.cross_entropy(
            logits.flatten(0, 1), ids[:, 1:].flatten(), ignore_index=self.pad
        )


def fit(model: Any, loss: Callable[[], Tensor], spec: dict[str, Any]) -> None:
    """Minimise `loss`, of another batch at each call, by AdamW under a one-cycle schedule."""
    steps = spec["steps"]
    optimizer = torch.optim.AdamW(model.parameters(), lr=spec["learning_rate"], weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, spec["learning_rate"], total_steps=steps, pct_start=0.1, cycle_momentum=False
    )
    model.train()
    for step in range(1, steps + 1):
        found = loss()
        optimizer.zero_grad()
        found.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % _PROGRESS_EVERY == 0 or step == steps:
            print(f"base model  step {step}/{steps}  loss {found.item():.3f}", flush=True)
