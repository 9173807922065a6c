"""Records: what is written can be read, and what does not match the schema cannot."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gradcost.study import record
from gradcost.study.files import write_atomic, write_json


def timings(seconds: float) -> record.Timings:
    day = "2026-01-01T00:00:00+00:00"
    return record.Timings(
        started=day, finished=day, seconds=seconds, training_seconds=seconds, resumed=0
    )


def machine(cores: int) -> record.Machine:
    text = dict.fromkeys(("system", "python", "processor", "device", "commit"), "x")
    return record.Machine(**text, cores=cores, threads=1)


def example(**changes) -> tuple[record.Record, object]:
    rows = {name: [0, 1, 2] for name in ("step", "examples")}
    rows |= {name: [0.0, 1.5, 3.0] for name in ("forward_equivalents", "training_seconds")}
    rows |= {"loss": [None, 1.0, float("nan")], "gradient_norm": [None, 1.0, float("inf")]}
    rows |= {"gradient_mean": [None, 0.1, 0.2], "updates": [0, 0, 1]}
    rows |= {"snapshot_projections": [None, [0.5], []]}
    rows |= {key: [None, 2.0, 3.0] for key in ("batch_gradient_norm", "full_gradient_norm")}
    rows |= {"projections": [[], [0.5, -0.5], [float("nan"), 1.0]]}
    rows |= {name: [0.5, None, 0.6] for name in ("validation_loss", "validation_accuracy")}
    history = record.history_table(rows)
    found = record.Evaluation(accuracy=0.5, loss=None, examples=4, majority=0.25)
    values = {
        "run": record.RunName(model="m", task="t", method="x", setting="default", seed=0),
        "spec": {"steps": 2},
        "inputs": record.Inputs(tokens="a", model="b"),
        "code": {"a.py": "1"},
        "packages": {"torch": "2"},
        "outcome": "completed",
        "reason": None,
        "steps": 2,
        "cost": None,
        "validation": found,
        "test": found,
        "history_rows": 3,
        "history_digest": record.history_digest(history),
        "timings": timings(3.0),
        "machine": machine(2),
    }
    return record.Record(**(values | changes)), history


def test_what_is_written_is_read_back(tmp_path: Path):
    written, history = example()
    record.write(tmp_path, written, history)
    found, rows = record.read(tmp_path)
    assert found == written
    assert record.history_digest(rows) == written.history_digest
    assert sorted(path.name for path in tmp_path.iterdir()) == ["history.parquet", "record.json"]


def test_timings_are_no_part_of_what_two_runs_have_in_common():
    one, _ = example()
    other, _ = example(timings=timings(9.0), machine=machine(64))
    assert record.without_timings(one) == record.without_timings(other)
    assert record.without_timings(one) != record.without_timings(example(steps=3)[0])


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        ("outcome", "crashed", "outcome"),
        ("steps", "2", "steps"),
        ("steps", -1, "steps"),
        ("colour", "red", "colour"),
        ("schema_version", 1, "schema_version"),
        ("test.accuracy", 1.5, "test.accuracy"),
        ("run.seed", None, "run.seed"),
        ("history_rows", 4, "history.parquet"),
        ("history_digest", "0" * 64, "history.parquet"),
    ],
)
def test_a_record_that_does_not_match_is_refused_and_the_field_named(tmp_path, path, value, named):
    record.write(tmp_path, *example())
    contents = json.loads((tmp_path / "record.json").read_text())
    *parents, last = path.split(".")
    node = contents
    for key in parents:
        node = node[key]
    node[last] = value
    write_json(tmp_path / "record.json", contents)
    with pytest.raises(record.BadRecord, match=named):
        record.read(tmp_path)


def test_half_a_record_is_refused(tmp_path):
    record.write(tmp_path, *example())
    whole = (tmp_path / "record.json").read_text()
    (tmp_path / "record.json").write_text(whole[: len(whole) // 2])
    with pytest.raises(record.BadRecord, match=r"record\.json is not valid JSON"):
        record.read(tmp_path)
    (tmp_path / "record.json").write_text(whole)
    (tmp_path / "history.parquet").write_bytes(b"PAR1")
    with pytest.raises(record.BadRecord, match=r"history\.parquet"):
        record.read(tmp_path)
    (tmp_path / "history.parquet").unlink()
    with pytest.raises(record.BadRecord, match=r"history\.parquet"):
        record.read(tmp_path)


def test_a_history_of_other_columns_is_refused(tmp_path):
    import pyarrow.parquet as pq

    written, history = example()
    record.write(tmp_path, written, history)
    pq.write_table(history.drop_columns(["loss"]), tmp_path / "history.parquet")
    with pytest.raises(record.BadRecord, match="has the columns"):
        record.read(tmp_path)


def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "a" / "file"
    write_atomic(path, lambda part: part.write_text("old"))

    def fail(part: Path) -> None:
        part.write_text("half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_atomic(path, fail)
    assert [p.name for p in path.parent.iterdir()] == ["file"]
    assert path.read_text() == "old"
