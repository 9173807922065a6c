"""Checkpoints: the whole state of a run between two steps, in one file."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import torch

from gradcost.study.files import write_atomic


class Checkpoint:
    """The checkpoint file of one run.

    Its name is a hash of everything that the run's numbers depend on, so that a run never
    resumes from the state of another: neither of other settings nor of other code. It is
    no declared output, since Snakemake deletes those of a job that failed.
    """

    def __init__(self, path: Path, every_seconds: float) -> None:
        self.path, self.every = path, every_seconds
        self._last = time.monotonic()

    def load(self) -> dict[str, Any] | None:
        """The saved state, or None where there is none."""
        try:
            return torch.load(self.path, map_location="cpu", weights_only=True)  # type: ignore[no-any-return]
        except FileNotFoundError:
            return None

    def due(self) -> bool:
        """Whether it is time to save again."""
        return time.monotonic() - self._last >= self.every

    def save(self, state: dict[str, Any]) -> None:
        """Replace the file, atomically."""
        write_atomic(self.path, lambda temporary: torch.save(state, temporary))
        self._last = time.monotonic()

    def delete(self) -> None:
        """Remove the file, if there is one: the run's record takes its place."""
        self.path.unlink(missing_ok=True)
