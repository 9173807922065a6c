"""The training loop: estimate, update, look, until the steps are done or the run diverges."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from gradcost.study.record import HISTORY, Evaluation
from gradcost.study.seeds import derive
from gradcost.training.checkpoints import Checkpoint
from gradcost.training.objective import Objective
from gradcost.training.step import EstimateThenUpdate, InPlace


@dataclass
class Progress:
    """Where a run stands: all that it needs to go on, besides parameters and stepper.

    `last` is the latest evaluation on the validation split, as a mapping.
    """

    step: int = 0
    updates: int = 0
    seconds: float = 0.0
    estimator: Any = ()
    evaluations: float = 0.0
    rows: dict[str, list[Any]] = field(default_factory=lambda: {name: [] for name in HISTORY})
    last: dict[str, Any] = field(default_factory=dict)
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
        params: the trainable parameters, which steps change in place.
        stepper: takes the steps.
        objective: the loss of each step's batch.
        validate: accuracy and loss on the validation split.
        evaluation_cost: FLOPs of evaluating the loss once, as the estimator does it, in
            units of one forward pass.
        report: is told of every evaluation.
    """

    params: dict[str, nn.Parameter]
    stepper: EstimateThenUpdate | InPlace
    objective: Objective
    validate: Callable[[], Evaluation]
    steps: int
    evaluate_every: int
    batch_size: int
    seed: int
    evaluation_cost: float
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
        progress = Progress(estimator=self.stepper.init())
        self._look(progress, {"projections": []})
        return progress

    def _step(self, progress: Progress) -> None:
        number = progress.step + 1
        loss = self.objective.at(number)
        seed = derive(self.seed, "directions", number)
        before, started = self.objective.evaluations, time.perf_counter()
        found, state = self.stepper.step(loss, progress.estimator, seed)
        self.synchronise()
        progress.seconds += time.perf_counter() - started
        progress.evaluations += self.objective.evaluations - before
        facts = {
            "loss": float(found.loss),
            "gradient_norm": found.gradient_norm(),
            "gradient_mean": found.gradient_mean(),
            "projections": found.projections.double().tolist(),
            **{name: value.double().tolist() for name, value in found.parts.items()},
        }
        progress.updates += found.updated
        progress.step, progress.estimator = number, state
        progress.diverged = _not_finite(number, facts)
        look = number % self.evaluate_every == 0 or number == self.steps
        if look and not progress.diverged:
            self._look(progress, facts)
        else:
            self._record(progress, facts)

    def _look(self, progress: Progress, facts: dict[str, Any]) -> None:
        found = self.validate()
        progress.last = found.model_dump()
        facts |= {"validation_loss": found.loss, "validation_accuracy": found.accuracy}
        self._record(progress, facts)
        self.report(progress, found)

    def _record(self, progress: Progress, facts: dict[str, Any]) -> None:
        progress.add_row(
            step=progress.step,
            updates=progress.updates,
            examples=progress.step * self.batch_size,
            forward_equivalents=progress.evaluations * self.evaluation_cost,
            training_seconds=progress.seconds,
            **facts,
        )

    def _state(self, progress: Progress) -> dict[str, Any]:
        return {
            "params": {name: value.detach() for name, value in self.params.items()},
            "stepper": self.stepper.state_dict(),
            "progress": vars(progress),
        }

    def _resume(self) -> Progress | None:
        state = self.checkpoint.load()
        if state is None:
            return None
        with torch.no_grad():
            for name, value in self.params.items():
                value.copy_(state["params"][name])
        self.stepper.load_state_dict(state["stepper"])
        progress = Progress(**state["progress"])
        progress.resumed += 1
        return progress


def _not_finite(step: int, facts: dict[str, Any]) -> str | None:
    """Why the run has diverged at this step, or None."""
    values = {"loss": facts["loss"], "gradient norm": facts["gradient_norm"]}
    values |= {f"projection {i}": value for i, value in enumerate(facts["projections"])}
    wrong = [f"{name} = {value}" for name, value in values.items() if not math.isfinite(value)]
    return f"step {step}: {wrong[0]}" if wrong else None
