"""The reports of published records: made anew in a copy, with nothing trained."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from gradcost.results import published
from gradcost.study import config
from gradcost.study.pipeline import Pipeline
from tests.tables.test_report import needs_latex, text_of
from tests.workflow.conftest import Project, copy_project

SCALES = {"demo": ["demo", "full-demo"], "laptop": ["laptop"]}


def overlays(scale: str) -> list[str]:
    return [f"workflow/scales/{name}.yaml" for name in SCALES[scale]]


def pipeline(folder: Path, scale: str) -> Pipeline:
    names = ["config.yaml", *overlays(scale)]
    return Pipeline(config.read(*(folder / name for name in names)))


def remake(folder: Path, scale: str, *options: str) -> str:
    """Snakemake's output; it must succeed."""
    project = Project(folder, folder / overlays(scale)[-1])
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "2", "--show-failed-logs",
         "--configfile", *overlays(scale), "--config", "published=True", *options],
        cwd=folder, env=project.environment(), capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
    return done.stdout + done.stderr


def holds_every_table_and_figure(reports: Path, known: Pipeline) -> None:
    for name in known.standing:
        for path in known.artefacts(name):
            assert (reports / Path(path).relative_to(known.reports)).stat().st_size > 0


@needs_latex
@pytest.mark.parametrize("scale", SCALES)
def test_the_report_is_made_anew_and_holds_every_table_and_figure(scale, tmp_path):
    copy_project(tmp_path)
    output = remake(tmp_path, scale)
    assert "Training" not in output
    assert "Pricing" not in output
    reports = tmp_path / f"reports/{scale}-published"
    holds_every_table_and_figure(reports, pipeline(tmp_path, scale))
    assert "??" not in text_of(reports / "report.pdf")  # a reference to nothing
    assert (reports / "report.pdf").stat().st_size > 100_000
    assert "Nothing to be done" in remake(tmp_path, scale)


@needs_latex
def test_a_record_that_is_taken_out_is_missing_in_the_table_and_said_so(tmp_path):
    copy_project(tmp_path)
    pack = tmp_path / "reports/published/demo.zip"
    known = pipeline(tmp_path, "demo")
    published.unpack(pack, tmp_path / "all")
    gone = "runs/small-llama/r8/fmad-vanilla/default/seed1"
    shutil.rmtree(tmp_path / "all" / gone)
    runs = [run.path for run in known.reported]
    with zipfile.ZipFile(pack) as archive:
        others = [
            n for n in archive.namelist() if n not in (published.RECORDS, published.HISTORIES)
        ]
    before = set(published.pack(tmp_path / "all", runs, others, pack))
    assert gone in before
    target = "reports/demo-published/accuracy/accuracy.tex"
    remake(tmp_path, "demo", "--", target)
    text = (tmp_path / target).read_text()
    [line] = [line for line in text.splitlines() if line.startswith("FMAD-Vanilla")]
    assert "1 of 3 missing" in line
    assert "($n=2$)" in line
    assert not re.search(r"\b0\.0\b", line)


@pytest.mark.parametrize("scale", SCALES)
def test_what_is_published_is_of_this_configuration(scale, tmp_path):
    """Every record is of a run of the report, with the spec that the configuration gives it."""
    from gradcost.study import record, runs

    root = Path(__file__).parents[2]
    known = pipeline(root, scale)
    published.unpack(root / f"reports/published/{scale}.zip", tmp_path)
    asked = {run.path: run for run in known.reported}
    found = [path.parent for path in tmp_path.rglob(record.RECORD)]
    assert found
    for folder in found:
        name = folder.relative_to(tmp_path).as_posix()
        one, _ = record.read(folder)
        assert one.spec == runs.spec(known.study, asked[name]), name
