"""One training step: estimate the gradient, update the parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from gradcost.estimators import Estimator, LossFn
from gradcost.training import optimisers

if TYPE_CHECKING:
    from gradcost.models.sparse import Selection


@dataclass(frozen=True)
class Facts:
    """What a step saw: the loss, the slopes (n,), and the gradient or, in place, its norm.

    `parts` are the estimate's, and `updated` says whether the parameters were.
    """

    loss: Tensor
    projections: Tensor
    gradient: dict[str, Tensor] | Tensor
    parts: Mapping[str, Tensor] = field(default_factory=dict)
    updated: bool = True

    def gradient_norm(self) -> float:
        """The Euclidean norm of the gradient estimate, before any clipping."""
        if isinstance(self.gradient, Tensor):
            return float(self.gradient)
        return float(nn.utils.get_total_norm(self.gradient.values()))

    def gradient_mean(self) -> float | None:
        """The mean absolute component of the gradient estimate; None in place."""
        if isinstance(self.gradient, Tensor):
            return None
        size = sum(value.numel() for value in self.gradient.values())
        return float(nn.utils.get_total_norm(self.gradient.values(), norm_type=1.0)) / size


class EstimateThenUpdate:
    """The usual step: an estimator, then an optimiser."""

    def __init__(
        self,
        estimator: Estimator,
        params: dict[str, nn.Parameter],
        hyperparameters: dict[str, Any],
        selection: Selection | None = None,
    ) -> None:
        """Args: selection: the weights that are trained, if they are chosen anew each step."""
        self.estimator, self.params, self.selection = estimator, params, selection
        self.optimizer = optimisers.build(hyperparameters, params.values())
        self.clip_norm = hyperparameters["clip_norm"]

    def init(self) -> Any:
        """The state of the estimator before the first step."""
        return self.estimator.init(self.params)

    def step(
        self, loss: LossFn, state: Any, seed: int, *, always: bool = False
    ) -> tuple[Facts, Any]:
        """Estimate the gradient of `loss`, and update if it is due, or `always`."""
        found, state = self.estimator.estimate(loss, self.params, state, seed)
        due = found.due or always
        if due:
            self._update(found.gradient)
        facts = Facts(found.loss, found.projections, found.gradient, found.parts, due)
        return facts, state

    def rehearse(self) -> None:
        """Update along nothing, so that the optimiser's state takes its memory."""
        self._update({name: torch.zeros_like(value) for name, value in self.params.items()})

    def _update(self, gradient: dict[str, Tensor]) -> None:
        for name, value in self.params.items():
            # as the optimiser wants it; the estimate itself stays as it is
            value.grad = gradient[name] if self.clip_norm is None else gradient[name].clone()
        if self.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.params.values(), self.clip_norm)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        if self.selection is not None:
            self.selection.follow(self.optimizer)

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint needs besides parameters and the estimator's state."""
        chosen = None if self.selection is None else self.selection.state()
        return {"optimizer": self.optimizer.state_dict(), "selection": chosen}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state_dict`."""
        self.optimizer.load_state_dict(state["optimizer"])
        if self.selection is not None:
            self.selection.restore(state["selection"])


class InPlace:
    """Zeroth-order SGD that moves the parameters themselves, at the memory of inference."""

    def __init__(
        self, estimator: Any, params: dict[str, nn.Parameter], hyperparameters: dict[str, Any]
    ) -> None:
        self.estimator, self.params = estimator, params
        self.update = {
            "learning_rate": hyperparameters["learning_rate"],
            "weight_decay": hyperparameters["weight_decay"],
            "sign": hyperparameters["optimizer"] == "sign",
        }

    def init(self) -> Any:
        return ()

    def step(
        self, loss: LossFn, state: Any, seed: int, *, always: bool = False
    ) -> tuple[Facts, Any]:
        found = self.estimator.step(lambda: loss(self.params), self.params, seed, **self.update)
        return Facts(found.loss, found.projections, found.gradient_norm), state

    def rehearse(self) -> None:
        """There is no state."""

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """There is none."""


def priced(
    one: EstimateThenUpdate | InPlace, loss: LossFn, seed: int, state: Any = None
) -> dict[str, Any]:
    """Take a step with all that a later one finds in memory, for `accounting.step.measure`.

    Args:
        state: the estimator's; by default that before the first step.
    """
    one.rehearse()
    facts, state = one.step(loss, one.init() if state is None else state, seed, always=True)
    return {"states": [one.state_dict(), state], "gradients": facts.gradient}


def stepper(
    estimator: Any,
    params: dict[str, nn.Parameter],
    hyperparameters: dict[str, Any],
    selection: Selection | None = None,
) -> EstimateThenUpdate | InPlace:
    """The stepper that `estimator` needs."""
    if hasattr(estimator, "step"):
        return InPlace(estimator, params, hyperparameters)
    return EstimateThenUpdate(estimator, params, hyperparameters, selection)
