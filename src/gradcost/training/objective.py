"""The training loss as estimators see it: a function of the parameters alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import cross_entropy

from gradcost.estimators import LossFn, Params
from gradcost.tasks.tokens import Split
from gradcost.training.batches import batch_indices

Criterion = Callable[[Tensor, Split], Tensor]
"""From a model's logits of a batch to the loss."""


def class_loss(logits: Tensor, batch: Split) -> Tensor:
    """The mean cross-entropy of the classes: logits (batch, classes)."""
    return cross_entropy(logits.float(), batch.labels)


def batch_loss(
    model: nn.Module, batch: Split, own: Params | None = None, criterion: Criterion = class_loss
) -> LossFn:
    """The mean loss of `batch` as a function of the trainable parameters.

    Args:
        own: refuse parameters that are not these. Checkpointed activations are recomputed
            after the call has put the model's own parameters back, so gradients at any
            others would be wrong.
    """

    def loss(params: Params) -> Tensor:
        if any(params[name] is not value for name, value in (own or {}).items()):
            raise ValueError("with activation checkpointing, only the model's own parameters")
        output = functional_call(
            model, dict(params), kwargs={"input_ids": batch.ids, "attention_mask": batch.mask}
        )
        return criterion(output.logits, batch)

    return loss


class Objective:
    """The loss of every step's batch, counting how much of it is evaluated.

    Attributes:
        evaluations: losses evaluated so far, in units of a whole batch. What an evaluation
            costs depends on the estimator, but not on the step; so FLOPs follow from it.
    """

    def __init__(
        self,
        model: nn.Module,
        examples: Split,
        batch_size: int,
        seed: int,
        device: str,
        own: Params | None = None,
        criterion: Criterion = class_loss,
    ) -> None:
        self._model, self._examples, self._device, self._own = model, examples, device, own
        self._criterion = criterion
        self._batch_size, self._seed = batch_size, seed
        self.evaluations = 0.0

    def at(self, step: int) -> StepLoss:
        """The loss of step `step` (1, 2, ...)."""
        chosen = batch_indices(step, self._batch_size, len(self._examples), self._seed)
        return StepLoss(self._counted(self._examples[chosen]), Epoch(self))

    def _counted(self, examples: Split) -> LossFn:
        loss = batch_loss(self._model, examples.to(self._device), self._own, self._criterion)

        def counted(params: Params) -> Tensor:
            self.evaluations += len(examples) / self._batch_size
            return loss(params)

        return counted

    def __len__(self) -> int:
        """Batches that make up the training set once; the last may be smaller."""
        return -(-len(self._examples) // self._batch_size)

    def slice(self, index: int) -> tuple[float, LossFn]:
        """Batch `index` of the training set in its stored order, and its share of it."""
        start = index * self._batch_size
        part = self._examples[slice(start, start + self._batch_size)]
        return len(part) / len(self._examples), self._counted(part)


@dataclass(frozen=True)
class Epoch:
    """All batches of the training set, each made when it is its turn; or the first of them."""

    objective: Objective
    at_most: int | None = None

    def __len__(self) -> int:
        whole = len(self.objective)
        return whole if self.at_most is None else min(whole, self.at_most)

    def __iter__(self) -> Iterator[tuple[float, LossFn]]:
        return (self.objective.slice(index) for index in range(len(self)))


@dataclass(frozen=True)
class StepLoss:
    """A `gradcost.estimators.FiniteSumLoss`."""

    current: LossFn
    batches: Epoch

    def __call__(self, params: Params) -> Tensor:
        return self.current(params)


class AlsoAll:
    """The loss of a batch that is all of the training set, which a snapshot asks for."""

    def __init__(self, loss: LossFn) -> None:
        self._loss = loss
        self.batches = [(1.0, loss)]

    def __call__(self, params: Params) -> Tensor:
        return self._loss(params)
