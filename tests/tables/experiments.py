"""Made-up experiments for the tests of their tables: parts of a synthetic study, renamed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from gradcost.results.tidy import NAME, Tidy
from tests.results.synthetic import presentation, study

BASES = ("bp-checkpointing", "zo-vanilla", "fmad-vanilla")
METHODS = (
    "no-finetuning", "bp-vanilla", "bp-checkpointing", "zo-vanilla", "zo-accumulate",
    "zo-multiple", "zo-svrg", "zo-sparse", "signzo", "fmad-vanilla", "fmad-accumulate",
    "fmad-multiple", "fmad-adaptive", "fmad-svrg",
)  # fmt: skip
GRIDS = (
    (METHODS, ("default",)),
    ((*BASES, "zo-multiple", "zo-accumulate", "fmad-multiple", "fmad-accumulate"), ("more",)),
    ((*BASES, "fmad-adaptive"), ("less",)),
    ((*BASES, "fmad-multiple", "fmad-accumulate", "fmad-adaptive"), ("adamw", "sgd")),
)


def one_model(folder: Path) -> Tidy:
    """One model on one task: all methods by default, and some in other settings."""
    parts = [
        study(folder / str(i), methods=methods, tasks=("r8-4",), settings=settings)
        for i, (methods, settings) in enumerate(GRIDS)
    ]
    names = tuple(name for _, settings in GRIDS for name in settings)
    return Tidy(
        pd.concat([one.runs for one in parts], ignore_index=True),
        pd.concat([one.history for one in parts], ignore_index=True),
        presentation(methods=METHODS, tasks=("r8-4",), settings=names),
    )


def three_models(folder: Path) -> Tidy:
    """Three models on one task."""
    methods = ("no-finetuning", "bp-vanilla", *BASES)
    return study(folder, methods=methods, tasks=("r8-4",), models=("tiny", "small", "large"))


def part(
    data: Tidy,
    experiment: str,
    keep: str,
    **names: dict[str, tuple[str, str]],
) -> Tidy:
    """The runs that a query names; settings, methods and models (name, label) called otherwise."""
    shown: dict[str, Any] = {**data.presentation, "experiment": experiment}
    runs = data.runs.query(keep).copy()
    history = data.history.copy()
    for key, found in names.items():
        renamed = {old: new for old, (new, _) in found.items()}
        for frame in (runs, history):
            frame[key] = frame[key].replace(renamed)
        shown[f"{key}s"] = [
            {**entry, "name": found[entry["name"]][0], "label": found[entry["name"]][1]}
            if entry["name"] in found
            else entry
            for entry in shown[f"{key}s"]
        ]
    return Tidy(runs, history, shown)


def ended(data: Tidy, which: str, outcome: str, reason: str | None = None) -> Tidy:
    """The same, but that the runs which a query names ended so; what is missing is not there."""
    runs, history = data.runs.copy(), data.history
    names = runs.query(which).index
    if outcome == "missing":
        labels = ["model_label", "task_label", "method_label", "family"]
        for key in runs.columns.difference([*NAME, *labels]):
            runs[key] = runs[key].where(~runs.index.isin(names))
        gone = set(runs.loc[names, NAME].itertuples(index=False, name=None))
        there = [name not in gone for name in history[NAME].itertuples(index=False, name=None)]
        history = history[there]
    runs.loc[names, "outcome"] = outcome
    runs.loc[names, "reason"] = reason
    return Tidy(runs, history, data.presentation)


def everything(one: Tidy, three: Tidy) -> dict[str, Tidy]:
    """An experiment for each table of `tables`, by the name that the configuration uses."""
    in_default = "setting == 'default'"
    bases = f"method in {list(BASES)}"
    return {
        "perturbations": multiples(one),
        "accumulation": part(
            one,
            "accumulation",
            f"({in_default} and ({bases} or method.str.endswith('accumulate')))"
            " or (setting == 'more' and method.str.endswith('accumulate'))",
            setting={"more": ("longer-window", "window of 200")},
        ),
        "encoders": part(
            three,
            "encoders",
            "model != 'large'",
            model={"tiny": ("bert-base", "BERT"), "small": ("roberta-base", "RoBERTa")},
        ),
        "direction-variance": part(
            one,
            "direction-variance",
            "(method == 'zo-vanilla' and setting != 'wide')"
            " or (method == 'fmad-vanilla' and setting in ['default', 'more'])",
            setting={
                "more": ("variance-1e-1", "variance 0.1"),
                "less": ("variance-1e-3", "variance 0.001"),
                "adamw": ("variance-1e-4", "variance 0.0001"),
                "sgd": ("epsilon-1e-4", "step 0.0001"),
            },
        ),
        "model-size": part(three, "model-size", bases),
        "lora-rank": ranks(one),
        "signzo": part(
            one,
            "signzo",
            f"{in_default} and method in ['bp-checkpointing', 'zo-vanilla', 'signzo', "
            "'zo-accumulate', 'zo-multiple']",
        ),
        "optimizers": part(
            one,
            "optimizers",
            "setting in ['adamw', 'sgd'] and method in ['bp-checkpointing', 'fmad-vanilla', "
            "'fmad-multiple', 'fmad-accumulate']",
        ),
        "svrg": part(one, "svrg", f"{in_default} and method in ['fmad-vanilla', 'fmad-svrg']"),
        "direction-distributions": part(
            one,
            "direction-distributions",
            "method == 'fmad-vanilla' and setting in ['default', 'less']",
            setting={"less": ("uniform", "uniform")},
        ),
        "perturbation-budget": part(
            multiples(one), "perturbation-budget", "family == 'zo' and seed == 0"
        ),
        "full-parameter": part(
            one,
            "full-parameter",
            f"{bases} and (setting == 'default' or "
            "setting == 'more' and method == 'bp-checkpointing' or "
            "setting == 'less' and method != 'bp-checkpointing')",
            setting={
                "more": ("all-parameters", "all parameters"),
                "less": ("all-along-directions", "all parameters"),
            },
        ),
        "width-depth": part(
            three,
            "width-depth",
            "model != 'large' and method != 'no-finetuning'",
            model={"tiny": ("wide", "wide Llama"), "small": ("deep", "deep Llama")},
        ),
        "forward-optimizers": part(
            one,
            "forward-optimizers",
            "setting in ['adamw', 'sgd', 'less'] and method in ['fmad-vanilla', 'fmad-adaptive']",
            setting={"less": ("clipped", "AdamW, clipped")},
            method={"fmad-adaptive": ("fmad-clipped", "FMAD-Clipped")},
        ),
        "structured-directions": part(
            one,
            "structured-directions",
            "method == 'fmad-vanilla' and setting in ['default', 'more']",
            setting={"more": ("rademacher", "Rademacher")},
        ),
        "audit": audited(one),
        "accuracy-variance": part(one, "accuracy", in_default),
        "convergence-cost": part(one, "accuracy", in_default),
    }


def multiples(one: Tidy) -> Tidy:
    """One, ten and fifty directions."""
    return part(
        one,
        "perturbations",
        f"(setting == 'default' and (method in {list(BASES)} or method.str.endswith('multiple')))"
        " or (setting == 'more' and method.str.endswith('multiple'))",
        setting={"more": ("perturbations-50", "n = 50")},
    )


def ranks(one: Tidy) -> Tidy:
    """Three ranks."""
    return part(
        one,
        "lora-rank",
        f"method in {list(BASES)} and setting in ['default', 'more', 'less']",
        setting={"more": ("rank-16", "rank 16"), "less": ("rank-32", "rank 32")},
    )


def audited(one: Tidy) -> Tidy:
    """FMAD-Vanilla and ZO-SVRG both ways: the runs as published are others' under that name."""
    return part(
        one,
        "audit",
        "setting == 'default' and method in ['bp-checkpointing', 'zo-svrg', 'zo-sparse', "
        "'fmad-vanilla', 'fmad-accumulate']",
        method={
            "zo-sparse": ("zo-svrg-published", "ZO-SVRG, as published"),
            "fmad-accumulate": ("fmad-vanilla-published", "FMAD-Vanilla, as published"),
        },
    )
