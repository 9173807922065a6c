"""Tasks whose answer is text: the loss over the answer's tokens, and greedy answers scored.

Prompt and answer stand at the end of a row (see `gradcost.tasks.tokens`).
"""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from gradcost.models.answers import AnswerModel
from gradcost.study.record import Evaluation
from gradcost.tasks.scorers import SCORERS
from gradcost.tasks.tokens import Answers, Split

# Of one batch: few enough that evaluation takes less memory than a training step.
_TOKENS = 4096


def answer_loss(logits: Tensor, batch: Split) -> Tensor:
    """The mean cross-entropy of the tokens of a batch's answers; prompts and padding are free.

    Args:
        logits: (batch, length + 1, vocabulary), of the last positions.
        batch: its labels are numbers of answer tokens.
    """
    length = logits.shape[1] - 1
    losses = cross_entropy(
        logits[:, :-1].float().flatten(0, 1), batch.ids[:, -length:].flatten(), reduction="none"
    )
    counted = torch.arange(length, 0, -1, device=batch.labels.device) <= batch.labels[:, None]
    return (losses * counted.flatten()).sum() / counted.sum()


@torch.no_grad()
def evaluate(
    model: AnswerModel, split: Split, answers: Answers, name: str, tokenizer: Any, device: str
) -> Evaluation:
    """Answer every prompt of a split greedily, and score the answers.

    Args:
        name: of the split, whose references the answers are compared with.
    """
    size = max(1, _TOKENS // split.ids.shape[1])
    references, scorers = answers.references[name], SCORERS[answers.scorer]
    loss = tokens = strict = published = 0.0
    for start in range(0, len(split), size):
        part = split[slice(start, start + size)].to(device)
        count = float(part.labels.sum())
        logits = model(**model.inputs(part)).logits
        loss, tokens = loss + float(answer_loss(logits, part)) * count, tokens + count
        texts = _answered(model, part, answers.new_tokens, tokenizer)
        for text, known in zip(texts, references[start : start + size], strict=True):
            strict += scorers.strict(text, known)
            published += scorers.published(text, known)
    most = Counter(answer for known in references for answer in set(known)).most_common(1)[0][0]
    always = sum(scorers.strict(most, known) for known in references)
    return Evaluation(
        accuracy=strict / len(split),
        accuracy_published=published / len(split),
        loss=loss / tokens if math.isfinite(loss) else None,
        examples=len(split),
        majority=always / len(split),
    )


def _answered(model: AnswerModel, batch: Split, new_tokens: int, tokenizer: Any) -> list[str]:
    """What the model continues each prompt with, at each step by its likeliest token."""
    length = batch.ids.shape[1]
    # prompts end in the last position, as their answers did
    source = torch.arange(length, device=batch.ids.device) - batch.labels[:, None]
    inside = source >= 0
    ids = batch.ids.gather(1, source.clamp(min=0)).where(inside, batch.ids[:, :1])
    mask = batch.mask.gather(1, source.clamp(min=0)) & inside
    # what all rows have as padding alone need not be read
    first = int(mask.any(0).long().argmax())
    prompts = Split(ids[:, first:], mask[:, first:].long(), batch.labels, batch.images)
    inner: Any = model.model
    found = inner.generate(
        **model.shown(prompts), do_sample=False,
        max_new_tokens=new_tokens, use_cache=True, pad_token_id=tokenizer.pad_token_id
        if tokenizer.pad_token_id is not None else tokenizer.eos_token_id,
        eos_token_id=tokenizer.eos_token_id, temperature=None, top_p=None, top_k=None,
    )  # fmt: skip
    texts: list[str] = tokenizer.batch_decode(found[:, length - first :], skip_special_tokens=True)
    return texts
