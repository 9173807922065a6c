"""A run that is interrupted ends as if it had not been, bit for bit."""

from __future__ import annotations

import pytest
import torch

from gradcost.study import record
from gradcost.training import loop
from gradcost.training.checkpoints import Checkpoint
from gradcost.training.run import train
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
    assert not list(planned.checkpoints.glob("*"))


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
        assert train(job("bp-vanilla", "other", **changes)).timings.resumed == 0
    planned = job("bp-vanilla", "edited")
    planned.code["a.py"] = "edited"
    assert train(planned).timings.resumed == 0
    assert train(job("bp-vanilla", "same")).timings.resumed == 1


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


def test_two_writers_of_one_run_leave_a_whole_record(job):
    """A job that was given up and goes on, and its replacement, finish one after the other."""
    first = train(job("bp-vanilla", checkpoint_seconds=0.0))
    second = train(job("bp-vanilla", checkpoint_seconds=0.0))
    found, _ = record.read(job("bp-vanilla").out)
    assert record.without_timings(found) == record.without_timings(first)
    assert record.without_timings(found) == record.without_timings(second)
