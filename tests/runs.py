"""The spec of a run of the size of a test."""

from __future__ import annotations

from typing import Any

ESTIMATORS: dict[str, dict[str, Any] | None] = {
    "no-finetuning": None,
    "bp-vanilla": {"kind": "backprop"},
    "bp-checkpointing": {"kind": "backprop"},
    "zo-vanilla": {"kind": "zeroth-order", "epsilon": 1e-3},
    "zo-multiple": {"kind": "zeroth-order", "epsilon": 1e-3, "perturbations": 4, "at_once": 4},
    "fmad-vanilla": {"kind": "forward-mode"},
    "fmad-multiple": {"kind": "forward-mode", "perturbations": 4, "at_once": 4},
}


def small_spec(method: str, **changes: Any) -> dict[str, Any]:
    """A run's spec; `hardware` and `hyperparameters` are merged, other keywords replace."""
    estimator = ESTIMATORS[method]
    hyperparameters = {
        "batch_size": 8,
        "learning_rate": 1e-2,
        "optimizer": "adamw",
        "momentum": 0.0,
        "nesterov": False,
        "weight_decay": 0.0,
    }
    hardware = {"device": "cpu", "threads": 1, "memory_limit": None}
    return {
        "model": {
            "name": "llama",
            "dtype": "float32",
            "lora": {"rank": 1, "alpha": 1.0, "targets": ["q_proj", "v_proj"]},
        },
        "task": {"name": "news"},
        "method": {
            "name": method,
            "checkpointing": method == "bp-checkpointing",
            "estimator": estimator,
        },
        "steps": 6 if estimator else 0,
        "evaluate_every": 2,
        "seed": 0,
        **changes,
        "hardware": hardware | changes.get("hardware", {}),
        "hyperparameters": hyperparameters | changes.get("hyperparameters", {}),
    }
