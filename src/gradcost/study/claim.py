"""Claims: one job trains a run, and one Snakemake works on a folder of results.

A scheduler may start a run twice: a node that was given up goes on computing, a job whose
Snakemake was killed is submitted again while the first still trains. Neither could corrupt
the other, since all files are written whole, but both would pay for the same steps. So the
second waits for the first, and takes its record.

A claim is a lock of the operating system on a file, which says whose it is. It ends with the
process that holds it, however that ends. Where a shared file system has no such locks between
nodes, a run may be computed twice, and still not be corrupted. Where it has none at all, a claim
is its signature alone, and stands while there is the process that signed; nobody on another host
could tell, and to wait there for one that was killed would be to wait for ever.
"""

from __future__ import annotations

import errno
import os
import re
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path

import filelock
import psutil

# Of a file system without locks: Lustre mounted without them, NFS without its lock daemon.
_NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP}
_TIME = "%Y-%m-%d %H:%M:%S"
# Seconds by which clocks and what they are rounded to may disagree.
_SLACK = 5.0


@dataclass(frozen=True)
class Signature:
    """Whose a claim is, as it is written into it."""

    process: int
    host: str
    since: str

    @property
    def here(self) -> bool:
        """Whether it is of this host."""
        return self.host == socket.gethostname()


def signature(text: str) -> Signature | None:
    """Read what a claim says, if it is signed."""
    signed = re.fullmatch(r"process (\d+) on ([^\s,]+).* since (.+)", text)
    return Signature(int(signed[1]), signed[2], signed[3]) if signed else None


class Held(Exception):
    """Another process has the claim; the text says which."""


def take(path: Path) -> filelock.BaseFileLock:
    """The claim at `path`, until it is released or the process ends.

    Raises:
        Held: if another process has it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = _lock(path)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise Held(_read(path) or "another process") from None
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        _warn(str(path.parent))
        if other := _signer(path):
            raise Held(other) from None
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
        lock = _wait(path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)  # before it is released; who waits makes another
        lock.release()


def holder(path: Path) -> str | None:
    """Who has the claim at `path`, if anybody has."""
    if not path.exists():
        return None
    lock = _lock(path)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        return _read(path) or "another process"
    except OSError as error:  # no locks, or a folder that may not be written to
        return _signer(path) if error.errno in _NO_LOCKS else None
    lock.release()
    return None


def _lock(path: Path) -> filelock.BaseFileLock:
    # what it would fall back to is a file that stays when its process is killed
    return filelock.FileLock(path, mode=0o666, fallback_to_soft=False)


def _wait(path: Path) -> filelock.BaseFileLock:
    while True:
        time.sleep(1.0)
        with suppress(Held):
            return take(path)


@cache
def _warn(folder: str) -> None:
    print(
        f"warning: the file system of {folder} has no locks (flock); what two nodes start at once "
        "is computed twice, and not corrupted",
        file=sys.stderr,
        flush=True,
    )


def _sign(path: Path) -> None:
    job = os.environ.get("SLURM_JOB_ID")
    since = datetime.now().astimezone().strftime(_TIME)
    name = f"process {os.getpid()} on {socket.gethostname()}"
    path.write_text(f"{name}{f', Slurm job {job},' if job else ''} since {since}")


def _signer(path: Path) -> str | None:
    """Who signed a claim, if it is a process of this host and still there."""
    text = _read(path)
    signed = signature(text)
    if signed is None or not signed.here:
        return None
    try:
        process = psutil.Process(signed.process)
        began, ended = process.create_time(), process.status() == psutil.STATUS_ZOMBIE
    except psutil.Error:
        return None
    # numbers of processes come again, in a container with each start
    another = began > datetime.strptime(signed.since, _TIME).timestamp() + _SLACK
    return None if ended or another else text


def _read(path: Path) -> str:
    """What is written into a claim; its holder may just be writing it, or have ended."""
    with suppress(OSError):
        return path.read_text()
    return ""
