"""The report at the scale of the paper, with records that the demo lends: nothing is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from gradcost.results import published
from gradcost.study import record
from gradcost.study.pipeline import Pipeline
from tests.tables.test_report import needs_latex, text_of
from tests.workflow.rehearsal import project, rehearse
from tests.workflow.test_published import holds_every_table_and_figure


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> tuple[Path, Pipeline]:
    folder = tmp_path_factory.mktemp("rehearsal")
    return folder, rehearse(folder)


@needs_latex
@pytest.mark.xdist_group("rehearsal")
def test_the_report_of_the_papers_study_is_made_and_fits_its_pages(copy):
    folder, known = copy
    output = project(folder).snakemake("--config", "published=True")
    assert "Training" not in output
    reports = folder / "reports/rehearsal-published"
    holds_every_table_and_figure(reports, known)
    log = (folder / "logs/rehearsal/report.log").read_text(errors="replace")
    last = log.rpartition("This is pdfTeX")[2]  # references are found by the passes before
    assert "Overfull" not in last
    assert "too large" not in last
    assert "undefined" not in last
    text = text_of(reports / "report.pdf")
    for task in known.study.experiments["accuracy"].tasks:
        assert known.study.tasks[task].label in text
    for method in known.study.experiments["accuracy"].methods:
        assert known.study.methods[method].label in text


@pytest.mark.xdist_group("rehearsal")
def test_some_runs_are_missing_and_some_have_diverged(copy, tmp_path):
    """Or the rehearsal would say nothing of what happens to them."""
    folder, known = copy
    published.unpack(folder / known.pack, tmp_path)
    asked = {run.path for run in known.reported}
    found = {
        path.parent.relative_to(tmp_path).as_posix(): record.read(path.parent)[0]
        for path in tmp_path.rglob(record.RECORD)
    }
    assert set(found) < asked
    assert {one.outcome for one in found.values()} == {"completed", "diverged"}
