"""A language model whose head is evaluated where answers are, and nowhere else."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from gradcost.tasks.tokens import Split


class AnswerModel(nn.Module):
    """A language model that returns the logits that predict the answers.

    Answers stand at the end of each row (`gradcost.tasks.tokens`). A head over the whole
    vocabulary at all positions would take more memory than the rest of a small model.

    Attributes:
        model: a causal language model, with adapters or without.
        length: tokens of the longest answer.
    """

    def __init__(self, model: nn.Module, length: int) -> None:
        super().__init__()
        self.model, self.length = model, length

    def inputs(self, batch: Split) -> dict[str, Tensor]:
        """What the model is given of a batch."""
        return batch.inputs()

    def shown(self, batch: Split) -> dict[str, Tensor]:
        """What it is given of a batch of prompts to generate from."""
        return batch.inputs()

    def forward(self, **inputs: Tensor) -> Any:
        """`.logits` (batch, length + 1, vocabulary): those of the last positions."""
        return self.model(**inputs, logits_to_keep=self.length + 1)
