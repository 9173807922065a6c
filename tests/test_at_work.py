"""One Snakemake at a time on a folder of results, and nothing left by one that was killed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gradcost import at_work

HOLD = """
import sys, time
from gradcost import at_work
at_work.begin(sys.argv[1])
print("at work", flush=True)
time.sleep(60)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A project's folder, with another Snakemake at work on its results."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(at_work, "_lock", None)
    return tmp_path


@pytest.fixture
def other(folder):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, "results/tiny"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "at work\n"
    yield process
    process.kill()
    process.wait()


def test_a_second_snakemake_is_refused_and_told_of_the_first(other):
    assert f"process {other.pid} on " in at_work.notice("results/tiny")
    with pytest.raises(at_work.Refused, match=f"process {other.pid} on .* since 20"):
        at_work.begin("results/tiny")
    at_work.begin("results/other")  # results of another scale are nobody's


def test_a_lock_that_a_killed_snakemake_left_is_explained(other, folder, monkeypatch):
    locks = folder / ".snakemake/locks"
    locks.mkdir(parents=True)
    (locks / "0.input.lock").touch()
    other.send_signal(signal.SIGKILL)
    other.wait()
    command = ["/bin/snakemake", "--profile", "slurm"]
    monkeypatch.setattr(sys, "argv", [*command, "all"])
    said = at_work.notice("results/tiny")
    assert f"process {other.pid} on " in said
    assert said.endswith("Clear it: snakemake --unlock --profile slurm all")
    monkeypatch.setattr(sys, "argv", [*command, "--", "all"])  # where an option is a target
    assert at_work.notice("results/tiny").endswith("snakemake --unlock --profile slurm")
    monkeypatch.setattr(sys, "argv", [*command, "--unlock"])
    assert at_work.notice("results/tiny") is None  # who does so needs no advice
    (locks / "0.input.lock").unlink()
    assert at_work.notice("results/tiny") is None
    at_work.begin("results/tiny")


def test_one_that_ended_in_order_leaves_nothing_to_explain(folder):
    assert at_work.notice("results/tiny") is None
    at_work.begin("results/tiny")
    at_work.end("results/tiny")
    assert at_work.notice("results/tiny") is None


def test_of_a_lock_of_another_host_one_is_told_to_look_there(folder):
    (folder / ".snakemake/locks").mkdir(parents=True)
    (folder / ".snakemake/locks/0.input.lock").touch()
    (folder / "results/tiny").mkdir(parents=True, exist_ok=True)
    claim = folder / "results/tiny/snakemake.claim"
    claim.write_text("process 17 on far-away since 2026-11-26 14:57:13")
    assert "does not run on far-away any more" in at_work.notice("results/tiny")
    claim.write_text(f"process 17 on {socket.gethostname()}, Slurm job 4, since 2026-11-26")
    assert "any more" not in at_work.notice("results/tiny")


INNER = """
import signal, subprocess, sys
from gradcost import at_work
at_work.pass_on()
signal.signal(signal.SIGTERM, lambda *_: None)  # as Snakemake, which waits for what it started
child = subprocess.Popen(["sh", "-c", "python -m gradcost train; :"])
print("begun", flush=True)
child.wait()
"""
TRAINER = """#!/bin/sh
trap 'echo stopped; exit' TERM
echo training
while :; do sleep 0.1; done
"""


def test_a_snakemake_within_a_job_passes_on_that_it_is_to_stop(tmp_path):
    trainer = tmp_path / "python"
    trainer.write_text(TRAINER)
    trainer.chmod(0o755)
    process = subprocess.Popen(
        [sys.executable, "-c", INNER],
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert {process.stdout.readline(), process.stdout.readline()} == {"begun\n", "training\n"}
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=60)[0] == "stopped\n"


@pytest.mark.parametrize(
    ("limits", "told"),
    [
        ("infinite", None),
        ("7-00:00:00", None),
        ("30:00 1-00:00:00", "max_hours: 24"),
        ("", None),  # no such partition: Slurm will say so itself
    ],
)
def test_a_partition_where_runs_would_wait_for_ever_is_named(folder, monkeypatch, limits, told):
    program = folder / "sinfo"
    program.write_text(f"#!/bin/sh\nprintf '%s\\n' {limits}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    said = at_work.problem_with_slurm("gpu", 72)
    assert (said is None) == (told is None)
    assert told is None or told in said


def test_an_environment_whose_path_has_a_space_is_named(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/my files/.venv/bin/python")
    assert "has a space" in at_work.problem_with_slurm("gpu", 72)


@pytest.fixture
def slurm(folder, monkeypatch):
    """Stand-ins of squeue and scancel, on files: the real ones have tests of their own."""
    programs = folder / "bin"
    programs.mkdir()
    (folder / "jobs").write_text("")
    script = """#!/bin/sh
echo "$0 $*" | sed 's|.*/||' >> calls
[ -e down ] && exit 1
case $0 in
  *squeue) cat jobs ;;
  *scancel) : > jobs ;;
esac
"""
    for name in ("squeue", "scancel"):
        (programs / name).write_text(script)
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    Path("results/tiny").mkdir(parents=True)
    return folder


def calls(folder):
    path = folder / "calls"
    return path.read_text().splitlines() if path.exists() else []


def test_jobs_of_a_killed_snakemake_are_cancelled_before_new_ones_come(slurm):
    said = []
    at_work.submit_as("results/tiny", "gradcost_1", slurm / "none", said.append)
    assert calls(slurm) == []  # nothing was submitted before
    (slurm / "jobs").write_text("11\n12\n")
    at_work.submit_as("results/tiny", "gradcost_2", slurm / "none", said.append)
    squeue = "squeue --me --noheader --format=%i --name=gradcost_1"
    assert calls(slurm) == [squeue, "scancel 11 12", squeue]
    assert "Cancelled 2 jobs" in said[0]
    assert "11 12" in said[0]
    (slurm / "calls").unlink()
    at_work.submit_as("results/tiny", "gradcost_3", slurm / "none", said.append)
    assert calls(slurm) == [squeue.replace("gradcost_1", "gradcost_2")]
    assert len(said) == 1


def test_jobs_are_not_forgotten_while_slurm_does_not_answer(slurm):
    said = []
    at_work.submit_as("results/tiny", "gradcost_1", slurm / "none", said.append)
    (slurm / "down").touch()
    at_work.submit_as("results/tiny", "gradcost_2", slurm / "none", said.append, seconds=0.2)
    assert "does not answer" in said[0]
    (slurm / "down").unlink()
    (slurm / "jobs").write_text("11\n")
    (slurm / "calls").unlink()
    at_work.submit_as("results/tiny", "gradcost_3", slurm / "none", said.append)
    assert calls(slurm)[0].endswith("--name=gradcost_1,gradcost_2")
    assert "Cancelled 1 jobs" in said[1]
