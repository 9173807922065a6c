"""The process that forks for training jobs: same results, and nothing left behind."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gradcost import warm
from gradcost.study import fingerprint, record
from tests.runs import small_spec

COMMAND = [sys.executable, "-m", "gradcost", "train"]


@pytest.fixture
def arguments(inputs, tmp_path):
    """The command line of a run: `arguments("one", steps=100)`."""

    def make(name: str, steps: int, **changes) -> list[str]:
        modules = ["gradcost.training.run", "gradcost.estimators.forward_mode"]
        spec = small_spec(
            "fmad-vanilla",
            steps=steps,
            evaluate_every=50,
            seed=3,
            hyperparameters={"learning_rate": 1e-3},
        )
        plan = {
            "stage": "train",
            "modules": modules,
            "code": fingerprint.fingerprint(*modules),
            "packages": fingerprint.packages("train"),
            "run": {
                "model": "llama",
                "task": "news",
                "method": "fmad-vanilla",
                "setting": "default",
                "seed": 3,
            },
            "spec": spec,
            **changes,
        }
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(plan))
        return [
            *("--plan", str(path), "--tokens", str(inputs / "tokens/manifest.json")),
            *("--model", str(inputs / "model/manifest.json")),
            *("--out", str(tmp_path / name / "record.json")),
            *("--checkpoints", str(tmp_path / f"{name}-checkpoints")),
        ]

    return make


@pytest.fixture
def server(monkeypatch):
    """A warm process, stopped as it is when Snakemake ends."""
    monkeypatch.setenv(warm.VARIABLE, "")  # so that it is put back
    process = warm.start()
    path = Path(os.environ[warm.VARIABLE])
    deadline = time.monotonic() + 30
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    yield process
    process.stdin.close()
    assert process.wait(timeout=30) == 0
    assert not path.parent.exists()


def same(one: Path, other: Path) -> bool:
    first, second = (record.read(folder)[0] for folder in (one, other))
    return record.without_timings(first) == record.without_timings(second)


def test_a_fork_trains_what_a_process_of_its_own_trains(arguments, tmp_path, server):
    alone = {key: value for key, value in os.environ.items() if key != warm.VARIABLE}
    for name, environment in (("warm", dict(os.environ)), ("cold", alone)):
        done = subprocess.run(
            [*COMMAND, *arguments(name, 5)], env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        assert "news fmad-vanilla default seed 3  completed" in done.stdout
    assert same(tmp_path / "warm", tmp_path / "cold")


def test_a_run_killed_at_random_moments_ends_bit_for_bit_the_same(arguments, tmp_path, server):
    """kill -9, five times in one run, and never the same step lost to the record."""
    steps = 600
    done = subprocess.run([*COMMAND, *arguments("whole", steps)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    environment = {**os.environ, "GRADCOST_CHECKPOINT_SECONDS": "0"}
    folder = tmp_path / "killed-checkpoints"
    rng = random.Random()
    kills = 0
    while kills < 5:
        seen = {path: path.stat().st_mtime_ns for path in folder.glob("*.pt")}
        running = subprocess.Popen([*COMMAND, *arguments("killed", steps)], env=environment)
        deadline = time.monotonic() + 60
        # wait until it has gone on from where it was, then some more
        while time.monotonic() < deadline and running.poll() is None:
            found = {path: path.stat().st_mtime_ns for path in folder.glob("[!.]*.pt")}
            if found and found != seen:
                break
            time.sleep(0.005)
        time.sleep(rng.uniform(0, 0.15))
        assert running.poll() is None, "it ended before it could be killed: more steps are needed"
        running.send_signal(signal.SIGKILL)
        running.wait()
        kills += 1
        assert not (tmp_path / "killed" / "record.json").exists()
        time.sleep(0.3)  # the fork ends with the command that asked for it
    before = {path: path.stat().st_mtime_ns for path in folder.glob("*.pt")}
    time.sleep(0.3)
    assert before == {path: path.stat().st_mtime_ns for path in folder.glob("*.pt")}
    done = subprocess.run([*COMMAND, *arguments("killed", steps)], env=environment)
    assert done.returncode == 0
    assert record.read(tmp_path / "killed")[0].timings.resumed == 5
    assert same(tmp_path / "whole", tmp_path / "killed")


def test_a_failure_in_a_fork_is_a_failure_of_the_command(arguments, server):
    given = arguments("bad", 5, code={"training/run.py": "another"})
    done = subprocess.run([*COMMAND, *given], capture_output=True, text=True)
    assert done.returncode == 2
    assert "the code has changed since this job was planned" in done.stderr


def test_without_such_a_process_the_command_does_it_itself(monkeypatch, tmp_path):
    monkeypatch.delenv(warm.VARIABLE, raising=False)
    assert warm.delegate(["train"]) is None
    monkeypatch.setenv(warm.VARIABLE, str(tmp_path / "nobody"))
    assert warm.delegate(["train"]) is None


def test_the_process_ends_when_the_one_that_started_it_is_killed():
    code = (
        "import time; from gradcost import warm; p = warm.start(); print(p.pid, flush=True);"
        "time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as one:
        pid = int(one.stdout.readline())
        time.sleep(0.5)
        one.kill()
    deadline = time.monotonic() + 10
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        state = Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[0]
        if state == "Z":
            break
        time.sleep(0.05)
    else:
        assert not Path(f"/proc/{pid}").exists()
