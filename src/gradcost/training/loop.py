"""The training loop: estimate, update, look, until the steps are done or the run diverges."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from gradcost.estimators import Estimator, LossFn, Params
from gradcost.study.record import HISTORY, Evaluation
from gradcost.study.seeds import derive
from gradcost.training.checkpoints import Checkpoint


@dataclass
class Progress:
    """Where a run stands: all that it needs to go on, besides parameters and optimiser."""

    step: int = 0
    seconds: float = 0.0
    estimator: Any = ()
    rows: dict[str, list[Any]] = field(default_factory=lambda: {name: [] for name in HISTORY})
    diverged: str | None = None
    resumed: int = 0

    def add_row(self, **values: Any) -> None:
        """Append a row to the history; what is not given is null."""
        for name, column in self.rows.items():
            column.append(values.get(name))


@dataclass(frozen=True)
class Loop:
    """One run's training.

    Attributes:
        params: the trainable parameters, which the optimiser changes in place.
        loss_of: for a step, the loss of its batch as a function of the parameters.
        validate: accuracy and loss on the validation split.
        forward_equivalents: FLOPs of a step in units of one forward pass.
        report: is told of every evaluation.
    """

    params: dict[str, nn.Parameter]
    estimator: Estimator
    optimizer: torch.optim.Optimizer
    loss_of: Callable[[int], LossFn]
    validate: Callable[[], Evaluation]
    steps: int
    evaluate_every: int
    batch_size: int
    seed: int
    forward_equivalents: float
    checkpoint: Checkpoint
    report: Callable[[Progress, Evaluation], None]
    synchronise: Callable[[], None] = lambda: None

    def run(self) -> Progress:
        """Train from the beginning, or from the checkpoint if there is one."""
        progress = self._resume() or self._begin()
        while progress.step < self.steps and progress.diverged is None:
            self._step(progress)
            if self.checkpoint.due():
                self.checkpoint.save(self._state(progress))
        return progress

    def _begin(self) -> Progress:
        progress = Progress(estimator=self.estimator.init(self.params))
        self._look(progress, {"projections": []})
        return progress

    def _step(self, progress: Progress) -> None:
        number = progress.step + 1
        loss = self.loss_of(number)
        seed = derive(self.seed, "directions", number)
        started = time.perf_counter()
        estimate, state = self.estimator.estimate(loss, self.params, progress.estimator, seed)
        apply(self.optimizer, self.params, estimate.gradient)
        self.synchronise()
        progress.seconds += time.perf_counter() - started
        norm = _norm(estimate.gradient)
        facts = {
            "loss": float(estimate.loss),
            "gradient_norm": norm,
            "projections": estimate.projections.double().tolist(),
        }
        progress.step, progress.estimator = number, state
        progress.diverged = _not_finite(number, facts)
        if progress.diverged:
            self._record(progress, facts)
        elif number % self.evaluate_every == 0 or number == self.steps:
            self._look(progress, facts)
        else:
            self._record(progress, facts)

    def _look(self, progress: Progress, facts: dict[str, Any]) -> None:
        found = self.validate()
        facts |= {"validation_loss": found.loss, "validation_accuracy": found.accuracy}
        self._record(progress, facts)
        self.report(progress, found)

    def _record(self, progress: Progress, facts: dict[str, Any]) -> None:
        progress.add_row(
            step=progress.step,
            examples=progress.step * self.batch_size,
            forward_equivalents=progress.step * self.forward_equivalents,
            training_seconds=progress.seconds,
            **facts,
        )

    def _state(self, progress: Progress) -> dict[str, Any]:
        return {
            "params": {name: value.detach() for name, value in self.params.items()},
            "optimizer": self.optimizer.state_dict(),
            "progress": vars(progress),
        }

    def _resume(self) -> Progress | None:
        state = self.checkpoint.load()
        if state is None:
            return None
        with torch.no_grad():
            for name, value in self.params.items():
                value.copy_(state["params"][name])
        self.optimizer.load_state_dict(state["optimizer"])
        progress = Progress(**state["progress"])
        progress.resumed += 1
        return progress


def apply(optimizer: torch.optim.Optimizer, params: Params, gradient: dict[str, Tensor]) -> None:
    """One update of `params` along `gradient`."""
    for name, value in params.items():
        value.grad = gradient[name]
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


def _norm(gradient: dict[str, Tensor]) -> float:
    return float(torch.stack([part.float().norm() for part in gradient.values()]).norm())


def _not_finite(step: int, facts: dict[str, Any]) -> str | None:
    """Why the run has diverged at this step, or None."""
    values = {"loss": facts["loss"], "gradient norm": facts["gradient_norm"]}
    values |= {f"projection {i}": value for i, value in enumerate(facts["projections"])}
    wrong = [f"{name} = {value}" for name, value in values.items() if not math.isfinite(value)]
    return f"step {step}: {wrong[0]}" if wrong else None
