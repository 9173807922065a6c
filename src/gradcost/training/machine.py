"""What a run was computed on, for its record."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path

import torch

from gradcost.study.record import Machine


def describe(device: str, threads: int) -> Machine:
    """Processor, device, threads, Python, and the commit of the sources, if they have one."""
    return Machine(
        system=f"{platform.system()} {platform.machine()}",
        python=platform.python_version(),
        processor=_processor(),
        device=torch.cuda.get_device_name() if device == "cuda" else "cpu",
        cores=os.cpu_count() or 0,
        threads=threads,
        commit=_commit(),
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown"
    return next((x.split(": ", 1)[1] for x in lines if x.startswith("model name")), "unknown")


def _commit() -> str:
    """The commit, with `-dirty` where the sources differ from it; `unknown` outside of git."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    try:
        done = subprocess.run(
            [*command, "--abbrev=12", "--exclude=*"], capture_output=True, text=True, check=False
        )
    except OSError:
        return "unknown"
    return done.stdout.strip() or "unknown"
