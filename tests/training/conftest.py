"""A task and a model of the size of a test, and jobs that train on them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gradcost.study.record import RunName
from gradcost.training.run import Job

ESTIMATORS: dict[str, dict[str, Any] | None] = {
    "no-finetuning": None,
    "bp-vanilla": {"kind": "backprop"},
    "bp-checkpointing": {"kind": "backprop"},
    "zo-vanilla": {"kind": "zeroth-order", "epsilon": 1e-3},
    "zo-multiple": {"kind": "zeroth-order", "epsilon": 1e-3, "perturbations": 4, "at_once": 4},
    "fmad-vanilla": {"kind": "forward-mode"},
    "fmad-multiple": {"kind": "forward-mode", "perturbations": 4, "at_once": 4},
}


@pytest.fixture(scope="session")
def inputs(news_folder, llama_folder, tmp_path_factory) -> Path:
    """A folder with the manifests `model` and `tokens`."""
    from gradcost.models import store
    from gradcost.tasks import prepare, tokens

    folder = tmp_path_factory.mktemp("inputs")
    spec = {
        "dataset": "agnews",
        "source": {"folder": str(news_folder)},
        "examples": {"train": 100, "validation": 24, "test": 24},
    }
    prepare.prepare(spec, folder / "data")
    store.prepare({"source": {"folder": str(llama_folder)}}, {}, folder / "model")
    tokenizer = store.tokenizer(folder / "model")
    spec = {"length": 8, "suffix": None}
    tokens.tokenise(folder / "data", tokenizer, spec, folder / "tokens")
    return folder


@pytest.fixture
def job(inputs: Path, tmp_path: Path) -> Callable[..., Job]:
    """Make a job: `job("bp-vanilla", steps=7)`; keywords change its spec."""

    def make(method: str = "bp-vanilla", folder: str = "run", **changes: Any) -> Job:
        hardware = {"device": "cpu", "threads": 1, "memory_limit": None}
        hyperparameters = {
            "batch_size": 8,
            "learning_rate": 1e-2,
            "optimizer": "adamw",
            "momentum": 0.0,
            "nesterov": False,
            "weight_decay": 0.0,
        }
        spec: dict[str, Any] = {
            "model": {
                "name": "llama",
                "dtype": "float32",
                "lora": {"rank": 1, "alpha": 1.0, "targets": ["q_proj", "v_proj"]},
            },
            "task": {"name": "news"},
            "method": {
                "name": method,
                "checkpointing": method == "bp-checkpointing",
                "estimator": ESTIMATORS[method],
            },
            "steps": 6 if ESTIMATORS[method] else 0,
            "evaluate_every": 2,
            "seed": 0,
            "hardware": hardware | changes.pop("hardware", {}),
            "hyperparameters": hyperparameters | changes.pop("hyperparameters", {}),
        }
        every = changes.pop("checkpoint_seconds", 60.0)
        spec |= changes
        name = RunName(
            model="llama", task="news", method=method, setting="default", seed=spec["seed"]
        )
        return Job(
            name=name,
            spec=spec,
            tokens=inputs / "tokens",
            model=inputs / "model",
            out=tmp_path / folder,
            checkpoints=tmp_path / "checkpoints",
            code={"a.py": "0"},
            packages={"torch": "2"},
            checkpoint_seconds=every,
        )

    return make
