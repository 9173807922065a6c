"""The spec of a run of the size of a test."""

from __future__ import annotations

from typing import Any

_BP, _ZO, _FMAD = {"kind": "backprop"}, {"kind": "zeroth-order"}, {"kind": "forward-mode"}
_FOUR = {"perturbations": 4, "at_once": 4}
_SPARSE = {"trainable": "sparse", "share": 0.01}

# method -> what of its spec is not the default: `estimator` and other keys of the method,
# and keys of the model, the task and the hyperparameters
METHODS: dict[str, dict[str, Any]] = {
    "no-finetuning": {"estimator": None},
    "bp-vanilla": {"estimator": _BP},
    "bp-checkpointing": {"estimator": _BP, "checkpointing": "every-layer"},
    "bp-accumulate": {
        "estimator": _BP,
        "checkpointing": "every-layer",
        "variance_reduction": {"kind": "accumulate", "window": 2},
    },
    "mezo": {
        "estimator": _ZO,
        "objective": "label-words",
        "task": {"label_words": ["bid", "oil", "profit", "tariff"], "prompt": " goods"},
    },
    "signzo": {"estimator": _ZO, "hyperparameters": {"optimizer": "sign"}},
    "zo-in-place": {
        "estimator": {"kind": "zeroth-order-in-place"},
        "model": {"trainable": "all"},
        "hyperparameters": {"optimizer": "sgd", "learning_rate": 1e-3},
    },
}
for _name, _base in (("zo", _ZO), ("fmad", _FMAD)):
    METHODS |= {
        f"{_name}-vanilla": {"estimator": _base},
        f"{_name}-multiple": {"estimator": _base | _FOUR},
        f"{_name}-sparse": {"estimator": _base, "model": _SPARSE},
    }
    for _kind, _settings in (
        ("accumulate", {"window": 2}),
        ("adaptive", {}),
        ("svrg", {"snapshot_every": 1}),
    ):
        METHODS[f"{_name}-{_kind}"] = {
            "estimator": _base,
            "variance_reduction": {"kind": _kind, **_settings},
        }


def small_spec(method: str, **changes: Any) -> dict[str, Any]:
    """A run's spec; `hardware`, `hyperparameters` and `model` are merged, other keys replaced."""
    own = dict(METHODS[method])
    model, task, hyper = (own.pop(key, {}) for key in ("model", "task", "hyperparameters"))
    lora = {"rank": 1, "alpha": 1.0, "targets": ["q_proj", "v_proj"]}
    return {
        "task": {"name": "news", **task},
        "method": {
            "name": method,
            "objective": "head",
            "variance_reduction": None,
            "checkpointing": "none",
            "frozen_linears": True,
            **own,
        },
        "steps": 6 if own["estimator"] else 0,
        "evaluate_every": 2,
        "seed": 0,
        **changes,
        "model": {
            "name": "llama",
            "dtype": "float32",
            "trainable": "lora",
            "lora": lora,
            **model,
            **changes.get("model", {}),
        },
        "hardware": {
            "device": "cpu",
            "threads": 1,
            "memory_limit": None,
            **changes.get("hardware", {}),
        },
        "hyperparameters": {
            "batch_size": 8,
            "learning_rate": 1e-2,
            "optimizer": "adamw",
            "momentum": 0.0,
            "nesterov": False,
            "weight_decay": 0.0,
            "clip_norm": None,
            **hyper,
            **changes.get("hyperparameters", {}),
        },
    }
