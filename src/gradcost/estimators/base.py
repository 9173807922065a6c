"""What all estimators share: their types."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from torch import Tensor

Params = Mapping[str, Tensor]
"""Trainable tensors by name. An estimator never changes them."""

LossFn = Callable[[Params], Tensor]
"""The loss of the current batch, a scalar, as a function of the trainable tensors."""

State = Any
"""What an estimator carries from step to step: tensors, numbers, tuples and dicts of them."""


class FiniteSumLoss(Protocol):
    """The loss of the current batch, which also knows the whole training set.

    Attributes:
        batches: batches that make up the training set once, each with its share of the
            examples; the shares add up to 1.
    """

    batches: Collection[tuple[float, LossFn]]

    def __call__(self, params: Params) -> Tensor:
        """The loss of the current batch."""


@dataclass(frozen=True)
class Estimate:
    """An estimate of the gradient at one point.

    Attributes:
        loss: scalar; at the unperturbed parameters where the method evaluates them, else
            the mean over the evaluations, which differs by O(epsilon^2).
        gradient: like the parameters.
        projections: (n,), the directional derivative along each direction: the jvp of
            forward mode, the projected gradient of zeroth order. Empty for backprop.
        due: whether the parameters are to be updated now; not while gradients accumulate.
        parts: scalars and vectors that the estimate is made of, for those who look into a
            method: see the wrapper that fills them.
    """

    loss: Tensor
    gradient: dict[str, Tensor]
    projections: Tensor
    due: bool = True
    parts: Mapping[str, Tensor] = field(default_factory=dict)


class Estimator(Protocol):
    """A gradient estimator."""

    def init(self, params: Params) -> State:
        """The state before the first step."""

    def estimate(
        self, loss: LossFn, params: Params, state: State, seed: int
    ) -> tuple[Estimate, State]:
        """Estimate the gradient of `loss` at `params`.

        Args:
            loss: see `LossFn`.
            params: see `Params`.
            state: what `init` or the previous call returned.
            seed: everything random follows from it. Estimators that draw directions
                draw the same ones from the same seed.
        """
