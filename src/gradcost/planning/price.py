"""What a step costs: FLOPs and bytes, counted on a model without numbers.

The step is that of a training run: the same model code, estimator and optimiser. Nothing is
estimated, but for which weights are the largest (`abstract.EvenSelection`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any

import torch
from torch import Tensor

from gradcost.accounting.meter import MANY, Meter, Trace
from gradcost.accounting.step import numbers
from gradcost.estimators import Params, load
from gradcost.models.build import Ready
from gradcost.planning import abstract
from gradcost.planning.case import Case, seeing
from gradcost.study.record import Cost
from gradcost.tasks.tokens import Split
from gradcost.training.objective import AlsoAll, batch_loss, class_loss
from gradcost.training.step import priced, stepper


@dataclass(frozen=True)
class Price:
    """What a step of a case costs, with any number of examples in its batch.

    Attributes:
        trainable: numbers that are trained.
        total: numbers of the model, those in 4 bits included.
        forward: one forward pass.
        steps: steps, each with how often it is added to make up the FLOPs of the case.
        snapshots: what is added to a step on average over a run, as a share of it.
        seeing: FLOPs for the images of an example, which are seen once for each batch.
    """

    trainable: int
    total: int
    forward: Trace
    steps: tuple[tuple[int, Trace], ...]
    snapshots: float
    seeing: int = 0

    def cost(self, examples: int) -> Cost:
        """The cost of a step with a batch of so many examples."""
        peak = max((trace.peak_at(examples) for _, trace in self.steps), key=lambda one: one.total)
        flops = sum(times * trace.flops_at(examples) for times, trace in self.steps)
        weights = self.forward.peak_at(examples)
        seeing = self.seeing * examples
        return Cost(
            trainable_parameters=self.trainable,
            total_parameters=self.total,
            forward_flops=self.forward.flops_at(examples) + seeing,
            # of a snapshot's batches each is estimated once, the step's own twice
            step_flops=round(flops * (1 + self.snapshots) + seeing * (1 + 2 * self.snapshots)),
            model_bytes=weights.frozen_weights + weights.trainable_parameters,
            peak_bytes=peak.total,
            peak=peak,
        )

    def largest_batch(self, limit: float) -> int:
        """The most examples of which a step stays within `limit` bytes; 0 if none does."""

        def fits(examples: int) -> bool:
            return all(trace.peak_at(examples).total <= limit for _, trace in self.steps)

        low, high = 0, 1
        while high < MANY and fits(high):
            low, high = high, 2 * high
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if fits(middle) else (low, middle)
        return low


def price(case: Case) -> Price:
    """Count a step of `case`.

    Raises:
        ValueError: if no model can be made of its config, or the method cannot run on it.
    """
    try:
        return _price(case)
    except (NotImplementedError, RuntimeError, AssertionError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ValueError(
            f"{case.spec['method']['name']} cannot be priced on {case.config['model_type']}: "
            f"{reason or type(error).__name__}"
        ) from error


def _price(case: Case) -> Price:
    prepared = _Prepared(case)
    reduction = case.spec["method"].get("variance_reduction") or {}
    return Price(
        trainable=sum(value.numel() for value in prepared.params.values()),
        total=sum(numbers(value) for value in prepared.ready.model.parameters()),
        forward=prepared.forward(),
        steps=tuple(
            (times, prepared.step(count))
            for count, times in _parts(case.spec["method"]["estimator"]).items()
        ),
        # an estimate of every batch per snapshot, where a step is two
        snapshots=1 / (2 * reduction.get("snapshot_every", 5)) if "svrg" in str(reduction) else 0,
        seeing=seeing(case, 1) if case.once else 0,
    )


def _seen(case: Case, batch: Split) -> dict[str, Tensor]:
    """What a model is given whose vision tower has seen the images of a batch."""
    width = case.config.get("text_config", case.config)["hidden_size"]
    dtype = getattr(torch, case.spec["model"]["dtype"])
    return {
        "inputs_embeds": torch.zeros(*batch.ids.shape, width, dtype=dtype),
        "attention_mask": batch.mask,
        "position_ids": torch.zeros(3, *batch.ids.shape, dtype=torch.long),
    }


def _parts(settings: dict[str, Any]) -> dict[int, int]:
    """Numbers of directions, and how often each adds to a step along all of them.

    Directions are evaluated in groups, and the second group costs what all further ones do.
    """
    directions = settings.get("perturbations", 1)
    group = min(settings.get("at_once", 1), directions)
    whole, rest = divmod(directions, group)
    parts = {group: 1} if whole == 1 else {group: 2 - whole, 2 * group: whole - 1}
    if rest:
        parts[group + rest] = 1
        parts[group] -= 1
    return parts


# of this process, by what it depends on
_FORWARD: dict[str, Trace] = {}


class _Prepared:
    """A model without numbers and a batch."""

    def __init__(self, case: Case) -> None:
        self.case, self.spec = case, case.spec
        self.ready: Ready = abstract.build(case.config, case.spec, case.classes, case.answer)
        model, self.params = self.ready.model, self.ready.params
        with abstract.without_numbers():
            ids = torch.zeros(MANY, case.length, dtype=torch.long)
            batch = Split(ids, torch.ones_like(ids), torch.zeros(MANY, dtype=torch.long))
        checkpointed = case.spec["method"].get("checkpointing", "none") != "none"
        if case.image and not case.once:
            raise ValueError("a vision tower that is trained cannot be priced")
        self.inputs = [batch.ids, batch.mask, batch.labels]
        criterion = class_loss
        if case.spec["method"]["objective"] == "answer":
            # by name: sheets on classes do not depend on it
            criterion = import_module("gradcost.training.answers").answer_loss
        own = self.params if checkpointed else None
        prepare = partial(_seen, case) if case.image else Split.inputs
        self.loss = AlsoAll(batch_loss(model, batch, own, criterion, prepare))

    def forward(self) -> Trace:
        """A forward pass that keeps nothing, which is the same for many methods."""
        case, method = self.case, self.case.spec["method"]
        same = (case.config, case.spec["model"], case.length, case.classes, case.answer, case.image)
        key = repr((*same, method["objective"], method.get("frozen_linears")))
        if key not in _FORWARD:
            meter = self._meter()
            with abstract.without_numbers(), torch.no_grad(), meter:
                self.loss(self.params)
            _FORWARD[key] = meter.trace(MANY)
        return _FORWARD[key]

    def step(self, directions: int) -> Trace:
        """A step along so many directions, as it is once the run is under way."""
        method = self.spec["method"]
        settings = dict(method["estimator"])
        if "perturbations" in settings:
            settings["perturbations"] = directions
        estimator = load(**settings)
        kind = ""
        if reduction := method.get("variance_reduction"):
            estimator, kind = load(base=estimator, **reduction), reduction["kind"]
        with abstract.without_numbers():
            one = stepper(
                estimator, self.params, self.spec["hyperparameters"], self.ready.selection
            )
            meter = self._meter()
            with meter:
                state = _under_way(estimator, kind, self.params)
                meter.claim("states", state)
                for category, found in priced(one, self.loss, 1, state).items():
                    meter.claim(category, found)
                del found
        return meter.trace(MANY)

    def _meter(self) -> Meter:
        model = self.ready.model
        return Meter(
            trainable_parameters=self.params.values(),
            frozen_weights=[*model.parameters(), *model.buffers()],
            activations=self.inputs,
        )


def _under_way(estimator: Any, reduction: str, params: Params) -> Any:
    """A state of the estimator as it is after the first step, when nothing is begun any more.

    Told by the kind of its variance reduction, so that a sheet depends on the code of its own
    methods alone.
    """

    def copy() -> dict[str, Tensor]:
        return {name: value.detach().clone() for name, value in params.items()}

    if "adaptive" in reduction:
        return copy()
    if "svrg" in reduction:
        return estimator.base.init(params), 1, copy(), copy()
    return estimator.init(params) if hasattr(estimator, "init") else ()
