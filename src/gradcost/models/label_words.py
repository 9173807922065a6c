"""Classification by the language-model head: MeZO's objective.

Instead of a classifier, each class has a word, the input ends in a prompt, and the class is
the word that the model would put next: the language-model head with all other words masked
(Malladi et al., 2023, after Gao et al., 2021; paper, appendix C).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import linear


class Output(NamedTuple):
    """Attributes: logits: (batch, classes)."""

    logits: Tensor


class LabelWords(nn.Module):
    """A language model as a classifier: its logits of the classes' tokens.

    They are read at the last position of each row that is not masked, or, in a masked
    language model, at the mask token. The model's output embedding is replaced by its rows
    of those tokens, so logits over the vocabulary are never formed, and whatever the model
    does before and after the head (a transform, a bias, a scale) stays. The rows are read
    from the embedding at each call, trained or not, tied or not.

    Attributes:
        model: a causal or masked language model, with adapters or without. It is changed.
    """

    def __init__(self, model: nn.Module, token_ids: Sequence[int], at: int | None = None) -> None:
        """Replace the head of `model`.

        Args:
            token_ids: one for each class (see `label_tokens`).
            at: the token whose position is read: the mask token of a masked model, which
                every row must have. By default, the last position that is not masked.

        Raises:
            ValueError: if classes share a token.
            TypeError: if the output embedding is of a kind that is not known.
        """
        super().__init__()
        if len(set(token_ids)) < len(token_ids):
            raise ValueError(f"classes share a token: {list(token_ids)}")
        embedding = model.get_output_embeddings()  # type: ignore[operator]
        # frozen and corrected linears say by `dense` what they multiply by
        if type(embedding) is not nn.Linear and not hasattr(embedding, "dense"):
            raise TypeError(f"no label words for an output embedding of {type(embedding).__name__}")
        for parent in list(model.modules()):
            for name, child in list(parent.named_children()):
                if child is embedding:
                    setattr(parent, name, _Rows(embedding, token_ids))
        # generation alone needs the keys and values of all layers
        model.config.use_cache = False  # type: ignore[union-attr]
        self.model, self.at = model, at

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Output:
        """The logits of the classes for ids and mask (batch, length), padded on any side."""
        logits = self.model(input_ids=input_ids, attention_mask=attention_mask).logits
        read = attention_mask != 0 if self.at is None else input_ids == self.at
        columns = torch.arange(input_ids.shape[1], device=input_ids.device)
        rows = torch.arange(len(input_ids), device=input_ids.device)
        return Output(logits[rows, (columns * read).amax(-1)])


class _Rows(nn.Module):
    """Some rows of an output embedding: (..., hidden) to (..., classes)."""

    rows: Tensor

    def __init__(self, embedding: Any, token_ids: Sequence[int]) -> None:
        super().__init__()
        self.embedding = embedding
        device = next(embedding.parameters()).device
        self.register_buffer("rows", torch.tensor(token_ids, device=device), persistent=False)

    def forward(self, hidden: Tensor) -> Tensor:
        whole, bias = self.embedding, self.embedding.bias
        weight = whole.weight if isinstance(whole, nn.Linear) else whole.dense()
        return linear(
            hidden, weight[self.rows].to(hidden.dtype), None if bias is None else bias[self.rows]
        )


def label_tokens(tokenizer: Any, words: Sequence[str], prompt_ends: str = "") -> list[int]:
    """The first token of each word where the tokenizer continues a prompt with it.

    A word follows after a space, unless the prompt ends in white space or the word begins
    with it; what becomes of the space is the tokenizer's affair (byte-level BPE and
    SentencePiece put it into the word's token, others drop it).

    Args:
        words: one for each class.
        prompt_ends: the prompt, or its end.

    Raises:
        ValueError: naming words and tokens, if two classes share their first token, if a
            word is empty or unknown to the tokenizer, or if the prompt's own tokens change
            with the word after it.
    """
    # SentencePiece begins each text like a word, so a word at the very start would not show
    prompt = prompt_ends or ":"
    before = _encode(tokenizer, prompt)
    found: dict[int, str] = {}
    for word in words:
        space = "" if prompt[-1].isspace() or word[:1].isspace() else " "
        ids = _encode(tokenizer, prompt + space + word)
        if ids[: len(before)] != before:
            raise ValueError(
                f"{word!r} changes the tokens of the prompt {prompt!r} before it: "
                f"{_named(tokenizer, before)} become {_named(tokenizer, ids)}"
            )
        if not word.strip() or len(ids) == len(before):
            raise ValueError(f"the label word {word!r} has no token")
        token = ids[len(before)]
        if token == tokenizer.unk_token_id:
            raise ValueError(f"the tokenizer does not know the label word {word!r}")
        if token in found:
            raise ValueError(
                f"the label words {found[token]!r} and {word!r} share their first token, "
                f"{_named(tokenizer, [token])[0]!r}"
            )
        found[token] = word
    return list(found)


def _encode(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def _named(tokenizer: Any, ids: list[int]) -> list[str]:
    return list(tokenizer.convert_ids_to_tokens(ids))
