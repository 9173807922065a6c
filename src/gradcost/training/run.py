"""The stage `train`: one run, from its spec to its record.

A run is trained once. Its record is kept beside its checkpoints first, under the key of all
that it depends on, and then put where Snakemake looks for it. Snakemake deletes there what a job
made that it did not see succeed, as when it was killed itself; the next job then finds the
kept record, and only puts it there again.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from gradcost import cpu
from gradcost.accounting.meter import Meter
from gradcost.accounting.step import measure
from gradcost.estimators import load
from gradcost.models import store
from gradcost.models.build import Ready, build
from gradcost.study import out_of_memory, record
from gradcost.study.claim import claim
from gradcost.study.record import Cost, Evaluation, Outcome, Record, RunName, Timings
from gradcost.study.seeds import derive
from gradcost.tasks import tokens
from gradcost.tasks.prepare import MANIFEST
from gradcost.tasks.tokens import Split
from gradcost.training import machine
from gradcost.training.checkpoints import Checkpoint, Stop
from gradcost.training.evaluation import evaluate
from gradcost.training.loop import Loop, Progress
from gradcost.training.objective import Criterion, Epoch, Objective, class_loss
from gradcost.training.step import EstimateThenUpdate, InPlace, priced, stepper

if TYPE_CHECKING:
    import pyarrow as pa

# The least seconds between two lines of progress of one run.
_REPORT_EVERY = 5.0
_NO_MEMORY = re.compile(f"{out_of_memory.HOST}|{out_of_memory.DEVICE}")


@dataclass(frozen=True)
class Job:
    """Where a run reads and writes, and what it was planned with.

    Attributes:
        name: which run of the study it is.
        spec: `gradcost.study.runs.spec`.
        tokens: folder of the task's tokens.
        model: folder of the model's manifest.
        out: folder of the record.
        checkpoints: folder of checkpoints, apart from the record's: it outlives a failed job.
        code: the fingerprint that the job was planned with.
        packages: the versions that it was planned with.
        checkpoint_seconds: seconds between checkpoints; changes no number.
        stop: is set to end the run between two steps, with a checkpoint.
        grows: whether a job that runs out of memory may be given more in its next attempt: then it
            fails, and only the last attempt says that the run does not fit.
    """

    name: RunName
    spec: dict[str, Any]
    tokens: Path
    model: Path
    out: Path
    checkpoints: Path
    code: dict[str, str]
    packages: dict[str, str]
    checkpoint_seconds: float = 60.0
    stop: Stop = field(default_factory=Stop)
    grows: bool = False


class _OutOfMemory(Exception):
    """A step needs more than the memory limit of the study's configuration."""


class MemoryMayGrow(Exception):
    """The run needs more memory than this attempt was given, and the next may be given more."""


def train(job: Job) -> Record:
    """Train, evaluate and write the record; running out of memory is an outcome too.

    Raises:
        gradcost.training.checkpoints.Stopped: if it was stopped half-way.
        MemoryMayGrow: if it ran out of memory and `job.grows`.
    """
    inputs = record.Inputs(
        tokens=record.content_hash(job.tokens / MANIFEST),
        model=record.content_hash(job.model / MANIFEST),
    )
    kept = job.checkpoints / record.key(job.name, job.spec, job.code, job.packages, inputs)
    with claim(kept.with_suffix(".claim")):
        if not (kept / record.RECORD).exists():
            checkpoint = Checkpoint(kept.with_suffix(".pt"), job.checkpoint_seconds, job.stop)
            record.write(kept, *_train(job, inputs, checkpoint))
            checkpoint.delete()
        found, history = record.read(kept)
        record.write(job.out, found, history)
    return found


def _train(job: Job, inputs: record.Inputs, checkpoint: Checkpoint) -> tuple[Record, pa.Table]:
    started, clock = datetime.now(UTC), time.perf_counter()
    spec = job.spec
    _make_deterministic(spec["hardware"]["threads"])
    training = _Training(job)
    outcome: Outcome = "completed"
    reason: str | None = None
    try:
        training.run(checkpoint)
        if training.progress.diverged:
            outcome, reason = "diverged", training.progress.diverged
    except Exception as error:
        if not _is_out_of_memory(error):
            raise
        if job.grows and not isinstance(error, _OutOfMemory):
            raise MemoryMayGrow(str(error).partition("\n")[0]) from error
        outcome, reason = "out-of-memory", str(error).partition("\n")[0]
        training.test = training.validation = None
    progress = training.progress
    history = record.history_table(progress.rows)
    result = Record(
        run=job.name,
        spec=spec,
        inputs=inputs,
        code=job.code,
        packages=job.packages,
        outcome=outcome,
        reason=reason,
        steps=progress.step,
        label_words=training.words or None,
        cost=training.cost,
        validation=training.validation,
        test=training.test,
        history_rows=history.num_rows,
        history_digest=record.history_digest(history),
        timings=Timings(
            started=started.isoformat(timespec="seconds"),
            finished=datetime.now(UTC).isoformat(timespec="seconds"),
            seconds=time.perf_counter() - clock,
            training_seconds=progress.seconds,
            resumed=progress.resumed,
        ),
        machine=machine.describe(spec["hardware"]["device"], spec["hardware"]["threads"]),
    )
    return result, history


class _Training:
    """What a run has come to so far, kept when it runs out of memory half-way."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.progress = Progress()
        self.words: dict[str, str] = {}
        self.cost: Cost | None = None
        self.validation: Evaluation | None = None
        self.test: Evaluation | None = None

    def run(self, checkpoint: Checkpoint) -> None:
        spec, job = self.job.spec, self.job
        device, seed = spec["hardware"]["device"], spec["seed"]
        task = tokens.load(job.tokens)
        splits = task.splits
        answer = task.answers.length if task.answers else 0
        ready = build(spec, job.model, task.classes, answer, task.images)
        model, params = ready.model, ready.params
        self.words = ready.words
        criterion: Criterion = class_loss
        if task.answers:
            # by name: runs on classes do not depend on it
            answers = import_module("gradcost.training.answers")
            criterion, tokenizer = answers.answer_loss, store.tokenizer(job.model)

        def look(name: str) -> Evaluation:
            if task.answers is None:
                return evaluate(model, splits[name], device)
            found: Evaluation = answers.evaluate(
                model, splits[name], task.answers, name, tokenizer, device
            )
            return found

        if ready.prompt:
            splits = {
                name: split.followed_by(ready.prompt, ready.pad) for name, split in splits.items()
            }

        if spec["method"]["estimator"] is None:
            self.cost = _cost_of_inference(ready, splits["test"][:1].to(device))
            self.validation = look("validation")
        else:
            batch_size = spec["hyperparameters"]["batch_size"]
            own = params if spec["method"]["checkpointing"] != "none" else None
            objective = Objective(
                model, splits["train"], batch_size, seed, device, own, criterion, ready.inputs
            )
            self.cost, per_evaluation = _cost_of_step(ready, objective, spec)
            limit = spec["hardware"]["memory_limit"]
            if limit is not None and self.cost.peak_bytes > limit * 1e9:
                raise _OutOfMemory(
                    f"a step takes {self.cost.peak_bytes / 1e9:.4g} GB, the limit is {limit:g} GB"
                )
            loop = Loop(
                params=params,
                stepper=_stepper(ready, spec),
                objective=objective,
                validate=lambda: look("validation"),
                steps=spec["steps"],
                evaluate_every=spec["evaluate_every"],
                batch_size=batch_size,
                seed=seed,
                evaluation_cost=per_evaluation / self.cost.forward_flops,
                checkpoint=checkpoint,
                report=_reporter(job.name, spec["steps"]),
                synchronise=torch.cuda.synchronize if device == "cuda" else lambda: None,
            )
            self.progress = loop.run()
            # steps of one run may differ in cost, as those at a snapshot do: the mean
            average = per_evaluation * self.progress.evaluations / self.progress.step
            self.cost = self.cost.model_copy(update={"step_flops": round(average)})
            if self.progress.diverged:
                return
            self.validation = Evaluation(**self.progress.last)
        self.test = look("test")


def _stepper(ready: Ready, spec: dict[str, Any]) -> EstimateThenUpdate | InPlace:
    estimator = load(**spec["method"]["estimator"])
    if reduction := spec["method"]["variance_reduction"]:
        estimator = load(base=estimator, **reduction)
    return stepper(estimator, ready.params, spec["hyperparameters"], ready.selection)


def _cost_of_step(ready: Ready, objective: Objective, spec: dict[str, Any]) -> tuple[Cost, float]:
    """The cost of the first step, and the FLOPs of one evaluation of the loss in it.

    The first step of a run is the one that takes the most memory: snapshots are made in
    it, and an update is rehearsed before it. Afterwards the parameters are put back.
    """
    # a snapshot of two batches takes the memory of one of all, and each evaluation the same
    loss = replace(objective.at(1), batches=Epoch(objective, at_most=2))
    another = objective.at(1)
    seed = derive(spec["seed"], "directions", 1)
    evaluations = batches = 0.0
    before = {name: value.detach().cpu().clone() for name, value in ready.params.items()}
    chosen = {} if ready.selection is None else deepcopy(ready.selection.state())

    def step() -> dict[str, Any]:
        nonlocal evaluations, batches
        start = objective.evaluations, objective.batches
        claims = priced(_stepper(ready, spec), loss, seed)
        evaluations = objective.evaluations - start[0]
        batches = objective.batches - start[1]
        return claims

    cost = measure(ready.model, ready.params, lambda: another(ready.params), step)
    with torch.no_grad():
        for name, value in ready.params.items():
            value.copy_(before[name])
        preparation = 0
        if spec["model"].get("image_size"):
            with Meter() as prepared:
                another(ready.params)
            preparation = cost.forward_flops - prepared.flops
    if ready.selection is not None:
        ready.selection.restore(chosen)
    per_evaluation = (cost.step_flops - preparation * batches) / evaluations
    objective.preparation = preparation / per_evaluation
    return cost, per_evaluation


def _cost_of_inference(ready: Ready, batch: Split) -> Cost:
    @torch.no_grad()
    def forward() -> dict[str, Any]:
        ready.model(**ready.inputs(batch))
        return {}

    found = measure(ready.model, ready.params, forward, forward)
    return found.model_copy(update={"step_flops": 0})


def _make_deterministic(threads: int) -> None:
    cpu.prepare(threads)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True, warn_only=True)


def _is_out_of_memory(error: BaseException) -> bool:
    if isinstance(error, torch.OutOfMemoryError | MemoryError | _OutOfMemory):
        return True
    # only torch's allocator of CUDA memory has an exception of its own
    return isinstance(error, RuntimeError) and _NO_MEMORY.search(str(error)) is not None


def _reporter(name: RunName, steps: int) -> Callable[[Progress, Evaluation], None]:
    """Print a line of progress now and then, and at the end."""
    began = last = time.monotonic()
    first: int | None = None

    def report(progress: Progress, found: Evaluation) -> None:
        nonlocal last, first
        now = time.monotonic()
        first = progress.step if first is None else first
        if progress.step < steps and now - last < _REPORT_EVERY:
            return
        last = now
        loss = progress.rows["loss"][-1]
        left = (now - began) / max(progress.step - first, 1) * (steps - progress.step)
        print(
            f"{name.task} {name.method} {name.setting} seed {name.seed}  "
            f"step {progress.step}/{steps}  "
            + (f"loss {loss:.3f}  " if loss is not None else "")
            + f"validation {100 * found.accuracy:.1f} %  {left:.0f} s left",
            flush=True,
        )

    return report
