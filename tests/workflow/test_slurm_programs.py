"""What stands between Snakemake and Slurm, with stand-ins for Slurm's own programs."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.workflow.conftest import ROOT

PROGRAMS = ROOT / "workflow/slurm"


@pytest.fixture
def call(tmp_path):
    """Call a program with a stand-in behind it, a shell script; a pause takes no time."""

    def run(name: str, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        for program, body in ((name, script), ("sleep", 'echo "pause $1" >> pauses')):
            path = tmp_path / program
            path.write_text(f"#!/bin/sh\n{body}\n")
            path.chmod(0o755)
        return subprocess.run(
            [name, *arguments],
            env={**os.environ, "PATH": f"{PROGRAMS}:{PROGRAMS}:{tmp_path}:{os.environ['PATH']}"},
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )

    return run


def pauses(tmp_path: Path) -> int:
    path = tmp_path / "pauses"
    return len(path.read_text().splitlines()) if path.exists() else 0


def test_a_cancelled_job_is_in_the_state_that_the_executor_knows(call):
    said = "4|CANCELLED by 1000\\n5|COMPLETED\\n6|CANCELLED by 0"
    done = call("sacct", f'printf "%b\\n" "{said}"; echo "$@" >&2', "-X", "--name", "a b")
    assert done.stdout.splitlines() == ["4|CANCELLED", "5|COMPLETED", "6|CANCELLED"]
    assert done.stderr == "-X --name a b\n"


@pytest.mark.parametrize(
    ("queued", "said"),
    [
        ("echo '|5|'", ["4|CANCELLED", "5|PREEMPTED", "6|CANCELLED"]),
        (":", ["4|CANCELLED", "5|CANCELLED", "6|CANCELLED"]),
        ("exit 1", ["4|PREEMPTED", "5|PREEMPTED", "6|NODE_FAIL"]),  # Slurm does not answer
    ],
)
def test_a_job_that_was_preempted_for_good_is_over(call, tmp_path, queued, said):
    (tmp_path / "squeue").write_text(f"#!/bin/sh\n{queued}\n")
    (tmp_path / "squeue").chmod(0o755)
    done = call("sacct", 'printf "4|PREEMPTED\\n5|PREEMPTED\\n6|NODE_FAIL\\n"')
    assert done.stdout.splitlines() == said


def test_accounting_that_fails_or_is_late_says_nothing_and_fails_no_job(call, tmp_path):
    assert call("sacct", "echo away >&2; exit 1").returncode == 0
    (tmp_path / "timeout").write_text("#!/bin/sh\nexit 124\n")  # as it ends after a wait
    (tmp_path / "timeout").chmod(0o755)
    done = call("sacct", "echo '4|COMPLETED'")
    assert (done.returncode, done.stdout) == (0, "")


AWAY = "sbatch: error: Unable to contact slurm controller (connect failure)"


def test_what_the_controller_did_not_get_is_submitted_again(call, tmp_path):
    script = f"""
    if [ "$(cat pauses 2>/dev/null | wc -l)" -ge 3 ]; then echo "17 $*"; exit; fi
    echo "{AWAY}" >&2; exit 1"""
    done = call("sbatch", script, "--wrap", "echo 'a b'")
    assert (done.returncode, done.stdout) == (0, "17 --wrap echo 'a b'\n")
    assert pauses(tmp_path) == 3


def test_after_some_minutes_it_is_given_up(call, tmp_path):
    done = call("sbatch", f'echo "{AWAY}" >&2; exit 1')
    assert (done.returncode, done.stderr) == (1, f"{AWAY}\n")
    assert pauses(tmp_path) >= 5


FULL = "sbatch: error: AssocMaxSubmitJobLimit"


def test_where_the_account_may_have_no_more_jobs_they_wait(call, tmp_path):
    script = f"""
    if [ "$(cat pauses 2>/dev/null | wc -l)" -ge 20 ]; then echo 17; exit; fi
    echo "{FULL}" >&2; exit 1"""
    done = call("sbatch", script, "--wrap", "true")
    assert (done.returncode, done.stdout) == (0, "17\n")
    assert pauses(tmp_path) == 20


@pytest.mark.parametrize("option", [("--output=logs/a b/%j.log",), ("--output", "logs/a b/%j.log")])
def test_what_slurm_refuses_is_written_beside_the_logs_of_the_job(call, tmp_path, option):
    said = "sbatch: error: invalid partition specified: gpus"
    assert call("sbatch", f'echo "{said}" >&2; exit 1', *option).returncode == 1
    assert (tmp_path / "logs/a b/refused.log").read_text() == f"{said}\n"


@pytest.mark.parametrize(
    "said",
    [
        "sbatch: error: Memory specification can not be satisfied",
        # it may have been submitted: a second time would be twice
        "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation",
    ],
)
def test_what_was_refused_or_may_have_arrived_is_not_submitted_again(call, tmp_path, said):
    done = call("sbatch", f'echo "{said}" >&2; exit 1')
    assert (done.returncode, done.stderr) == (1, f"{said}\n")
    assert pauses(tmp_path) == 0
