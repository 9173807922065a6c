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
Prepare = Callable[[Split], dict[str, Tensor]]
"""From a batch to what a model is given, which no trained parameter changes."""


def class_loss(logits: Tensor, batch: Split) -> Tensor:
    """The mean cross-entropy of the classes: logits (batch, classes)."""
    return cross_entropy(logits.float(), batch.labels)


def batch_loss(
    model: nn.Module,
    batch: Split,
    own: Params | None = None,
    criterion: Criterion = class_loss,
    prepare: Prepare = Split.inputs,
) -> LossFn:
    """The mean loss of `batch` as a function of the trainable parameters.

    Args:
        prepare: called once, when the loss is first evaluated.
        own: refuse parameters that are not these. Checkpointed activations are recomputed
            after the call has put the model's own parameters back, so gradients at any
            others would be wrong.
    """

    inputs: dict[str, Tensor] = {}

    def loss(params: Params) -> Tensor:
        if not inputs:
            inputs.update(prepare(batch))
        if any(params[name] is not value for name, value in (own or {}).items()):
            raise ValueError("with activation checkpointing, only the model's own parameters")
        output = functional_call(model, dict(params), kwargs=inputs)
        return criterion(output.logits, batch)

    return loss


class Objective:
    """The loss of every step's batch, counting how much of it is evaluated.

    Attributes:
        evaluations: losses evaluated so far, in units of a whole batch. What an evaluation
            costs depends on the estimator, but not on the step; so FLOPs follow from it.
        batches: batches prepared so far, in the same units.
        preparation: what it costs to prepare a batch, in evaluations; it is counted with them.
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
        prepare: Prepare = Split.inputs,
    ) -> None:
        self._model, self._examples, self._device, self._own = model, examples, device, own
        self._criterion, self._prepare = criterion, prepare
        self._batch_size, self._seed = batch_size, seed
        self.evaluations = self.batches = self.preparation = 0.0

    def at(self, step: int) -> StepLoss:
        """The loss of step `step` (1, 2, ...)."""
        chosen = batch_indices(step, self._batch_size, len(self._examples), self._seed)
        return StepLoss(self._counted(self._examples[chosen]), Epoch(self))

    def _counted(self, examples: Split) -> LossFn:
        share = len(examples) / self._batch_size

        def prepare(batch: Split) -> dict[str, Tensor]:
            self.batches += share
            self.evaluations += share * self.preparation
            return self._prepare(batch)

        batch = examples.to(self._device)
        loss = batch_loss(self._model, batch, self._own, self._criterion, prepare)

        def counted(params: Params) -> Tensor:
            self.evaluations += share
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
