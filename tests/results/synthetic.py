"""Made-up runs for the tests of results, tables and figures: valid records, known numbers.

The numbers resemble a small study; FMAD and ZO agree for one seed, as they do with common
random directions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from gradcost.results.tidy import Tidy, aggregate
from gradcost.study import record
from gradcost.study.runs import Run

MAJORITY = 0.25


@dataclass(frozen=True)
class Fake:
    """A method: accuracies in percent by seed, costs, and what of its spec is not the default.

    `method` and `model` are laid over the spec's parts of that name.
    """

    label: str
    family: str
    test: tuple[float, ...]
    forwards: float
    seconds: float  # of a step
    activations: int  # bytes
    speed: float  # steps to 63 % of the way
    optimizer: str = "sgd"
    learning_rate: float = 3e-3
    estimator: dict[str, Any] = field(default_factory=dict)
    method: dict[str, Any] = field(default_factory=dict)
    model: dict[str, Any] = field(default_factory=dict)


_BP = {"kind": "backprop"}
_TEN = {"perturbations": 10, "at_once": 10}
_CHECKPOINTING = {"checkpointing": "every-layer"}
_ACCUMULATE = {"variance_reduction": {"kind": "accumulate", "window": 10}}
_ADAPTIVE = {"variance_reduction": {"kind": "adaptive"}}  # all its settings at their defaults
_SVRG = {"variance_reduction": {"kind": "svrg", "snapshot_every": 5}}
_SPARSE = {"trainable": "sparse", "share": 0.01}
METHODS = {
    "no-finetuning": Fake("No Finetuning", "none", (24.0, 27.3, 23.0), 0, 0.0, 610_000, 1),
    # the same for every seed: nothing of it is drawn
    "no-finetuning-words": Fake(
        "No Finetuning, words", "none", (41.0, 41.0, 41.0), 0, 0.0, 610_000, 1,
        method={"objective": "label-words"},
    ),
    "bp-vanilla": Fake(
        "BP-Vanilla", "bp", (77.7, 77.7, 75.7), 1.99, 0.0150, 4_310_000, 18, "adamw", 1e-2, _BP
    ),
    "bp-checkpointing": Fake(
        "BP-Checkpointing", "bp", (77.7, 77.7, 75.7), 2.79, 0.0221, 1_720_000, 18, "adamw", 1e-2,
        _BP, _CHECKPOINTING,
    ),
    "bp-accumulate": Fake(
        "BP-Accumulate", "bp", (74.3, 73.7, 74.7), 2.79, 0.0224, 1_730_000, 70, "adamw", 1e-2,
        _BP, _CHECKPOINTING | _ACCUMULATE,
    ),
}  # fmt: skip
# strategy: label, accuracies, steps to 63 %, overrides, and the cost of a step of each:
# forward passes, seconds, bytes
_STRATEGIES: dict[str, tuple[str, tuple[float, ...], float, dict[str, Any], Any, Any]] = {
    "vanilla": (
        "Vanilla", (60.0, 58.7, 62.0), 110, {},
        (2.0, 0.0137, 610_000), (2.01, 0.0297, 1_160_000),
    ),
    "accumulate": (
        "Accumulate", (57.0, 54.7, 58.8), 160, {"method": _ACCUMULATE},
        (2.0, 0.0138, 613_000), (2.01, 0.0299, 1_163_000),
    ),
    "multiple": (
        "Multiple", (69.0, 63.3, 67.7), 90, {"estimator": _TEN, "learning_rate": 1e-2},
        (20.0, 0.1020, 5_800_000), (11.05, 0.1170, 6_900_000),
    ),
    "adaptive": (
        "Adaptive", (61.3, 56.7, 62.7), 80, {"method": _ADAPTIVE},
        (2.02, 0.0141, 613_000), (2.03, 0.0302, 1_163_000),
    ),
    "svrg": (
        "SVRG", (62.7, 62.0, 64.3), 100, {"method": _SVRG},
        (4.4, 0.0302, 616_000), (4.43, 0.0655, 1_166_000),
    ),
    "sparse": (
        "Sparse", (48.0, 50.3, 47.7), 130, {"model": _SPARSE},
        (2.0, 0.0180, 1_230_000), (3.01, 0.0410, 2_480_000),
    ),
}  # fmt: skip
for _family, _estimator in (
    ("zo", {"kind": "zeroth-order", "epsilon": 1e-3}),
    ("fmad", {"kind": "forward-mode"}),
):
    for _name, (_label, _test, _speed, _own, _zo, _fmad) in _STRATEGIES.items():
        METHODS[f"{_family}-{_name}"] = Fake(
            f"{_family.upper()}-{_label}",
            _family,
            _test,
            *(_zo if _family == "zo" else _fmad),
            _speed,
            **{**_own, "estimator": {**_estimator, **_own.get("estimator", {})}},
        )
    if _family == "zo":
        METHODS["mezo"] = Fake(
            "MeZO", "zo", (65.0, 61.0, 70.0), 2.0, 0.0133, 640_000, 60,
            estimator=_estimator, method={"objective": "label-words"},
        )  # fmt: skip
        METHODS["signzo"] = Fake(
            "SignZO", "zo", (59.0, 60.0, 64.0), 2.0, 0.0136, 610_000, 95, "sign",
            estimator=_estimator,
        )  # fmt: skip
MODELS = {"tiny": "tiny Llama", "small": "small Llama", "large": "large Llama"}
# setting -> label; what it adds to the accuracy in points, and a factor of the noise of slopes
SETTINGS = {
    "default": ("default", 0.0, 1.0),
    "wide": ("wide", 0.0, 1.0),
    "more": ("n = 50", 3.0, 0.5),
    "less": ("n = 1", -4.0, 2.0),
    "adamw": ("AdamW", -1.0, 6.0),
    "sgd": ("SGD", 1.0, 1.0),
}
TASKS = {"r8-4": ("Reuters topics", "agnews", 0.0), "ng-4": ("20 Newsgroups", None, -3.5)}
SEEDS = (0, 1, 2)


def _setting(name: str) -> tuple[str, float, float]:
    return SETTINGS.get(name, (name, 0.0, 1.0))


def presentation(
    methods: tuple[str, ...] = tuple(METHODS),
    tasks: tuple[str, ...] = tuple(TASKS),
    settings: tuple[str, ...] = ("default",),
    seeds: tuple[int, ...] = SEEDS,
    models: tuple[str, ...] = ("tiny",),
) -> dict[str, Any]:
    """What the Snakefile makes from the configuration."""
    return {
        "experiment": "accuracy",
        "title": "Accuracy and cost",
        "scale": "demo",
        "methods": [
            {"name": name, "label": METHODS[name].label, "family": METHODS[name].family}
            for name in methods
        ],
        "tasks": [
            {"name": name, "label": TASKS[name][0], "paper": TASKS[name][1]} for name in tasks
        ],
        "models": [{"name": name, "label": MODELS[name]} for name in models],
        "settings": [{"name": name, "label": _setting(name)[0]} for name in settings],
        "runs": [
            {"model": model, "task": task, "method": method, "setting": setting, "seed": seed}
            for model in models
            for task in tasks
            for method in methods
            for setting in settings
            for seed in seeds
        ],
    }


def write_run(
    root: Path,
    run: dict[str, Any],
    outcome: record.Outcome = "completed",
    *,
    steps: int = 300,
    learning_rate: float | None = None,
    final: float | None = None,
) -> Path:
    """Write a valid record and history; `final` is the last validation accuracy in percent."""
    fake = METHODS[run["method"]]
    _, better, noise = _setting(run["setting"])
    shift = TASKS[run["task"]][2] + better + 2.0 * list(MODELS).index(run["model"])
    test = (fake.test[run["seed"]] + shift) / 100
    top = test - 0.05 if final is None else final / 100
    taken = {"completed": steps, "diverged": steps // 3, "out-of-memory": 0}[outcome]
    rows: dict[str, list[Any]] = {name: [] for name in record.HISTORY}
    trained = fake.family != "none"
    taken = taken if trained else 0
    for step in range(taken + 1 if trained and outcome != "out-of-memory" else 0):
        evaluated = step % 10 == 0
        phase = sum(map(ord, run["task"] + fake.label.split("-")[-1])) + 7 * run["seed"]
        wobble = 0.012 * math.sin(0.13 * step + phase) if 0 < step < taken else 0.0
        reached = MAJORITY + (top - MAJORITY) * (1 - math.exp(-step / fake.speed)) + wobble
        draw = np.random.default_rng([run["seed"], step]).standard_normal(2)
        slope = noise * (1 + 3 * math.exp(-step / 80)) * draw[0]
        size = abs(slope) if fake.family != "bp" else 1 + 3 * math.exp(-step / 80)
        window = (fake.method.get("variance_reduction") or {}).get("window", 1)
        svrg = "snapshot_every" in (fake.method.get("variance_reduction") or {})
        rows["step"].append(step)
        rows["updates"].append(step // window)
        rows["examples"].append(16 * step)
        rows["forward_equivalents"].append(fake.forwards * step)
        rows["training_seconds"].append(fake.seconds * step * (1 + 0.04 * run["seed"]))
        rows["loss"].append(1.386 * math.exp(-step / 200) if step else None)
        rows["gradient_norm"].append(28.0 * size / window**0.5 if step else None)
        rows["gradient_mean"].append(0.8 * size / window**0.5 if step else None)
        rows["projections"].append([slope] if step and fake.family != "bp" else [])
        rows["snapshot_projections"].append([slope + 0.2 * draw[1]] if step and svrg else None)
        rows["batch_gradient_norm"].append(28.0 * size if step and svrg else None)
        rows["full_gradient_norm"].append(90.0 if step and svrg else None)
        rows["validation_loss"].append(1.2 if evaluated else None)
        rows["validation_accuracy"].append(
            (top if step == taken else reached) if evaluated else None
        )
    history = record.history_table(rows)
    hyperparameters = {
        "batch_size": 16,
        "learning_rate": learning_rate or fake.learning_rate,
        "optimizer": fake.optimizer,
        "momentum": 0.0,
        "nesterov": False,
        "weight_decay": 0.0,
        "clip_norm": None,
    }
    done = outcome == "completed"
    forward = 61_300_000
    one = record.Record(
        run=record.RunName(**run),
        spec={
            "model": {"name": run["model"], "trainable": "lora", **fake.model},
            "task": {"name": run["task"]},
            "method": {
                "name": run["method"],
                "estimator": fake.estimator or None,
                "variance_reduction": None,
                "objective": "head",
                "checkpointing": "none",
                "frozen_linears": True,
                **fake.method,
            },
            "steps": steps if trained else 0,
            "evaluate_every": 10,
            "seed": run["seed"],
            **({"hyperparameters": hyperparameters} if trained else {}),
        },
        inputs=record.Inputs(tokens="a" * 64, model="b" * 64),
        code={"gradcost/training/loop.py": "c" * 64},
        packages={"torch": "2.13.0", "transformers": "5.23.0"},
        outcome=outcome,
        reason=None if done else "the loss was not finite",
        steps=taken,
        cost=None
        if outcome == "out-of-memory"
        else record.Cost(
            trainable_parameters=768,
            total_parameters=238_000,
            forward_flops=forward,
            step_flops=round(fake.forwards * forward),
            model_bytes=952_000,
            peak_bytes=952_000 + fake.activations,
            peak=record.Memory(
                frozen_weights=950_000,
                trainable_parameters=2_000,
                activations=fake.activations,
                **dict.fromkeys(("gradients", "states", "directions", "workspace", "host"), 0),
            ),
        ),
        validation=record.Evaluation(accuracy=top, loss=1.2, examples=240, majority=MAJORITY)
        if done
        else None,
        test=record.Evaluation(accuracy=test, loss=1.2, examples=300, majority=MAJORITY)
        if done
        else None,
        history_rows=history.num_rows,
        history_digest=record.history_digest(history),
        timings={
            "started": "2026-11-22T10:00:00+00:00",
            "finished": f"2026-11-22T10:0{run['seed']}:00+00:00",
            "seconds": 12.5,
            "training_seconds": 10.0,
            "resumed": 0,
        },
        machine={
            "system": "Linux x86_64",
            "processor": "Some CPU @ 2 GHz",
            "cores": 2,
            "threads": 1,
            "device": "cpu",
            "python": "3.11.2",
            "commit": "0123abc45678",
        },
    )
    folder = root / Run(**run).path
    record.write(folder, one, history)
    return folder


def study(
    root: Path,
    outcomes: dict[tuple[str, str, int], record.Outcome | None] | None = None,
    **grid: Any,
) -> Tidy:
    """A whole experiment, aggregated. `outcomes` by (task, method, seed); None is missing."""
    shown = presentation(**grid)
    folders = []
    for run in shown["runs"]:
        outcome = (outcomes or {}).get((run["task"], run["method"], run["seed"]), "completed")
        if outcome is not None:
            folders.append(write_run(root, run, outcome))
        else:
            folders.append(root / Run(**run).path)
    aggregate(folders, shown, root / "tidy")
    return Tidy.load(root / "tidy")


FAILURES: dict[tuple[str, str, int], record.Outcome | None] = {
    ("r8-4", "fmad-vanilla", 0): "diverged",
    ("r8-4", "fmad-vanilla", 2): "diverged",
    ("r8-4", "bp-vanilla", 1): "out-of-memory",
    ("ng-4", "zo-multiple", 0): None,
    ("ng-4", "zo-multiple", 1): None,
    ("ng-4", "zo-multiple", 2): None,
}
