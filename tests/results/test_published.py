"""Published records: what is packed comes out as it was, and what is not there is missing."""

from __future__ import annotations

import zipfile

import pytest

from gradcost.results import published
from gradcost.results.tidy import Tidy, aggregate
from gradcost.study import record
from gradcost.study.runs import Run
from tests.results.synthetic import presentation, write_run


@pytest.fixture
def results(tmp_path):
    """Runs of three methods and two seeds, one that took no step, and a file beside them."""
    root = tmp_path / "results"
    shown = presentation(methods=("no-finetuning", "bp-vanilla", "fmad-svrg"), seeds=(0, 1))
    paths = []
    for run in shown["runs"]:
        outcome = "out-of-memory" if run["method"] == "fmad-svrg" and run["seed"] else "completed"
        write_run(root, run, outcome)
        paths.append(Run(**run).path)
    (root / "accounting").mkdir()
    (root / "accounting/depth.json").write_text('{"sheet": "depth"}')
    return root, shown, paths


def test_what_comes_out_is_what_went_in(results, tmp_path):
    root, _, paths = results
    pack, again = tmp_path / "demo.zip", tmp_path / "again.zip"
    assert published.pack(root, paths, ["accounting/depth.json"], pack) == []
    assert published.pack(root, paths, ["accounting/depth.json"], again) == []
    assert pack.read_bytes() == again.read_bytes()
    out = tmp_path / "out"
    assert published.unpack(pack, out) == len(paths)
    assert (out / "accounting/depth.json").read_text() == '{"sheet": "depth"}'
    for path in paths:
        (one, history), (other, rows) = record.read(root / path), record.read(out / path)
        assert one == other
        assert record.history_digest(history) == record.history_digest(rows)
        seconds = [table.column("training_seconds").to_pylist() for table in (history, rows)]
        assert seconds[0] == seconds[1]


def test_it_is_smaller_than_the_records(results, tmp_path):
    root, _, paths = results
    published.pack(root, paths, [], tmp_path / "demo.zip")
    whole = sum(file.stat().st_size for path in paths for file in (root / path).iterdir())
    assert (tmp_path / "demo.zip").stat().st_size < 0.5 * whole


def test_a_record_that_is_deleted_is_missing_in_the_tables(results, tmp_path):
    root, shown, paths = results
    (root / paths[2] / record.RECORD).unlink()
    pack, out = tmp_path / "demo.zip", tmp_path / "out"
    assert published.pack(root, paths, [], pack) == [paths[2]]
    published.unpack(pack, out)
    aggregate([out / path for path in paths], shown, tmp_path / "tidy")
    runs = Tidy.load(tmp_path / "tidy").runs
    assert list(runs["outcome"]).count("missing") == 1
    assert runs.iloc[2]["outcome"] == "missing"


@pytest.mark.parametrize("how", ["no zip", "no records", "other histories"])
def test_a_file_that_is_no_pack_is_named(results, tmp_path, how):
    root, _, paths = results
    pack = tmp_path / "demo.zip"
    published.pack(root, paths, [], pack)
    if how == "no zip":
        pack.write_bytes(b"PK")
    else:
        with zipfile.ZipFile(pack) as archive:
            contents = {name: archive.read(name) for name in archive.namelist()}
        if how == "no records":
            del contents[published.RECORDS]
        else:
            contents[published.HISTORIES] = b"PAR1"
        with zipfile.ZipFile(pack, "w") as archive:
            for name, content in contents.items():
                archive.writestr(name, content)
    with pytest.raises(published.BadPack, match=r"demo\.zip"):
        published.unpack(pack, tmp_path / "out")
