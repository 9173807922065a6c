"""Who holds the claim on a run trains it; everyone else waits."""

from __future__ import annotations

import errno
import fcntl
import multiprocessing
import os
import signal
import socket
import time
from datetime import datetime, timedelta

import pytest

from gradcost.study import claim as claims
from gradcost.study.claim import Held, claim, holder, take

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


@pytest.fixture(params=["ENOSYS", "ENOLCK", "EOPNOTSUPP"])
def without_locks(request, monkeypatch):
    """A file system whose mount has no flock."""
    number = getattr(errno, request.param)

    def flock(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)
    claims._warn.cache_clear()


def sign(path, process, host, since):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"process {process} on {host}, Slurm job 17, since {since:%Y-%m-%d %H:%M:%S}")


@pytest.mark.usefixtures("without_locks")
def test_without_locks_a_claim_is_signed_and_the_warning_said_once(path, capsys):
    for _ in range(2):
        with claim(path, tell=pytest.fail):
            assert f"process {os.getpid()} on {socket.gethostname()} since " in path.read_text()
            assert holder(path) == path.read_text()
            with pytest.raises(Held, match=f"process {os.getpid()} on "):
                take(path)
        assert not path.exists()
    assert capsys.readouterr().err.count("has no locks (flock)") == 1


@pytest.mark.usefixtures("without_locks")
def test_without_locks_the_second_on_a_host_waits_for_the_first(path):
    log = FORK.Queue()
    first = start(path, log, "first", 1.0)
    assert log.get(timeout=10) == "first begins"
    second = start(path, log, "second", 0.0)
    said = [log.get(timeout=10) for _ in range(4)]
    assert said[0].startswith(f"waiting: process {first.pid} on ")
    assert said[1:] == ["first ends", "second begins", "second ends"]
    for process in (first, second):
        process.join()


@pytest.mark.usefixtures("without_locks")
def test_without_locks_the_claim_of_a_process_that_was_killed_is_void(path):
    log = FORK.Queue()
    first = start(path, log, "first", 60.0)
    assert log.get(timeout=10) == "first begins"
    os.kill(first.pid, signal.SIGKILL)
    os.waitid(os.P_PID, first.pid, os.WEXITED | os.WNOWAIT)  # and is not yet buried
    assert holder(path) is None
    with claim(path, tell=pytest.fail):
        pass
    first.join()


@pytest.mark.usefixtures("without_locks")
def test_without_locks_only_who_signed_on_this_host_holds_a_claim(path):
    now, here = datetime.now(), socket.gethostname()
    sign(path, os.getpid(), here, now)
    assert holder(path) == path.read_text()
    # of another host nothing is known; and numbers of processes are given again
    for host, since in ((f"not-{here}", now), (here, now - timedelta(days=300))):
        sign(path, os.getpid(), host, since)
        assert holder(path) is None
        take(path).release()
        assert f"process {os.getpid()} on {here} since " in path.read_text()
    path.write_text("")  # of one who is about to sign
    assert holder(path) is None


def test_other_faults_of_a_file_system_are_not_taken_for_its_lack_of_locks(path, monkeypatch):
    def flock(*_):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        take(path)
