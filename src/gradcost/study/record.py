"""The record of a run: everything that happened in it, in two small files.

`record.json` is a `Record`; `history.parquet` has one row per optimiser step, in the
columns of `HISTORY`. Training writes them, results read them, and the two sides share
nothing else. All fields are facts of the run; `timings` and `machine` alone differ
between two runs of one spec, and the training seconds of the history.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gradcost.study.files import (
    canonical_json,
    digest,
    read_json,
    sha256_file,
    write_atomic,
    write_json,
)

if TYPE_CHECKING:
    import pyarrow as pa

SCHEMA_VERSION: Literal[4] = 4
RECORD, HISTORY_FILE = "record.json", "history.parquet"
Outcome = Literal["completed", "diverged", "out-of-memory"]

# name -> (Arrow type, may be null, meaning)
HISTORY: dict[str, tuple[str, bool, str]] = {
    "step": ("int32", False, "optimiser steps taken; 0 is before the first"),
    "examples": ("int64", False, "training examples seen so far"),
    "forward_equivalents": ("float64", False, "FLOPs so far over those of a forward pass"),
    "training_seconds": ("float64", False, "wall time of training steps so far"),
    "loss": ("float64", True, "of the step's batch, as the estimator reports it"),
    "gradient_norm": ("float64", True, "Euclidean norm of the gradient estimate"),
    "gradient_mean": ("float64", True, "mean absolute component of the gradient estimate"),
    "updates": ("int64", False, "updates of the parameters so far"),
    "projections": ("list<double>", True, "directional derivatives; empty for backprop"),
    "snapshot_projections": ("list<double>", True, "of SVRG: the same at the snapshot"),
    "batch_gradient_norm": ("float64", True, "of SVRG: of the batch's own estimate"),
    "full_gradient_norm": ("float64", True, "of SVRG: of the full gradient at the snapshot"),
    "validation_loss": ("float64", True, "mean cross-entropy, where it was evaluated"),
    "validation_accuracy": ("float64", True, "share of right answers, where it was evaluated"),
}


class BadRecord(ValueError):
    """A record that does not match its schema, or whose two files do not belong together."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class RunName(_Part):
    """Which run of the study this is."""

    model: str
    task: str
    method: str
    setting: str
    seed: int


class Evaluation(_Part):
    """Accuracy (share of right answers) and mean loss over a split."""

    accuracy: float = Field(ge=0, le=1, description="By the strict scorer, where answers are text")
    accuracy_published: float | None = Field(
        None, ge=0, le=1, description="By the scorer of the public code, where answers are text"
    )
    loss: float | None = Field(description="null where it is not finite")
    examples: int = Field(gt=0)
    majority: float = Field(
        ge=0, le=1, description="Of who always gives the most common class, or answer"
    )


class Memory(_Part):
    """Bytes by what they are for, when most are alive (see `gradcost.accounting.meter`)."""

    frozen_weights: int = Field(ge=0, description="Packed ones with their scales; buffers")
    trainable_parameters: int = Field(ge=0)
    activations: int = Field(ge=0, description="Of the forward and backward pass")
    gradients: int = Field(ge=0, description="Of the trainable parameters")
    states: int = Field(ge=0, description="Of the optimiser and the estimator")
    directions: int = Field(ge=0, description="Tangents and perturbed parameters too")
    workspace: int = Field(ge=0, description="Such as a packed weight made dense")
    host: int = Field(ge=0, description="In the host's memory; no part of the total")

    @property
    def total(self) -> int:
        """Bytes on the device."""
        return sum(self.model_dump(exclude={"host"}).values())


class Cost(_Part):
    """What one optimiser step takes, counted and not timed."""

    trainable_parameters: int = Field(gt=0)
    total_parameters: int = Field(gt=0, description="Numbers in the model, 4-bit ones included")
    forward_flops: int = Field(gt=0, description="FLOPs of one forward pass of a batch")
    step_flops: int = Field(ge=0, description="FLOPs of one gradient estimate of a batch")
    model_bytes: int = Field(gt=0, description="Weights and buffers as they are stored")
    peak_bytes: int = Field(
        gt=0, description="Most bytes alive at once in a step, weights included"
    )
    peak: Memory = Field(description="What these bytes are for")

    @property
    def forward_equivalents(self) -> float:
        """FLOPs of a step in units of one forward pass."""
        return self.step_flops / self.forward_flops


class Inputs(_Part):
    """Content hashes of what the run read."""

    tokens: str
    model: str


class Timings(_Part):
    """When, and for how long: what differs between two runs of one spec."""

    started: str = Field(description="ISO 8601, UTC")
    finished: str = Field(description="ISO 8601, UTC")
    seconds: float = Field(ge=0, description="Wall time of the job, from its last start")
    training_seconds: float = Field(ge=0, description="Wall time of training steps alone")
    resumed: int = Field(ge=0, description="How often it went on from a checkpoint")


class Machine(_Part):
    """What the run was computed on, and the commit of the sources."""

    system: str
    python: str
    processor: str
    device: str
    cores: int
    threads: int
    commit: str


class Record(_Part):
    """Everything that happened in a run."""

    schema_version: Literal[4] = SCHEMA_VERSION
    run: RunName
    spec: dict[str, Any] = Field(description="Everything that can change the numbers")
    inputs: Inputs
    code: dict[str, str] = Field(description="Fingerprint of the code, by file")
    packages: dict[str, str] = Field(description="Versions that can change the numbers")
    outcome: Outcome
    reason: str | None = Field(description="Why the run did not complete")
    steps: int = Field(ge=0, description="Optimiser steps taken")
    label_words: dict[str, str] | None = Field(
        None, description="For each label word the token that stands for it, as text"
    )
    cost: Cost | None = Field(description="null where no step fitted into memory")
    validation: Evaluation | None = Field(description="At the end; null unless completed")
    test: Evaluation | None = Field(description="At the end; null unless completed")
    history_rows: int = Field(ge=0)
    history_digest: str = Field(description="Hash of the history without its timings")
    timings: Timings
    machine: Machine


def key(
    name: RunName,
    spec: dict[str, Any],
    code: dict[str, str],
    packages: dict[str, str],
    inputs: Inputs,
) -> str:
    """What identifies a run among all that were or will be: a hash of all that it depends on."""
    return digest([name.model_dump(), spec, code, packages, inputs.model_dump()])[:32]


def forget(checkpoints: Path, found: Record) -> None:
    """Remove the record that is kept beside the checkpoints, which Snakemake now knows of."""
    kept = checkpoints / key(found.run, found.spec, found.code, found.packages, found.inputs)
    shutil.rmtree(kept, ignore_errors=True)


def history_table(rows: dict[str, list[Any]]) -> pa.Table:
    """The history as an Arrow table; columns that `rows` lacks raise `KeyError`."""
    import pyarrow as pa

    types = {"list<double>": pa.list_(pa.float64())}
    schema = pa.schema(
        pa.field(name, types.get(kind) or pa.type_for_alias(kind), null)
        for name, (kind, null, _) in HISTORY.items()
    )
    return pa.table({name: rows[name] for name in HISTORY}, schema=schema)


def history_digest(table: pa.Table) -> str:
    """sha256 of the history without its timings; NaN equals NaN."""
    columns = {name: table.column(name).to_pylist() for name in HISTORY}
    del columns["training_seconds"]
    return hashlib.sha256(repr(sorted(columns.items())).encode()).hexdigest()


def write(folder: Path, record: Record, history: pa.Table) -> None:
    """Write both files, each atomically, the record last: where it is, both are whole."""
    import pyarrow.parquet as pq

    write_atomic(folder / HISTORY_FILE, lambda path: pq.write_table(history, path))
    write_json(folder / RECORD, record.model_dump())


def read(folder: Path) -> tuple[Record, pa.Table]:
    """Read and check a record.

    Raises:
        BadRecord: naming the file and what is wrong with it.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / RECORD
    try:
        record = Record.model_validate(read_json(path))
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}"
            for fault in error.errors()
        )
        raise BadRecord(f"{path} is not a record of schema {SCHEMA_VERSION}: {faults}") from None
    except (OSError, ValueError) as error:
        raise BadRecord(str(error)) from error
    path = folder / HISTORY_FILE
    try:
        history = pq.read_table(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise BadRecord(f"{path}: {error}") from error
    expected = history_table({name: [] for name in HISTORY}).schema
    if not history.schema.equals(expected):
        raise BadRecord(f"{path} has the columns\n{history.schema}\nand not\n{expected}")
    if history.num_rows != record.history_rows or history_digest(history) != record.history_digest:
        raise BadRecord(f"{path} is not the history that {RECORD} beside it was written with")
    return record, history


def without_timings(record: Record) -> str:
    """What two runs of one spec on one machine must have in common, as text to compare."""
    return canonical_json(record.model_dump(exclude={"timings", "machine"}))


def json_schema() -> dict[str, Any]:
    """The JSON schema of `record.json`, with the columns of the history beside it."""
    columns = {
        name: {"type": kind, "nullable": null, "description": text}
        for name, (kind, null, text) in HISTORY.items()
    }
    return {**Record.model_json_schema(), "x-history": columns}


def content_hash(manifest: Path) -> str:
    """The hash by which a run remembers an input: that of its manifest."""
    return sha256_file(manifest)
