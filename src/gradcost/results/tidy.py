"""Run records -> the tidy tables of one experiment, the only thing tables and figures read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from gradcost.study import estimator_settings, record
from gradcost.study.files import canonical_json, digest, read_json, write_atomic, write_json

RUNS, HISTORY, MANIFEST = "runs.parquet", "history.parquet", "manifest.json"
NAME = ["model", "task", "method", "setting", "seed"]
_Places = dict[Any, list[int]]  # NAME without its seed -> the numbers of its rows
OUTCOMES = ["completed", "diverged", "out-of-memory", "missing"]

# The columns of runs.parquet beside NAME. Accuracies and majorities are shares, times seconds.
_TEXT = [
    "model_label", "task_label", "method_label", "family", "outcome", "reason", "optimizer",
    "estimator", "variance_reduction", "objective", "trainable", "finished", "spec", "packages",
    "machine", "timings", "code_digest", "data_digest", "model_digest", "label_words",
]  # fmt: skip
_INTEGER = [
    "steps", "planned_steps", "batch_size", "perturbations",
    "at_once", "trainable_parameters",
    "total_parameters", "forward_flops", "step_flops", "model_bytes", "peak_bytes",
    *(f"peak_{category}" for category in record.Memory.model_fields),
    "test_examples", "validation_examples",
]  # fmt: skip
_REAL = [
    "learning_rate", "momentum", "weight_decay", "clip_norm", "share", "epsilon",
    "forward_equivalents", "training_seconds", "seconds_per_step",
    *(f"{split}_{key}" for split in ("validation", "test") for key in
      ("accuracy", "accuracy_published", "loss", "majority")),
]  # fmt: skip
_TYPES = {
    **dict.fromkeys(NAME[:-1], pa.string()),
    "seed": pa.int64(),
    **dict.fromkeys(_TEXT, pa.string()),
    **dict.fromkeys(_INTEGER, pa.int64()),
    **dict.fromkeys(_REAL, pa.float64()),
    "nesterov": pa.bool_(),
    "checkpointing": pa.string(),
    "frozen_linears": pa.bool_(),
}
PUBLISHED = "-published"  # ends the name of a method that runs as the paper's public code does


@dataclass(frozen=True)
class Row:
    """A line of a table or figure: a method in a setting."""

    method: str
    setting: str
    label: str
    family: str
    setting_label: str = ""

    @property
    def key(self) -> str:
        """What it is called in the numbers of the report."""
        return self.method if self.setting == "default" else f"{self.method}/{self.setting}"

    @property
    def strategy(self) -> str:
        """What its name says beside the family: `svrg` of `zo-svrg`, `mezo` of `mezo`."""
        return self.method.removesuffix(PUBLISHED).removeprefix(f"{self.family}-")

    @property
    def published(self) -> bool:
        """Whether it runs as the paper's public code does, and not as its text says."""
        return self.method.endswith(PUBLISHED)


@dataclass(frozen=True)
class Column:
    """A panel of a figure or column of a table: a model on a task."""

    model: str
    task: str
    label: str
    key: str
    paper: str | None


@dataclass(frozen=True)
class Tidy:
    """One experiment: a row a run, a row a step, and how to present them."""

    runs: pd.DataFrame
    history: pd.DataFrame
    presentation: dict[str, Any]

    @classmethod
    def load(cls, folder: Path) -> Tidy:
        """Read what `aggregate` wrote.

        Raises:
            ValueError: if `folder` holds no complete aggregate.
        """
        try:
            manifest = read_json(folder / MANIFEST)
            runs = pq.read_table(folder / RUNS).to_pandas()
            history = pq.read_table(folder / HISTORY).to_pandas()
        except (OSError, pa.ArrowInvalid) as error:
            raise ValueError(f"{folder} holds no tidy tables: {error}") from error
        return cls(runs, history, manifest["presentation"])

    @cached_property
    def rows(self) -> list[Row]:
        """Methods, and settings within them, in the order of the configuration."""
        present = set(zip(self.runs["method"], self.runs["setting"], strict=True))
        return [
            Row(
                method["name"],
                setting["name"],
                method["label"]
                if setting["name"] == "default"
                else f"{method['label']} ({setting['label']})",
                method["family"],
                setting["label"],
            )
            for method in self.presentation["methods"]
            for setting in self.presentation["settings"]
            if (method["name"], setting["name"]) in present
        ]

    @property
    def trained(self) -> list[Row]:
        """The rows without those that train nothing (no finetuning)."""
        return [row for row in self.rows if row.family != "none"]

    @cached_property
    def columns(self) -> list[Column]:
        """Models, and tasks within them, in the order of the configuration."""
        models, tasks = self.presentation["models"], self.presentation["tasks"]
        present = set(zip(self.runs["model"], self.runs["task"], strict=True))
        several = len({model for model, _ in present}) > 1
        return [
            Column(
                model["name"],
                task["name"],
                f"{task['label']}, {model['label']}" if several else task["label"],
                f"{model['name']}/{task['name']}" if several else task["name"],
                task.get("paper"),
            )
            for model in models
            for task in tasks
            if (model["name"], task["name"]) in present
        ]

    @cached_property
    def _runs(self) -> _Places:
        return _places(self.runs)

    @cached_property
    def _cells(self) -> dict[tuple[str, str, str, str, bool], pd.DataFrame]:
        return {}

    @cached_property
    def _histories(self) -> _Places:
        return _places(self.history)

    def cell(self, column: Column, row: Row, *, completed: bool = False) -> pd.DataFrame:
        """The runs of a method on a task, by seed; with `completed`, only those that are.

        Everything asks for them, again and again: each is made once, and not to be changed.
        """
        key = (column.model, column.task, row.method, row.setting, completed)
        if key not in self._cells:
            cell = _select(self.runs, self._runs, column, row).set_index("seed").sort_index()
            self._cells[key] = cell[cell["outcome"] == "completed"] if completed else cell
        return self._cells[key]

    def curves(self, column: Column, row: Row, *, completed: bool = True) -> pd.DataFrame:
        """The histories of a method's runs on a task, by seed and step.

        Of the completed runs; or of all, each up to where it got.
        """
        history = _select(self.history, self._histories, column, row)
        seeds = self.cell(column, row, completed=completed).index
        return history[history["seed"].isin(seeds)].sort_values(["seed", "step"])


def aggregate(
    records: Sequence[Path], presentation: Mapping[str, Any], out: Path
) -> list[record.Record]:
    """Write the tidy tables of one experiment into the folder `out`.

    Args:
        records: run folders (or the `record.json` in them); one that does not exist is a
            run whose outcome is `missing`.
        presentation: `experiment`, `title`, `scale`; `models`, `tasks` and `methods` with
            `name` and `label` (methods also `family`, tasks also `paper`), and `settings`; and
            `runs`, each with `model`, `task`, `method`, `setting` and `seed`. Its order is
            the order of tables and figures.
        out: gets `runs.parquet`, `history.parquet` and, last, `manifest.json`.

    Returns:
        The records that there are.

    Raises:
        gradcost.study.record.BadRecord: for a record that is there and not valid.
        ValueError: for two records of one run, or one of a run that is not listed.
    """
    listed = [tuple(run[key] for key in NAME) for run in presentation["runs"]]
    found: dict[tuple[Any, ...], tuple[record.Record, pa.Table]] = {}
    for path in records:
        folder = path.parent if path.name == record.RECORD else path
        if not (folder / record.RECORD).exists():
            continue
        one, history = record.read(folder)
        name = tuple(getattr(one.run, key) for key in NAME)
        if name in found or name not in listed:
            fault = "is here twice" if name in found else "is not one of the experiment's runs"
            raise ValueError(f"{folder}: the run {'/'.join(map(str, name))} {fault}")
        found[name] = one, history

    labels = {
        kind: {entry["name"]: entry for entry in presentation[f"{kind}s"]}
        for kind in ("model", "task", "method")
    }
    rows = []
    for name in listed:
        run = dict(zip(NAME, name, strict=True))
        row = {**run, **{f"{kind}_label": labels[kind][run[kind]]["label"] for kind in labels}}
        row["family"] = labels["method"][run["method"]]["family"]
        rows.append({**row, **(_facts(*found[name]) if name in found else {"outcome": "missing"})})
    runs = pa.table(
        {key: pa.array([row.get(key) for row in rows], kind) for key, kind in _TYPES.items()}
    )
    histories = [
        _named(found[name][1], dict(zip(NAME, name, strict=True)))
        for name in listed
        if name in found
    ]
    nothing = record.history_table({key: [] for key in record.HISTORY})
    empty = _named(nothing, dict(zip(NAME, ("", "", "", "", 0), strict=True)))
    out.mkdir(parents=True, exist_ok=True)
    (out / MANIFEST).unlink(missing_ok=True)  # where it is, the other two belong to it
    write_atomic(out / RUNS, lambda path: pq.write_table(runs, path))
    write_atomic(
        out / HISTORY, lambda path: pq.write_table(pa.concat_tables([empty, *histories]), path)
    )
    outcomes = [row["outcome"] for row in rows]
    write_json(
        out / MANIFEST,
        {
            "experiment": presentation["experiment"],
            "runs": len(rows),
            "outcomes": {outcome: outcomes.count(outcome) for outcome in OUTCOMES},
            "history_rows": sum(history.num_rows for history in histories),
            "presentation": dict(presentation),
        },
    )
    return [one for one, _ in found.values()]


def _facts(one: record.Record, history: pa.Table) -> dict[str, Any]:
    """The columns of runs.parquet that come from a record."""
    hyper = one.spec.get("hyperparameters") or {}
    method = one.spec.get("method") or {}
    model = one.spec.get("model") or {}
    estimator = _with_defaults(method.get("estimator") or {})
    reduction = _with_defaults(method.get("variance_reduction") or {})
    seconds = history.column("training_seconds").to_pylist()
    facts: dict[str, Any] = {
        "outcome": one.outcome,
        "reason": one.reason,
        "steps": one.steps,
        "planned_steps": one.spec.get("steps"),
        **{key: hyper.get(key) for key in ("optimizer", "learning_rate", "batch_size")},
        **{key: hyper.get(key) for key in ("momentum", "nesterov", "weight_decay", "clip_norm")},
        **{key: method.get(key) for key in ("checkpointing", "objective", "frozen_linears")},
        **{key: model.get(key) for key in ("trainable", "share")},
        "estimator": canonical_json(estimator) if estimator else None,
        "variance_reduction": canonical_json(reduction) if reduction else None,
        "epsilon": _setting(estimator, "epsilon"),
        "at_once": _setting(estimator, "at_once"),
        "perturbations": _setting(estimator, "perturbations"),
        "training_seconds": seconds[-1] if seconds else None,
        "seconds_per_step": seconds[-1] / one.steps if seconds and one.steps else None,
        "finished": one.timings.finished,
        "label_words": canonical_json(one.label_words) if one.label_words else None,
        "spec": digest(one.spec),
        "packages": canonical_json(one.packages),
        "machine": canonical_json(one.machine.model_dump()),
        "timings": canonical_json(one.timings.model_dump()),
        "code_digest": digest(one.code),
        "data_digest": one.inputs.tokens,
        "model_digest": one.inputs.model,
    }
    if one.cost is not None:
        facts |= one.cost.model_dump(exclude={"peak"})
        facts |= {f"peak_{key}": value for key, value in one.cost.peak.model_dump().items()}
        facts["forward_equivalents"] = one.cost.forward_equivalents
    for split in ("validation", "test"):
        if (evaluation := getattr(one, split)) is not None:
            facts |= {f"{split}_{key}": value for key, value in evaluation.model_dump().items()}
    return facts


def _with_defaults(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Of an estimator or a variance reduction, also what the configuration left at its default."""
    try:
        model = estimator_settings.settings_model(str(settings.get("kind")))
        return model(**settings).model_dump()
    except ValueError:
        return dict(settings)  # of a kind that has since gone, or has since other settings


def _setting(estimator: Mapping[str, Any], key: str) -> Any:
    """A setting of an estimator or, if it wraps another, of the inner one."""
    if estimator.get(key) is not None:
        return estimator[key]
    inner = [value for value in estimator.values() if isinstance(value, Mapping)]
    return next((found for one in inner if (found := _setting(one, key)) is not None), None)


def _named(history: pa.Table, name: Mapping[str, Any]) -> pa.Table:
    """The history with the run's name in front of every row."""
    columns = {key: pa.array([name[key]] * history.num_rows, _TYPES[key]) for key in NAME} | {
        key: history.column(key) for key in record.HISTORY
    }
    return pa.table(columns)


def _places(frame: pd.DataFrame) -> _Places:
    """Where the rows of each cell are: found once, since everything asks for them."""
    found = frame.groupby(NAME[:-1]).indices
    return {name: list(places) for name, places in found.items()}


def _select(frame: pd.DataFrame, places: _Places, column: Column, row: Row) -> pd.DataFrame:
    name = (column.model, column.task, row.method, row.setting)
    return frame.iloc[places.get(name, [])]
