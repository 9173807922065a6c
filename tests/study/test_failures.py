"""The kind of a failure is told from what it leaves behind."""

from __future__ import annotations

import pytest

from gradcost.study.failures import classify

TRACE = "Traceback (most recent call last):\n  File x.py, line 1\n"
SLURM = "slurmstepd: error: *** JOB 7 ON n1 CANCELLED AT 2026-11-25T10:00:00"
LEFT = {
    "CUDA out of memory": [
        (
            "train",
            f"{TRACE}torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB",
            "",
        ),
        ("train", "gradcost: agnews bp seed 0  ran out of memory, and asks for more: 2 GiB", ""),
    ],
    "host out of memory": [
        ("train", "step 3/9", "slurmstepd: error: Detected 1 oom-kill event(s) in StepId=7.0"),
        ("train", "step 3/9", "slurmstepd: error: StepId=7.0 exceeded memory limit (9 > 8)"),
        ("train", "step 3/9", "slurmstepd: error: Exceeded job memory limit at some point."),
        ("train", f"{TRACE}MemoryError", ""),
        ("train", f"{TRACE}RuntimeError: [enforce fail] DefaultCPUAllocator: can't allocate", ""),
    ],
    "time limit": [("train", "step 3/9", f"{SLURM} DUE TO TIME LIMIT ***")],
    "preempted": [("train", "step 3/9", f"{SLURM} DUE TO PREEMPTION ***")],
    "node failure": [("train", "step 3/9", f"{SLURM} DUE TO NODE FAILURE, SEE SLURMCTLD LOG ***")],
    "cancelled": [
        ("train", "step 3/9", f"{SLURM} ***"),
        ("train", "boolq zo seed 1  stopped: the run was asked to stop; it goes on from", ""),
    ],
    "disk full": [("train", f"{TRACE}OSError: [Errno 28] No space left on device", "")],
    "code changed": [
        ("train", "gradcost: the code has changed since this job was planned, so", "")
    ],
    "code error": [
        ("train", f"{TRACE}KeyError: 'lora'", ""),
        ("train", f"{TRACE}ValueError: x", ""),
    ],
    "bad data": [
        ("data", f"{TRACE}ValueError: train.parquet has the columns a, not text", ""),
        ("model", f"{TRACE}OSError: meta-llama/Llama-3.1-8B is gated", ""),
    ],
    "refused": [("figure", "gradcost: no experiment of that name", "")],
    "killed": [("train", "\x1b[33mstep 3/9\x1b[0m", "")],
}


@pytest.mark.parametrize(
    ("kind", "rule", "own", "slurm"),
    [(kind, *left) for kind, cases in LEFT.items() for left in cases],
)
def test_what_is_left_behind_tells_the_kind(kind, rule, own, slurm):
    assert classify(rule, own, slurm) == kind


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        ("NODE_FAIL", "node failure"),
        ("TIMEOUT", "time limit"),
        ("OUT_OF_MEMORY", "host out of memory"),
        ("PREEMPTED", "preempted"),
        ("CANCELLED by 0", "cancelled"),
        ("FAILED", "killed"),
        ("", "killed"),
    ],
)
def test_slurm_s_accounting_knows_what_no_log_says(state, kind):
    assert classify("train", "step 3/9", "", state) == kind


def test_of_a_job_that_was_queued_again_the_last_attempt_counts():
    preempted = f"step 3/9\n{SLURM} DUE TO PREEMPTION ***\n"
    late = f"{preempted}{SLURM} DUE TO TIME LIMIT ***"
    assert classify("train", "step 4/9", late) == "time limit"
    assert classify("train", f"{TRACE}KeyError: 'lora'", f"{preempted}{TRACE}") == "code error"
    assert classify("train", "step 3/9", preempted) == "preempted"
