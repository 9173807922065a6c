"""One writer a run: who holds the claim trains it, everyone else waits for its record.

A scheduler may start a run twice: a node that was given up goes on computing, a job whose
Snakemake was killed is submitted again while the first still trains. Neither could corrupt
the other, since all files are written whole, but both would pay for the same steps.

The claim is a lock of the operating system on a file beside the run's checkpoint. It ends with
the process that holds it, however that ends. Where a shared file system has no such locks
between nodes, a run may be computed twice, and still not be corrupted.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import filelock


def _say(text: str) -> None:
    print(text, flush=True)


@contextmanager
def claim(path: Path, tell: Callable[[str], None] = _say) -> Iterator[None]:
    """Hold the claim at `path`; wait for it if another process does, and `tell` whom for."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(path, mode=0o666)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        tell(f"waiting: {_holder(path)} trains this run already")
        lock.acquire(poll_interval=1.0)
    try:
        job = os.environ.get("SLURM_JOB_ID")
        name = f"process {os.getpid()} on {socket.gethostname()}"
        path.write_text(f"{name}, Slurm job {job}" if job else name)
        yield
    finally:
        path.unlink(missing_ok=True)  # before it is released; who waits makes another
        lock.release()


def _holder(path: Path) -> str:
    """Who wrote its name into a claim; it may just be doing so, or have ended."""
    text = ""
    with suppress(OSError):
        text = path.read_text()
    return text or "another process"
