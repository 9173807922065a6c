"""A study of six hundred runs: what an edit invalidates, and what a plan says."""

from __future__ import annotations

import re

import pytest

from tests.workflow.large import Large

pytestmark = pytest.mark.xdist_group("large")


@pytest.fixture(scope="module")
def large(tmp_path_factory) -> Large:
    """The paper scale with five seeds, finished by a stand-in that trains nothing."""
    study = Large(tmp_path_factory.mktemp("large"), 600)
    assert 600 <= study.runs() < 800
    study.finish()
    return study


@pytest.fixture
def put_back(large):
    kept = {path: path.read_text() for path in (large.folder / "src/gradcost").rglob("*.py")}
    kept |= {large.folder / name: (large.folder / name).read_text() for name in ("large.yaml",)}
    yield large
    for path, text in kept.items():
        if path.read_text() != text:
            path.write_text(text)


def trained(jobs: set[str]) -> set[str]:
    return {job for job in jobs if job.startswith("Training ")}


def test_a_finished_study_has_nothing_to_do(large):
    assert large.planned() == set()


def test_an_edit_of_one_estimator_invalidates_just_its_runs(put_back):
    svrg = put_back.folder / "src/gradcost/estimators/svrg.py"
    svrg.write_text(svrg.read_text() + "\nEXTRA = 1\n")
    jobs = put_back.planned()
    runs = trained(jobs)
    methods = {job.split()[3] for job in runs}
    # those of the audit are made of it
    assert methods == {
        f"{name}{how}" for name in ("zo-svrg", "fmad-svrg") for how in ("", "-published")
    }
    known = put_back.pipeline()
    of_svrg = [run for run in known.runs if run.method in methods]
    assert len(runs) == len(of_svrg)
    of_accuracy = [run for run in known.grids["accuracy"] if run.method in methods]
    assert len(of_accuracy) == len(known.study.seeds) * 2 * 7
    # a price follows from the code, what a run asks for does not make it run again
    assert not [job for job in jobs if job.startswith(("Forecasting", "Preparing", "Tokenising"))]


def test_a_new_forecast_trains_nothing_again(put_back):
    path = put_back.folder / "results/large/forecasts/llama-3.1-8b/boolq.json"
    path.write_text('{"zo-vanilla/default": {"peak_bytes": 1, "host_bytes": 2}}')
    assert put_back.planned() == set()


def test_a_record_that_is_gone_is_trained_again_and_the_plan_says_what_it_takes(large):
    run = next(r for r in large.pipeline().grids["accuracy"] if r.method == "fmad-multiple")
    path = large.folder / "results/large" / run.path / "record.json"
    text = path.read_text()
    path.unlink()
    try:
        said = large.snakemake("-n")
    finally:
        path.write_text(text)
    name = f"{run.model} {run.task} {run.method} {run.setting} seed {run.seed}"
    (minutes,) = re.findall(rf"Training {name}, (\d+) minutes of a GPU", said)
    (hours,) = re.findall(r"^1 runs to train: ([\d,]+) GPU hours", said, re.M)
    assert round(int(minutes) / 60) == int(hours.replace(",", ""))
