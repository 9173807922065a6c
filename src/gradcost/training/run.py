"""The stage `train`: one run, from its spec to its record."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import cross_entropy

from gradcost.accounting.step import measure
from gradcost.estimators import Estimator, LossFn, Params, load
from gradcost.models.build import build, trainable
from gradcost.study import record
from gradcost.study.files import digest
from gradcost.study.record import Cost, Evaluation, Outcome, Record, RunName, Timings
from gradcost.study.seeds import derive
from gradcost.tasks import tokens
from gradcost.tasks.prepare import MANIFEST
from gradcost.tasks.tokens import Split
from gradcost.training import machine, optimisers
from gradcost.training.batches import batch_indices
from gradcost.training.checkpoints import Checkpoint
from gradcost.training.evaluation import evaluate
from gradcost.training.loop import Loop, Progress, apply

# The least seconds between two lines of progress of one run.
_REPORT_EVERY = 5.0


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


class _OutOfMemory(Exception):
    """A step needs more than the memory limit of the study's configuration."""


def train(job: Job) -> Record:
    """Train, evaluate and write the record; running out of memory is an outcome too."""
    started, clock = datetime.now(UTC), time.perf_counter()
    spec = job.spec
    _make_deterministic(spec["hardware"]["threads"])
    inputs = record.Inputs(
        tokens=record.content_hash(job.tokens / MANIFEST),
        model=record.content_hash(job.model / MANIFEST),
    )
    key = digest([spec, job.code, job.packages, inputs.model_dump()])
    checkpoint = Checkpoint(job.checkpoints / f"{key[:32]}.pt", job.checkpoint_seconds)
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
    record.write(job.out, result, history)
    checkpoint.delete()
    return result


class _Training:
    """What a run has come to so far, kept when it runs out of memory half-way."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.progress = Progress()
        self.cost: Cost | None = None
        self.validation: Evaluation | None = None
        self.test: Evaluation | None = None

    def run(self, checkpoint: Checkpoint) -> None:
        spec, job = self.job.spec, self.job
        device, seed = spec["hardware"]["device"], spec["seed"]
        splits, classes = tokens.load(job.tokens)
        model = build(
            spec["model"],
            job.model,
            classes,
            checkpointing=spec["method"]["checkpointing"],
            seed=seed,
            device=device,
        )
        params = trainable(model)

        def validate() -> Evaluation:
            return evaluate(model, splits["validation"], device)

        settings = spec["method"]["estimator"]
        if settings is None:
            self.cost = _cost_of_inference(model, params, splits["test"][:1].to(device))
            self.validation = validate()
        else:
            estimator = load(**settings)
            batch_size = spec["hyperparameters"]["batch_size"]

            def loss_of(step: int) -> LossFn:
                chosen = batch_indices(step, batch_size, len(splits["train"]), seed)
                batch = splits["train"][chosen].to(device)
                return loss_function(model, batch, own_only=spec["method"]["checkpointing"])

            self.cost = _cost_of_step(model, params, estimator, loss_of(1), spec)
            limit = spec["hardware"]["memory_limit"]
            if limit is not None and self.cost.peak_bytes > limit * 1e9:
                raise _OutOfMemory(
                    f"a step takes {self.cost.peak_bytes / 1e9:.4g} GB, the limit is {limit:g} GB"
                )
            optimizer = optimisers.build(spec["hyperparameters"], params.values())
            loop = Loop(
                params=params,
                estimator=estimator,
                optimizer=optimizer,
                loss_of=loss_of,
                validate=validate,
                steps=spec["steps"],
                evaluate_every=spec["evaluate_every"],
                batch_size=batch_size,
                seed=seed,
                forward_equivalents=self.cost.forward_equivalents,
                checkpoint=checkpoint,
                report=_reporter(job.name, spec["steps"]),
                synchronise=torch.cuda.synchronize if device == "cuda" else lambda: None,
            )
            self.progress = loop.run()
            if self.progress.diverged:
                return
            self.validation = validate()
        self.test = evaluate(model, splits["test"], device)


def loss_function(model: nn.Module, batch: Split, *, own_only: bool) -> LossFn:
    """The mean cross-entropy of `batch` as a function of the trainable parameters.

    Args:
        own_only: refuse parameters that are not the model's own tensors. Checkpointed
            activations are recomputed after the call has put the model's own parameters
            back, so gradients at any others would be wrong.
    """
    own = trainable(model) if own_only else {}

    def loss(params: Params) -> Tensor:
        if any(params[name] is not value for name, value in own.items()):
            raise ValueError("with activation checkpointing, only the model's own parameters")
        output = functional_call(
            model, dict(params), kwargs={"input_ids": batch.ids, "attention_mask": batch.mask}
        )
        return cross_entropy(output.logits.float(), batch.labels)

    return loss


def _cost_of_step(
    model: nn.Module,
    params: dict[str, nn.Parameter],
    estimator: Estimator,
    loss: LossFn,
    spec: dict[str, Any],
) -> Cost:
    seed = derive(spec["seed"], "directions", 1)

    def step() -> None:
        estimate, _ = estimator.estimate(loss, params, estimator.init(params), seed)
        # the update and its state cost memory too, but must not happen: update copies
        copies = {name: nn.Parameter(value.detach().clone()) for name, value in params.items()}
        apply(optimisers.build(spec["hyperparameters"], copies.values()), copies, estimate.gradient)

    numbers = sum(value.numel() for value in params.values())
    return measure(model, lambda: loss(params), step, numbers)


def _cost_of_inference(model: nn.Module, params: dict[str, nn.Parameter], batch: Split) -> Cost:
    @torch.no_grad()
    def forward() -> None:
        model(input_ids=batch.ids, attention_mask=batch.mask)

    found = measure(model, forward, forward, sum(value.numel() for value in params.values()))
    return found.model_copy(update={"step_flops": 0})


def _make_deterministic(threads: int) -> None:
    torch.set_num_threads(threads)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True, warn_only=True)


def _is_out_of_memory(error: BaseException) -> bool:
    if isinstance(error, torch.OutOfMemoryError | MemoryError | _OutOfMemory):
        return True
    # the CPU's allocator has no exception of its own
    return isinstance(error, RuntimeError) and "DefaultCPUAllocator" in str(error)


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
