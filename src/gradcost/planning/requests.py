"""What a run asks a scheduler for: a card that holds it, memory of the host, and time.

All of it follows from the accounting, with a margin; nothing of it changes a number. Time is
needed as soon as a study is planned, and follows from the closed form. Memory follows from
the meter, which takes seconds a method: a job of its own makes a forecast for each model and
task, before the first of their runs.

This module is read by Snakemake, so it imports neither torch nor pandas.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

from gradcost.accounting import closed_form
from gradcost.planning import case as cases
from gradcost.planning.case import Case, closed_form_flops, forward_flops
from gradcost.study import devices, runs
from gradcost.study.config import Card, Study
from gradcost.study.devices import Device
from gradcost.study.files import read_json
from gradcost.study.runs import TOO_SMALL, Run

# Of a card's peak: the paper's own runs reached 0.55 on an L40, by its seconds an epoch.
_UTILISATION = 0.5
# Seconds at the least of an evaluation of the loss, whose kernels are launched one by one.
_PASS = 0.1
# Seconds of a token of an answer, for a batch of examples.
_TOKEN, _BATCH = 0.05, 8
# Examples of a split of which nothing is known yet.
_SPLIT = 4000
# Minutes to load a model and its data.
_START = 15
# A time limit is this much above what is predicted; each attempt asks for more than the last.
_MARGIN, _GROWTH = 2.0, 1.5
# Bytes besides what the meter counts: of CUDA and its allocator, and of the host.
_RESERVE, _FRAGMENTS, _HOST = 0.6e9, 1.05, {"cpu": 2e9, "cuda": 6e9}


@dataclass
class Requests:
    """What the runs of a study ask for.

    Attributes:
        results: the folder of its results.
        asked: minutes on a card of the runs that were asked for.
    """

    study: Study
    results: Path
    asked: dict[Run, int] = field(default_factory=dict)
    _seconds: dict[Run, float] = field(default_factory=dict)

    def resources(self) -> dict[str, Any]:
        """The resources of the rule `train`, each a function of wildcards and attempt."""
        cuda = self.study.hardware.device == "cuda"
        found: dict[str, Any] = {
            "gpu": int(cuda),
            "mem_mb": lambda wildcards, attempt: self.host_mb(run_of(wildcards), attempt),
            "runtime": lambda wildcards, attempt: self.minutes(run_of(wildcards), attempt),
            "grows": 0,
        }
        if cuda:
            found["gpu_minutes"] = lambda wildcards: self.gpu_minutes(run_of(wildcards))
            # these wait for the forecast: its absence is a missing input
            found["gpu_mb"] = lambda wildcards, input: self.gpu_mb(run_of(wildcards))
            found["grows"] = lambda wildcards, input: int(self.grows(run_of(wildcards)))
            # of a card without the one or the other, Snakemake leaves out what is None
            cards = [card for _, card in self._cards]
            if any(card.type for card in cards):
                found["gpu_model"] = lambda wildcards, input: self.card(run_of(wildcards)).type
            if any(card.constraint for card in cards):
                found["constraint"] = lambda wildcards, input: (
                    self.card(run_of(wildcards)).constraint
                )
        return found

    def seconds(self, run: Run) -> float:
        """Seconds that a run is predicted to take on a card, once its model is loaded."""
        any_seed = replace(run, seed=0)
        if any_seed not in self._seconds:
            self._seconds[any_seed] = self._predict(any_seed)
        return self._seconds[any_seed]

    def _predict(self, run: Run) -> float:
        case, batch = self._case(run)
        rate = self._cards[0][0].rate(self.study.models[run.model].dtype) * _UTILISATION
        forward = forward_flops(case, 1)
        steps = 0.0
        if case.spec["steps"]:
            flops = _step_flops(case, batch)
            passes = flops / (forward * batch)
            steps = case.spec["steps"] * max(flops / rate, passes * _PASS)
        examples = cases.evaluated_examples(self.study, self.results, run)
        if examples is None:
            looks = 1 + -(-case.spec["steps"] // case.spec["evaluate_every"])
            examples = (looks + 1) * _SPLIT
        looking = examples * forward / rate + examples / _BATCH * case.answer * _TOKEN
        return steps + looking

    def gpu_minutes(self, run: Run) -> int:
        """Minutes that a run is predicted to take on a card."""
        self.asked[run] = math.ceil(self.seconds(run) / 60)
        return self.asked[run]

    def minutes(self, run: Run, attempt: int = 1) -> int:
        """The time limit of an attempt. A run that comes to it goes on in the next."""
        known = self.study.hardware.device == "cuda"
        predicted = self.seconds(run) / 60 if known else 60.0
        minutes = (_START + _MARGIN * predicted) * _grown(attempt)
        return min(math.ceil(minutes), 60 * self.study.cluster.max_hours)

    def host_mb(self, run: Run, attempt: int = 1) -> int:
        """Memory of the host of an attempt: for the model as it is read, and what is offloaded."""
        device = self.study.hardware.device
        # as it is stored, before it is packed
        size = 2 if self.study.models[run.model].dtype == "bfloat16" else 4
        size *= 1 if device == "cuda" else 3
        needed: float = _HOST[device] + size * self._parameters[run.model]
        if device == "cuda" and self.forecast(run.model, run.task).exists():
            needed += self._forecast(run)["host_bytes"]
        megabytes = math.ceil(needed * _grown(attempt) / 1e6)
        return min(megabytes, 1000 * self.study.cluster.max_memory)

    def gpu_mb(self, run: Run) -> int:
        """Memory that a run takes of its card, with what CUDA and its allocator take.

        Raises:
            FileNotFoundError: before there is a forecast.
        """
        return math.ceil((self._forecast(run)["peak_bytes"] * _FRAGMENTS + _RESERVE) / 1e6)

    def card(self, run: Run) -> Card:
        """How the scheduler is asked for the card that a run needs.

        Raises:
            FileNotFoundError: before there is a forecast.
        """
        return self._cards[self._index(run)][1]

    def grows(self, run: Run) -> bool:
        """Whether there is a larger card than the one that a run asks for."""
        return self._index(run) < len(self._cards) - 1

    def forecast(self, model: str, task: str) -> Path:
        """The file with the forecast of a model's runs on a task."""
        return self.results / "forecasts" / model / f"{task}.json"

    def steps(self, model: str, task: str, wanted: list[Run]) -> list[dict[str, Any]]:
        """The different steps of a model's runs on a task: what a forecast is made of."""
        found = {}
        for run in wanted:
            if (run.model, run.task) == (model, task) and self.study.methods[run.method].estimator:
                case, batch = self._case(run)
                found[_key(run)] = {"step": _key(run), "batch": batch, "case": asdict(case)}
        return list(found.values())

    def summary(self, retries: int = 0) -> str | None:
        """What the runs that were asked for take in all, in a line; None without a card.

        Another line is of those that take longer than all attempts that Snakemake makes by itself.
        """
        if not self.asked:
            return None
        card, _ = self._cards[0]
        hours = sum(self.asked.values()) / 60
        told = (
            f"{len(self.asked)} runs to train: {hours:,.0f} GPU hours, predicted for the "
            f"{card.label} at {_UTILISATION:.0%} of its peak. `gradcost plan --study` says more."
        )
        limit = self.study.cluster.max_hours
        attempts = 1 + retries
        long = [minutes for minutes in self.asked.values() if minutes > 60 * limit * attempts]
        if long:
            needed = math.ceil(max(long) / 60 / limit)
            told += (
                f"\nMore than {attempts} jobs of {limit} hours are needed by {len(long)} of them, "
                f"up to {needed}: start Snakemake again (or with --retries) and they go on from "
                "their checkpoints."
            )
        return told

    @cached_property
    def _cards(self) -> list[tuple[Device, Card]]:
        """The cards from the smallest on, however they are listed."""
        cards = [(devices.load(name), card) for name, card in self.study.cluster.cards.items()]
        return sorted(cards, key=lambda card: card[0].memory)

    def _index(self, run: Run) -> int:
        """Which of the cards: the smallest that holds the run, after those that did not."""
        memories = [device.memory for device, _ in self._cards]
        needed = 1e6 * self.gpu_mb(run)
        fitting = [index for index, memory in enumerate(memories) if memory >= needed]
        tried = self.results / run.path / TOO_SMALL
        failed = len(tried.read_text().splitlines()) if tried.exists() else 0
        return min((fitting[0] if fitting else len(memories)) + failed, len(memories) - 1)

    def _forecast(self, run: Run) -> dict[str, float]:
        path = self.forecast(run.model, run.task)
        # of a run without training, and of one that has come since: what is known of the model
        weights = {"peak_bytes": 2.0 * self._parameters[run.model], "host_bytes": 0.0}
        known: dict[str, dict[str, float]] = read_json(path)
        return known.get(_key(run), weights)

    def _case(self, run: Run) -> tuple[Case, int]:
        return cases.of_run(self.study, self._shapes[run.model], run)

    @cached_property
    def _shapes(self) -> Mapping[str, Any]:
        return {name: runs.architecture(self.study, name) for name in self.study.models}

    @cached_property
    def _parameters(self) -> dict[str, int]:
        head = closed_form.Head("language-model")
        described = {
            name: closed_form.describe(shape.config, closed_form.Batch(1, 1), head, "all")
            for name, shape in self._shapes.items()
        }
        return {name: sum(p.count for p in one.parameters) for name, one in described.items()}


def make(steps: list[dict[str, Any]], processes: int) -> dict[str, Any]:
    """A forecast: bytes on the card and on the host of each of some `Requests.steps`.

    Raises:
        ValueError: naming a step that cannot be made, before a card is spent on its run.
    """
    # by name: Snakemake reads this module, and the meter needs torch
    sheet = import_module("gradcost.planning.sheet")
    found = {}
    for one, price in zip(
        steps, sheet.prices([Case(**one["case"]) for one in steps], processes), strict=True
    ):
        peak = price.cost(one["batch"]).peak
        found[one["step"]] = {"peak_bytes": peak.total, "host_bytes": peak.host}
        print(f"{one['step']}: {peak.total / 1e9:.2f} GB", flush=True)
    return found


def run_of(wildcards: Any) -> Run:
    """The run that the wildcards of a rule name."""
    return Run(
        wildcards.model, wildcards.task, wildcards.method, wildcards.setting, int(wildcards.seed)
    )


def _grown(attempt: int) -> float:
    return float(_GROWTH ** (attempt - 1))


def _key(run: Run) -> str:
    """What of a run's name a step depends on."""
    return f"{run.method}/{run.setting}"


def _step_flops(case: Case, batch: int) -> float:
    """FLOPs of a step; for what the closed form does not describe, those of the nearest."""
    known = closed_form_flops(case, batch)
    if known is not None:
        return known
    if case.config["model_type"] not in closed_form.SUPPORTED:
        return 4.0 * forward_flops(case, batch)
    model, method = case.spec["model"], case.spec["method"]
    estimator = {**method["estimator"]}
    estimator["kind"] = {"published-zeroth-order": "zeroth-order"}.get(
        estimator["kind"], estimator["kind"].removesuffix("-in-place")
    )
    reduction = "svrg" if "svrg" in str(method["variance_reduction"]) else None
    nearest = {
        "model": {**model, "trainable": "all" if model["trainable"] == "sparse" else "lora"},
        "method": {
            **method,
            "estimator": estimator,
            "variance_reduction": {"kind": reduction} if reduction else None,
        },
    }
    if nearest["model"]["trainable"] == "lora" and "lora" not in model:
        nearest["model"]["trainable"] = "all"
    flops = closed_form_flops(Case(**{**vars(case), "spec": case.spec | nearest}), batch)
    assert flops is not None
    return flops
