"""A run that is interrupted ends as if it had not been, bit for bit."""

from __future__ import annotations

import errno
import os
import signal
from dataclasses import replace

import pytest
import torch

from gradcost.study import record
from gradcost.training import loop, run
from gradcost.training.checkpoints import Checkpoint, Stop, Stopped
from gradcost.training.run import MemoryMayGrow, train
from tests.runs import METHODS


class Interrupted(BaseException):
    """Ends a run as a signal would."""


@pytest.mark.parametrize(
    ("method", "optimizer"),
    [(name, None) for name in METHODS if name != "no-finetuning"]
    + [(name, "sgd") for name in ("bp-vanilla", "fmad-multiple", "zo-vanilla", "zo-sparse")],
)
def test_an_interrupted_run_resumes_and_ends_the_same(job, monkeypatch, method, optimizer):
    hyperparameters = {}
    if optimizer == "sgd":
        hyperparameters = {"optimizer": "sgd", "momentum": 0.9, "nesterov": True}
    whole = train(job(method, "whole", hyperparameters=hyperparameters))

    original, steps = loop.Loop._step, []

    def step(self, progress):
        if len(steps) in (2, 5):  # twice, after two and then three more steps
            steps.append("interrupted")
            raise Interrupted
        steps.append(progress.step)
        original(self, progress)

    monkeypatch.setattr(loop.Loop, "_step", step)
    planned = job(method, "resumed", hyperparameters=hyperparameters, checkpoint_seconds=0.0)
    for _ in range(2):
        with pytest.raises(Interrupted):
            train(planned)
        assert not planned.out.exists()
    resumed = train(planned)
    # no step was taken twice
    assert steps == [0, 1, "interrupted", 2, 3, "interrupted", 4, 5]
    assert resumed.timings.resumed == 2
    assert record.without_timings(resumed) == record.without_timings(whole)
    assert not list(planned.checkpoints.glob("*.pt"))


def test_a_run_resumes_neither_from_other_settings_nor_from_other_code(job, monkeypatch):
    original = loop.Loop._step

    def stop(self, progress):
        if progress.step == 3:
            raise Interrupted
        original(self, progress)

    monkeypatch.setattr(loop.Loop, "_step", stop)
    with pytest.raises(Interrupted):
        train(job("bp-vanilla", checkpoint_seconds=0.0))
    monkeypatch.undo()
    for changes in ({"steps": 5}, {"hyperparameters": {"learning_rate": 0.5}}):
        assert train(job("bp-vanilla", **changes)).timings.resumed == 0
    planned = job("bp-vanilla")
    planned.code["a.py"] = "edited"
    assert train(planned).timings.resumed == 0
    other = job("bp-vanilla")
    other = replace(other, name=other.name.model_copy(update={"setting": "other"}))
    assert train(other).timings.resumed == 0
    assert train(job("bp-vanilla")).timings.resumed == 1


def test_a_checkpoint_is_replaced_whole_or_not_at_all(tmp_path, monkeypatch):
    checkpoint = Checkpoint(tmp_path / "run.pt", 0.0)
    assert checkpoint.load() is None
    checkpoint.save({"step": 1, "w": torch.ones(3)})

    def fail(state, path):
        path.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(torch, "save", fail)
    with pytest.raises(OSError, match="disk full"):
        checkpoint.save({"step": 2})
    assert checkpoint.load()["step"] == 1
    assert [path.name for path in tmp_path.iterdir()] == ["run.pt"]


def test_a_run_is_trained_once_whatever_becomes_of_its_record(job, monkeypatch):
    """Snakemake deletes the output of a job that it did not see succeed."""
    planned = job("bp-vanilla")
    first = train(planned)
    for path in planned.out.iterdir():
        path.unlink()
    monkeypatch.setattr(run, "_train", lambda *_: pytest.fail("trained twice"))
    assert train(job("bp-vanilla")) == first
    assert record.read(planned.out)[0] == first
    # once it is acknowledged it is a record like any other, and `rm` has it trained again
    record.forget(planned.checkpoints, first)
    assert not list(planned.checkpoints.iterdir())
    monkeypatch.undo()
    again = train(job("bp-vanilla"))
    assert again.timings != first.timings
    assert record.without_timings(again) == record.without_timings(first)


def test_a_run_whose_record_could_not_be_written_is_not_trained_again(job, monkeypatch):
    planned = job("bp-vanilla")
    original, written = record.write, []

    def write(folder, *contents):
        written.append(folder)
        if folder == planned.out and len(written) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        original(folder, *contents)

    monkeypatch.setattr(record, "write", write)
    with pytest.raises(OSError, match="No space left"):
        train(planned)
    assert not planned.out.exists()
    monkeypatch.setattr(run, "_train", lambda *_: pytest.fail("trained twice"))
    train(planned)
    assert record.read(planned.out)[0].outcome == "completed"


def test_a_run_that_is_asked_to_stop_goes_on_from_the_step_it_had_reached(job, monkeypatch):
    whole = train(job("fmad-vanilla", "whole"))
    original, steps = loop.Loop._step, []

    def step(self, progress):
        original(self, progress)
        steps.append(progress.step)
        if progress.step == 3:
            os.kill(os.getpid(), signal.SIGUSR1)

    monkeypatch.setattr(loop.Loop, "_step", step)
    planned = job("fmad-vanilla", "stopped")
    before = signal.getsignal(signal.SIGUSR1)
    try:
        with pytest.raises(Stopped):
            train(replace(planned, stop=Stop().on(signal.SIGUSR1)))
    finally:
        signal.signal(signal.SIGUSR1, before)
    monkeypatch.setattr(loop.Loop, "_step", original)
    resumed = train(planned)
    assert steps == [1, 2, 3]
    assert resumed.timings.resumed == 1
    assert record.without_timings(resumed) == record.without_timings(whole)


def test_want_of_memory_is_an_outcome_only_where_there_is_no_more_to_be_had(job, monkeypatch):
    def step(self, progress):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    monkeypatch.setattr(loop.Loop, "_step", step)
    planned = job("bp-vanilla")
    with pytest.raises(MemoryMayGrow, match="Tried to allocate"):
        train(replace(planned, grows=True))
    assert not planned.out.exists()
    assert train(planned).outcome == "out-of-memory"
    # the limit of the configuration is no matter of what a card has
    limited = job("bp-vanilla", "limited", hardware={"memory_limit": 1e-6})
    assert train(replace(limited, grows=True)).outcome == "out-of-memory"
