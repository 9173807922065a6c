"""Checkpoints: the whole state of a run between two steps, in one file."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Any

import torch

from gradcost.study.files import write_atomic


class Stopped(Exception):
    """The run was asked to stop; it goes on from its checkpoint when it is started again."""


class Stop:
    """Whether a run was asked to stop. Schedulers ask by SIGTERM, and kill a little later."""

    def __init__(self) -> None:
        self.asked = False

    def on(self, number: int) -> Stop:
        """Have the signal of that number ask."""
        signal.signal(number, lambda *_: setattr(self, "asked", True))
        return self


class Checkpoint:
    """The checkpoint file of one run.

    Its name is a hash of everything that the run's numbers depend on, so that a run never
    resumes from the state of another: neither of other settings nor of other code. It is
    no declared output, since Snakemake deletes those of a job that failed.
    """

    def __init__(self, path: Path, every_seconds: float, stop: Stop | None = None) -> None:
        self.path, self.every, self.stop = path, every_seconds, stop or Stop()
        self._last = time.monotonic()

    def load(self) -> dict[str, Any] | None:
        """The saved state, or None where there is none."""
        try:
            return torch.load(self.path, map_location="cpu", weights_only=True)  # type: ignore[no-any-return]
        except FileNotFoundError:
            return None

    def due(self) -> bool:
        """Whether it is time to save again."""
        return self.stop.asked or time.monotonic() - self._last >= self.every

    def save(self, state: dict[str, Any]) -> None:
        """Replace the file, atomically.

        Raises:
            Stopped: once it is saved, if the run was asked to stop.
        """
        write_atomic(self.path, lambda temporary: torch.save(state, temporary))
        self._last = time.monotonic()
        if self.stop.asked:
            raise Stopped("the run was asked to stop; it goes on from here when it is run again")

    def delete(self) -> None:
        """Remove the file, if there is one: the run's record takes its place."""
        self.path.unlink(missing_ok=True)
