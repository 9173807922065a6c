"""Who holds the claim on a run trains it; everyone else waits."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time

import pytest

from gradcost.study.claim import claim

FORK = multiprocessing.get_context("fork")


def hold(path, log, name, seconds):
    """Write `name` when the claim is held, and again when it is given up."""
    with claim(path, tell=lambda text: log.put(text)):
        log.put(f"{name} begins")
        time.sleep(seconds)
        log.put(f"{name} ends")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "checkpoints/run.claim"


def start(*arguments):
    process = FORK.Process(target=hold, args=arguments)
    process.start()
    return process


def test_the_second_waits_for_the_first_and_says_whom_for(path, monkeypatch):
    log = FORK.Queue()
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    first = start(path, log, "first", 1.0)
    assert log.get(timeout=10) == "first begins"
    second = start(path, log, "second", 0.0)
    said = [log.get(timeout=10) for _ in range(4)]
    assert said[0].startswith(f"waiting: process {first.pid} on ")
    assert "Slurm job 17, since" in said[0]
    assert said[0].endswith("is at work on this already")
    assert said[1:] == ["first ends", "second begins", "second ends"]
    for process in (first, second):
        process.join()
    assert not path.exists()


def test_the_claim_of_a_process_that_was_killed_is_void_at_once(path):
    log = FORK.Queue()
    first = start(path, log, "first", 60.0)
    assert log.get(timeout=10) == "first begins"
    second = start(path, log, "second", 0.0)
    assert "waiting" in log.get(timeout=10)
    os.kill(first.pid, signal.SIGKILL)
    assert log.get(timeout=10) == "second begins"
    second.join()


def test_of_many_one_at_a_time_holds_the_claim(path):
    log = FORK.Queue()
    processes = [start(path, log, str(number), 0.02) for number in range(8)]
    for process in processes:
        process.join()
    said = [log.get(timeout=10) for _ in range(log.qsize())]
    turns = [text for text in said if not text.startswith("waiting")]
    assert len(turns) == 16
    for begins, ends in zip(turns[::2], turns[1::2], strict=True):
        assert begins.split()[0] == ends.split()[0]


def test_a_claim_is_given_up_when_its_work_fails(path):
    with pytest.raises(RuntimeError, match="code"), claim(path):
        raise RuntimeError("code")
    with claim(path, tell=pytest.fail):
        pass
