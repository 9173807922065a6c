"""What a Snakemake that works on a folder of results owes to others before and after it.

One at a time works on a folder. Snakemake's own lock sees to that, but it outlives a Snakemake
that was killed, and it does not say whose it is: a claim, which ends with its process, does.

A Snakemake that was killed leaves its jobs to Slurm. The next one would submit them again
beside those, so it cancels them first; they stop with a checkpoint, from which its own go on.

And what a Snakemake within a job owes to the run that it started there: to pass on that it was
asked to stop.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import filelock
import psutil

from gradcost.study.claim import Held, holder, signature, take
from gradcost.study.pipeline import SNAKEMAKE

_SUBMISSIONS = "slurm-submissions"
_LOCKS = Path(".snakemake/locks")
_TRAINS = ["-m", "gradcost", "train"]


_lock: filelock.BaseFileLock | None = None


class Refused(Exception):
    """Another Snakemake is at work on the same results."""


def notice(results: str) -> str | None:
    """What one who starts Snakemake on this folder should know, if anything."""
    path = Path(results, SNAKEMAKE)
    if other := holder(path):
        return (
            f"Another Snakemake is at work on {results}: {other}. Until it is done, or stopped, "
            "this one can plan (-n) and no more."
        )
    unlocking = "--unlock" in sys.argv
    if not unlocking and path.exists() and path.stat().st_size and any(_LOCKS.glob("*")):
        last = path.read_text()
        signed = signature(last)
        # a lock of another host may not be seen here
        elsewhere = (
            f" Make sure that it does not run on {signed.host} any more."
            if signed and not signed.here
            else ""
        )
        return (
            f"The Snakemake that worked on {results} last has ended without clearing its lock: "
            f"{last}.{elsewhere} Nothing is lost; runs go on from their checkpoints. Clear it: "
            f"{_unlock(sys.argv)}"
        )
    return None


def begin(results: str) -> None:
    """Work on this folder from now on, until the process ends.

    Raises:
        Refused: naming the one that does already.
    """
    global _lock
    try:
        _lock = take(Path(results, SNAKEMAKE))
    except Held as other:
        raise Refused(f"another Snakemake is at work on {results}: {other}") from None


def end(results: str) -> None:
    """Have worked on this folder, and ended in order."""
    Path(results, SNAKEMAKE).unlink(missing_ok=True)


def pass_on() -> None:
    """Ask the training below this process to stop when this process is asked.

    Of a job that it ends, Slurm may signal the first process alone (where it tracks jobs by
    control groups), which is a Snakemake that would wait for what it started. Snakemake sets a
    handler of its own, so what Python writes of any handled signal is read here.
    """
    read, write = os.pipe()
    os.set_blocking(write, False)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    threading.Thread(target=_pass_on, args=(read,), daemon=True).start()


def _pass_on(read: int) -> None:
    while number := os.read(read, 1):
        if number[0] != signal.SIGTERM:
            continue
        for child in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error):
                words = child.cmdline()
                if any(words[at : at + 3] == _TRAINS for at in range(len(words))):
                    child.send_signal(signal.SIGTERM)


def problem_with_slurm(partition: str | None, hours: int) -> str | None:
    """Why no job could run as it is asked for, which Slurm itself would not say.

    Args:
        partition: of the runs; None if there are none, or it is Slurm's default.
        hours: the most that a run asks for.
    """
    if " " in sys.executable:
        return (
            f"{sys.executable} has a space in its path, which jobs of Slurm do not survive: move "
            "the project, or its environment, to a path without."
        )
    if not partition:
        return None
    command = ["sinfo", "--noheader", "--format=%l", f"--partition={partition}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    limits = [limit for line in done.stdout.split() if (limit := _hours(line)) is not None]
    if done.returncode or not limits or hours <= max(limits):
        return None
    return (
        f"the partition {partition} lets a job run for {max(limits):g} hours, and runs may ask for "
        f"{hours}: such a job would wait for ever. Set `cluster: max_hours: {int(max(limits))}` "
        "in your configuration; runs that take longer go on in further attempts."
    )


def _hours(limit: str) -> float | None:
    """Of a time limit as Slurm writes it: `infinite`, `7-00:00:00`, `12:00:00`, `30:00`."""
    match = re.fullmatch(r"(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+)", limit)
    if not match:
        return None if limit != "infinite" else float("inf")
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return 24 * days + hours + minutes / 60 + seconds / 3600


def submit_as(
    results: str, name: str, programs: Path, tell: Callable[[str], None], seconds: float = 120.0
) -> None:
    """Submit jobs under a name to Slurm, once those of earlier Snakemakes are gone.

    Args:
        results: the folder, where the names are kept.
        name: of all jobs of this Snakemake.
        programs: the folder of what stands between Snakemake and programs of Slurm.
        tell: is told what was cancelled.
        seconds: to wait for them to end, or for Slurm to answer.
    """
    os.environ["PATH"] = os.pathsep.join([str(programs), os.environ["PATH"]])
    path = Path(results, _SUBMISSIONS)
    earlier = path.read_text().split() if path.exists() else []
    path.write_text("\n".join([*earlier, name]) + "\n")
    if not earlier:
        return
    cancelled: set[str] = set()
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        jobs = _jobs(earlier)
        if jobs is not None and not jobs:
            break
        if new := [job for job in jobs or [] if job not in cancelled]:
            done = subprocess.run(["scancel", *new], capture_output=True, text=True)
            cancelled |= set(new) if done.returncode == 0 else set()
        time.sleep(2)
    else:
        tell(
            "Slurm still has jobs of a Snakemake that ended, or does not answer. Runs that they "
            "train are waited for."
        )
        return
    path.write_text(name + "\n")
    if cancelled:
        tell(
            f"Cancelled {len(cancelled)} jobs of a Snakemake that ended without them: "
            f"{' '.join(sorted(cancelled))}. Their runs go on from their checkpoints."
        )


def _jobs(names: list[str]) -> list[str] | None:
    """The jobs of these names that are pending or not yet wholly ended; None without an answer."""
    command = ["squeue", "--me", "--noheader", "--format=%i", f"--name={','.join(names)}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.split() if done.returncode == 0 else None


def _unlock(arguments: list[str]) -> str:
    """The command that was given, to unlock; all that follows `--` are targets."""
    program = "snakemake" if Path(arguments[0]).name == "__main__.py" else arguments[0]
    options = arguments[1:]
    if "--" in options:
        options = options[: options.index("--")]
    return shlex.join([os.path.basename(program), "--unlock", *options])
