"""The kind of a failure is told from what it leaves behind."""

from __future__ import annotations

import pytest

from gradcost.study.failures import classify

TRACE = "Traceback (most recent call last):\n  File x.py, line 1\n"
SLURM = "slurmstepd: error: *** JOB 7 ON n1 CANCELLED AT 2026-11-25T10:00:00"
LEFT = {
    "refused by Slurm": [
        ("train", "", "sbatch: error: Batch job submission failed: Invalid account"),
        ("theory", f"{TRACE}KeyError: 'x'", "sbatch: error: invalid partition specified: gpu"),
    ],
    "CUDA out of memory": [
        (
            "train",
            f"{TRACE}torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB",
            "",
        ),
        ("train", f"{TRACE}torch.AcceleratorError: CUDA error: out of memory", ""),
        ("train", f"{TRACE}RuntimeError: CUDA driver error: out of memory", ""),
        ("train", f"{TRACE}RuntimeError: CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling", ""),
        ("train", "step 3/9\nError out of memory at line 88 in file /src/csrc/ops.cu", ""),
        ("train", "gradcost: agnews bp seed 0  ran out of memory, and asks for more: 2 GiB", ""),
    ],
    "host out of memory": [
        ("train", "step 3/9", "slurmstepd: error: Detected 1 oom-kill event(s) in StepId=7.0"),
        ("train", "step 3/9", "slurmstepd: error: StepId=7.0 exceeded memory limit (9 > 8)"),
        ("train", "step 3/9", "slurmstepd: error: Exceeded job memory limit at some point."),
        ("train", "step 3/9", "step 3/9slurmstepd: error: Detected 1 oom_kill event in StepId=7"),
        ("train", "step 3/9", "srun: error: n1: task 0: Out Of Memory"),
        ("train", f"{TRACE}MemoryError", ""),
        ("aggregate", f"{TRACE}numpy._core._exceptions._ArrayMemoryError: Unable to allocate", ""),
        ("data", f"{TRACE}pyarrow.lib.ArrowMemoryError: malloc of size 64 failed", ""),
        ("tokens", f"{TRACE}OSError: [Errno 12] Cannot allocate memory", ""),
        ("train", f"{TRACE}RuntimeError: [enforce fail] DefaultCPUAllocator: can't allocate", ""),
    ],
    "time limit": [("train", "step 3/9", f"{SLURM} DUE TO TIME LIMIT ***")],
    "preempted": [("train", "step 3/9", f"{SLURM} DUE TO PREEMPTION ***")],
    "node failure": [
        ("train", "step 3/9", f"{SLURM} DUE TO NODE FAILURE, SEE SLURMCTLD LOG ***"),
        ("train", "step 3/9", "srun: error: Node failure on n1"),
        ("train", f"{TRACE}RuntimeError: CUDA error: uncorrectable ECC error encountered", ""),
        ("train", f"{TRACE}RuntimeError: No CUDA GPUs are available", ""),
    ],
    "cancelled": [
        ("train", "step 3/9", f"{SLURM} ***"),
        ("train", f"{TRACE}BrokenPipeError: [Errno 32] Broken pipe", f"{SLURM} ***"),
        ("theory", f"{TRACE}KeyboardInterrupt", ""),
        ("train", "boolq zo seed 1  stopped: the run was asked to stop; it goes on from", ""),
    ],
    "disk full": [("train", f"{TRACE}OSError: [Errno 28] No space left on device", "")],
    "code changed": [
        ("train", "gradcost: the code has changed since this job was planned, so", "")
    ],
    "code error": [
        ("train", f"{TRACE}KeyError: 'lora'", ""),
        ("train", f"{TRACE}ValueError: x", ""),
        ("train", f"UserWarning: the node's oom-kill is off\n{TRACE}KeyError: 'lora'", ""),
        ("train", f"{TRACE}BrokenPipeError: [Errno 32] Broken pipe", ""),
        ("train", f"{TRACE}FileNotFoundError: [Errno 2] No such file: 'paper.csv'", ""),
        ("figure", '  File "x.py", line 1\n    def\nSyntaxError: invalid syntax', ""),
        ("theory", "", "/usr/bin/bash: line 1: python: command not found"),
        ("theory", "", "/bin/sh: 1: python: not found"),
        ("theory", "", "/usr/bin/python: No module named gradcost"),
        ("theory", "", "bash: line 1: 12 Segmentation fault      (core dumped) python"),
        ("theory", "Fatal Python error: Aborted", ""),
        ("report", "! LaTeX Error: File `x.sty' not found.", ""),
        ("report", "../report.tex:7: Undefined control sequence.", ""),
        ("report", "error: report.tex:7: Undefined control sequence", ""),
        ("model", "hub.errors.GatedRepoError: no access", ""),
    ],
    "bad data": [
        ("data", f"{TRACE}ValueError: train.parquet has the columns a, not text", ""),
        ("data", f"{TRACE}UnicodeDecodeError: 'utf-8' codec can't decode byte 0xff", ""),
        ("data", f"{TRACE}json.decoder.JSONDecodeError: Expecting value: line 1", ""),
        ("data", f"{TRACE}pyarrow.lib.ArrowInvalid: Not an Arrow file", ""),
        ("train", f"{TRACE}pyarrow.lib.ArrowInvalid: Parquet magic bytes not found in footer.", ""),
        (
            "train",
            f"{TRACE}FileNotFoundError: [Errno 2] No such file: 'results/demo/tokens/a/b.parquet'",
            "",
        ),
        ("model", f"{TRACE}OSError: meta-llama/Llama-3.1-8B is gated", ""),
    ],
    "refused": [
        ("figure", "gradcost: no experiment of that name", ""),
        ("report", "neither latexmk nor tectonic is here: envs/latex.sh says what to install", ""),
    ],
    "killed": [
        ("train", "\x1b[33mstep 3/9\x1b[0m", ""),
        ("model", "Fetching 12 files: 30%", ""),
        ("train", "step 3/9", "Error in rule train:\nWorkflowError:\nsrun: error: n1: Killed"),
    ],
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
        ("BOOT_FAIL", "node failure"),
        ("TIMEOUT", "time limit"),
        ("DEADLINE", "time limit"),
        ("OUT_OF_MEMORY", "host out of memory"),
        ("PREEMPTED", "preempted"),
        ("CANCELLED by 0", "cancelled"),
        ("FAILED", "killed"),
        ("", "killed"),
    ],
)
def test_slurm_s_accounting_knows_what_no_log_says(state, kind):
    assert classify("train", "step 3/9", "", state) == kind


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("BrokenPipeError: [Errno 32] Broken pipe", "cancelled"),
        ("KeyboardInterrupt", "cancelled"),
        ("KeyError: 'lora'", "code error"),
    ],
)
def test_what_a_cancelled_job_says_of_its_end_is_no_fault_of_the_code(error, kind):
    assert classify("train", f"{TRACE}{error}", "", "CANCELLED by 1000") == kind


def test_of_a_job_that_was_queued_again_the_last_attempt_counts():
    preempted = f"step 3/9\n{SLURM} DUE TO PREEMPTION ***\n"
    late = f"{preempted}{SLURM} DUE TO TIME LIMIT ***"
    assert classify("train", "step 4/9", late) == "time limit"
    assert classify("train", f"{TRACE}KeyError: 'lora'", f"{preempted}{TRACE}") == "code error"
    assert classify("train", "step 3/9", preempted) == "preempted"
