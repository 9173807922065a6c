"""A small BERT or RoBERTa, trained from nothing on the text of the study.

It fills in masked tokens of plain text (Devlin et al., 2019; masked anew each time that a
text is drawn, as in Liu et al., 2019) and, of some corpora, the label of a document: one
token, which stands masked after the text. It stops after a number of steps, never after a
time.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gradcost import cpu
from gradcost.models.pretrain import fit, read, train_tokenizer
from gradcost.study import small
from gradcost.study.seeds import derive

# In the order of their numbers, which is that of the published vocabularies.
_SPECIAL = {
    "bert": {
        "pad_token": "[PAD]",
        "cls_token": "[CLS]",
        "sep_token": "[SEP]",
        "mask_token": "[MASK]",
    },
    "roberta": {
        "cls_token": "<s>",
        "pad_token": "<pad>",
        "sep_token": "</s>",
        "mask_token": "<mask>",
    },
}
# A text, and a pair of them: token and, after a colon, its type.
_TEMPLATES = {
    "bert": ("[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1"),
    "roberta": ("<s> $A </s>", "<s> $A </s> </s> $B </s>"),
}
# Devlin et al. (2019): of the tokens that are asked for, most are masked and some are others.
_ASKED, _MASKED, _REPLACED = 0.15, 0.8, 0.1
_NOT_ASKED = -100


def pretrain(spec: dict[str, Any], corpora: dict[str, dict[str, Any]], folder: Path) -> None:
    """Train tokenizer and model and save both in `folder`, as Hugging Face does.

    Args:
        spec: the `pretraining` of a model.
        corpora: data specs of the tasks in `spec["corpora"]`, by name.
    """
    from transformers import AutoConfig, AutoModelForMaskedLM
    from transformers.utils import logging

    logging.disable_progress_bar()
    cpu.prepare(spec["threads"])
    texts = {name: read(corpora[name]) for name in spec["corpora"]}
    tokenizer = encoder_tokenizer(texts, spec)
    torch.manual_seed(derive(spec["seed"], "initialisation"))
    fields = small.config(spec) | {
        "vocab_size": len(tokenizer), "pad_token_id": tokenizer.pad_token_id,
        # so few steps do not see a text often
        "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0,
    }  # fmt: skip
    config = AutoConfig.for_model(fields.pop("model_type"), **fields)
    model = AutoModelForMaskedLM.from_config(config, attn_implementation="eager")
    batches = _Batches(texts, tokenizer, spec)
    fit(model, lambda: batches.loss(model), spec)
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def encoder_tokenizer(texts: dict[str, list[tuple[str, str]]], spec: dict[str, Any]) -> Any:
    """A tokenizer that puts the architecture's special tokens around every text.

    Each label of the corpora in `spec["labelled"]` is a token.
    """
    from tokenizers.processors import TemplateProcessing

    special = _SPECIAL[spec["architecture"]]
    plain = [text for pairs in texts.values() for text, _ in pairs]
    labels = sorted({_token(label) for name in spec["labelled"] for _, label in texts[name]})
    tokenizer = train_tokenizer(plain, spec["vocabulary"], special, labels)
    single, pair = _TEMPLATES[spec["architecture"]]
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single=single,
        pair=pair,
        special_tokens=[(text, tokenizer.convert_tokens_to_ids(text)) for text in special.values()],
    )
    return tokenizer


def _token(label: str) -> str:
    return f"<{label}>"


class _Batches:
    """Batches of inputs and of what is asked for, each (batch, length)."""

    def __init__(
        self, texts: dict[str, list[tuple[str, str]]], tokenizer: Any, spec: dict[str, Any]
    ) -> None:
        self.spec, self.tokenizer = spec, tokenizer
        encode = tokenizer.backend_tokenizer.encode_batch
        plain = encode(
            [text for pairs in texts.values() for text, _ in pairs], add_special_tokens=False
        )
        end = tokenizer.sep_token_id
        self.plain = torch.tensor([token for one in plain for token in [*one.ids, end]])
        pairs = [(text, _token(label)) for name in spec["labelled"] for text, label in texts[name]]
        self.labelled: dict[str, Tensor] = {}
        if pairs:
            self.labelled = self._labelled(pairs)
        self.rng = torch.Generator().manual_seed(derive(spec["seed"], "order"))

    def _labelled(self, pairs: list[tuple[str, str]]) -> dict[str, Tensor]:
        """All documents with their labels masked, cut and padded to one length."""
        length = self.spec["length"]
        labels = [label for _, label in pairs]
        rows = self.tokenizer(
            # a word makes a token or more: the rest would be cut
            [" ".join(text.split()[:length]) for text, _ in pairs], labels,
            truncation="only_first", max_length=length, padding="max_length",
            return_token_type_ids=True, return_tensors="pt",
        )  # fmt: skip
        ids = rows["input_ids"]
        here = ids == torch.tensor(self.tokenizer.convert_tokens_to_ids(labels))[:, None]
        return {
            "input_ids": ids.masked_fill(here, self.tokenizer.mask_token_id),
            "attention_mask": rows["attention_mask"],
            "token_type_ids": rows["token_type_ids"],
            "labels": ids.where(here, _NOT_ASKED),
        }

    def draw(self) -> dict[str, Tensor]:
        """Labelled documents and plain windows."""
        parts = [self._windows(self.spec["batch_plain"])]
        if size := self.spec["batch_labelled"]:
            chosen = torch.randint(len(self.labelled["labels"]), (size,), generator=self.rng)
            parts.insert(0, {name: rows[chosen] for name, rows in self.labelled.items()})
        return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}

    def _windows(self, size: int) -> dict[str, Tensor]:
        length, rng, tokenizer = self.spec["length"] - 2, self.rng, self.tokenizer
        starts = torch.randint(len(self.plain) - length, (size, 1), generator=rng)
        whole = self.plain[starts + torch.arange(length)]
        drawn = torch.rand(whole.shape, generator=rng)
        asked = (drawn < _ASKED) & (whole != tokenizer.sep_token_id)
        how = torch.rand(whole.shape, generator=rng)
        others = torch.randint(len(tokenizer), whole.shape, generator=rng)
        shown = torch.where(asked & (how < _MASKED), tokenizer.mask_token_id, whole)
        shown = torch.where(asked & (how >= 1 - _REPLACED), others, shown)
        column = torch.ones(size, 1, dtype=torch.long)
        first, last = column * tokenizer.cls_token_id, column * tokenizer.sep_token_id
        ends = column * _NOT_ASKED
        labels = torch.cat([ends, whole.where(asked, _NOT_ASKED), ends], 1)
        ids = torch.cat([first, shown, last], 1)
        return {
            "input_ids": ids,
            "attention_mask": torch.ones_like(ids),
            "token_type_ids": torch.zeros_like(ids),
            "labels": labels,
        }

    def loss(self, model: Any) -> Tensor:
        """The mean cross-entropy of a batch's tokens that are asked for."""
        batch = self.draw()
        labels = batch.pop("labels")
        asked = labels != _NOT_ASKED
        hidden = model.base_model(**batch).last_hidden_state
        # the head is as dear as the layers below: only where it is asked
        head = model.cls if hasattr(model, "cls") else model.lm_head
        return torch.nn.functional.cross_entropy(head(hidden[asked]), labels[asked])
