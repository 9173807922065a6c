"""Claims: one job trains a run, and one Snakemake works on a folder of results.

A scheduler may start a run twice: a node that was given up goes on computing, a job whose
Snakemake was killed is submitted again while the first still trains. Neither could corrupt
the other, since all files are written whole, but both would pay for the same steps. So the
second waits for the first, and takes its record.

A claim is a lock of the operating system on a file, which says whose it is. It ends with the
process that holds it, however that ends. Where a shared file system has no such locks between
nodes, a run may be computed twice, and still not be corrupted.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

import filelock


class Held(Exception):
    """Another process has the claim; the text says which."""


def take(path: Path) -> filelock.BaseFileLock:
    """The claim at `path`, until it is released or the process ends.

    Raises:
        Held: if another process has it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(path, mode=0o666)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise Held(_holder(path)) from None
    _sign(path)
    return lock


def _say(text: str) -> None:
    print(text, flush=True)


@contextmanager
def claim(path: Path, tell: Callable[[str], None] = _say) -> Iterator[None]:
    """Hold the claim at `path`; wait for it if another process does, and `tell` whom for."""
    try:
        lock = take(path)
    except Held as other:
        tell(f"waiting: {other} is at work on this already")
        lock = filelock.FileLock(path, mode=0o666)
        lock.acquire(poll_interval=1.0)
        _sign(path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)  # before it is released; who waits makes another
        lock.release()


def holder(path: Path) -> str | None:
    """Who has the claim at `path`, if anybody has."""
    if not path.exists():
        return None
    lock = filelock.FileLock(path, mode=0o666)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        return _holder(path)
    except OSError:  # a folder that may not be written to
        return None
    lock.release()
    return None


def _sign(path: Path) -> None:
    job = os.environ.get("SLURM_JOB_ID")
    since = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M:%S")
    name = f"process {os.getpid()} on {socket.gethostname()}"
    path.write_text(f"{name}{f', Slurm job {job},' if job else ''} since {since}")


def _holder(path: Path) -> str:
    """Who wrote its name into a claim; it may just be doing so, or have ended."""
    text = ""
    with suppress(OSError):
        text = path.read_text()
    return text or "another process"
