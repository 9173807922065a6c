"""Jobs that train on a task and a model of the size of a test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gradcost.study.record import RunName
from gradcost.training.run import Job
from tests.runs import small_spec


@pytest.fixture
def job(inputs: Path, tmp_path: Path) -> Callable[..., Job]:
    """Make a job: `job("bp-vanilla", steps=7)`; keywords change its spec."""

    def make(
        method: str = "bp-vanilla",
        folder: str = "run",
        checkpoint_seconds: float = 60.0,
        **changes: Any,
    ) -> Job:
        spec = small_spec(method, **changes)
        name = RunName(
            model="llama", task="news", method=method, setting="default", seed=spec["seed"]
        )
        return Job(
            name=name,
            spec=spec,
            tokens=inputs / "tokens",
            model=inputs / "model",
            out=tmp_path / folder,
            checkpoints=tmp_path / f"{folder}-checkpoints",
            code={"a.py": "0"},
            packages={"torch": "2"},
            checkpoint_seconds=checkpoint_seconds,
        )

    return make
