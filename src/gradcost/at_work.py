"""What a Snakemake that works on a folder of results owes to others before and after it.

One at a time works on a folder. Snakemake's own lock sees to that, but it outlives a Snakemake
that was killed, and it does not say whose it is: a claim, which ends with its process, does.

A Snakemake that was killed leaves its jobs to Slurm. The next one would submit them again
beside those, so it cancels them first; they stop with a checkpoint, from which its own go on.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import filelock

from gradcost.study.claim import Held, holder, take

_CLAIM, _SUBMISSIONS = "snakemake.claim", "slurm-submissions"
_LOCKS = Path(".snakemake/locks")


_lock: filelock.BaseFileLock | None = None


class Refused(Exception):
    """Another Snakemake is at work on the same results."""


def notice(results: str) -> str | None:
    """What one who starts Snakemake on this folder should know, if anything."""
    path = Path(results, _CLAIM)
    if other := holder(path):
        return (
            f"Another Snakemake is at work on {results}: {other}. Until it is done, or stopped, "
            "this one can plan (-n) and no more."
        )
    unlocking = "--unlock" in sys.argv
    if not unlocking and path.exists() and path.stat().st_size and any(_LOCKS.glob("*")):
        return (
            f"The Snakemake that worked on {results} last has ended without clearing its lock: "
            f"{path.read_text()}. Nothing is lost; runs go on from their checkpoints. Clear it: "
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
        _lock = take(Path(results, _CLAIM))
    except Held as other:
        raise Refused(f"another Snakemake is at work on {results}: {other}") from None


def end(results: str) -> None:
    """Have worked on this folder, and ended in order."""
    Path(results, _CLAIM).unlink(missing_ok=True)


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
