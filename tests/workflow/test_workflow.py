"""The workflow as its users call it: profiles, dry runs, bad configurations, outcomes."""

from __future__ import annotations

import subprocess
import sys

import pytest

from gradcost.study import config
from gradcost.study.pipeline import Pipeline
from tests.workflow.conftest import copy_project


def run(folder, *arguments, **environment):
    import os

    return subprocess.run(
        [sys.executable, "-m", "snakemake", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder / "src"), **environment},
        capture_output=True,
        text=True,
    )


@pytest.mark.xdist_group("fresh")
def test_the_slurm_profile_of_a_fresh_clone_is_the_repository_s_own_and_plans_the_paper(
    tmp_path_factory,
):
    folder = tmp_path_factory.mktemp("clone")
    copy_project(folder)
    # a profile of the user's own of that name must not be taken
    home = folder.parent / "home"
    (home / ".config/snakemake/slurm").mkdir(parents=True, exist_ok=True)
    (home / ".config/snakemake/slurm/config.yaml").write_text("executor: nonexistent\n")
    done = run(folder, "--profile", "slurm", "all", "-n", HOME=str(home))
    output = done.stdout + done.stderr
    assert done.returncode == 0, output[-3000:]
    assert "Using profile slurm" in output
    assert "reports/paper/report.pdf" in output
    jobs = dict(
        line.split() for line in output.splitlines() if line.startswith(("train ", "model "))
    )
    # MeZO's label words are for the three tasks with classes
    accuracy = (19 * 7 - 2 * 4) * 3
    known = Pipeline(config.read(folder / "config.yaml"))
    assert len(known.grids["accuracy"]) == accuracy
    assert jobs["train"] == str(len(known.reported))
    assert accuracy < len(known.reported) < 1000


@pytest.mark.xdist_group("fresh")
def test_the_local_profile_plans_the_demo(fresh):
    done = run(fresh.folder, "--profile", "local", "-n")
    assert done.returncode == 0, done.stderr[-3000:]
    output = done.stdout + done.stderr
    jobs = dict(
        line.split() for line in output.splitlines() if line.startswith(("train ", "data "))
    )
    assert jobs == {"train": str(19 * 2 * 3), "data": "2"}
    assert "learning-rates/seed" not in output
    assert "seed100" not in output


@pytest.mark.xdist_group("fresh")
def test_a_bad_configuration_stops_before_any_job(fresh):
    bad = fresh.folder / "bad.yaml"
    bad.write_text("hyperparameters: {zo: {agnews: {learning_rate: 1e-5}}}\n")
    output = fresh.snakemake("-n", "--configfile", "tiny.yaml", "bad.yaml", ok=False)
    assert "hyperparameters.zo.agnews.learning_rate = '1e-5'" in output
    assert "write 1.0e-5" in output
    assert "Traceback" not in output
    assert not (fresh.folder / "results/tiny").exists()


def test_no_command_of_a_rule_holds_a_value_of_the_configuration():
    """Snakemake compares the template of a shell command, not what is filled in."""
    from tests.workflow.conftest import ROOT

    for path in sorted((ROOT / "workflow/rules").glob("*.smk")):
        assert "{config" not in path.read_text(), path


@pytest.mark.xdist_group("outcomes")
def test_runs_that_diverge_or_run_out_of_memory_are_shown_and_the_study_goes_on(
    fresh, tmp_path_factory
):
    import shutil

    from gradcost.study import record
    from tests.workflow.conftest import Project, without_typesetting

    folder = tmp_path_factory.mktemp("outcomes") / "project"
    shutil.copytree(fresh.folder, folder, symlinks=True)
    project = Project(folder, folder / "tiny.yaml")
    without_typesetting(folder)
    # more than any estimate of the tiny model takes with a batch of one, and less than backprop's
    # with the paper's batch: found from the records of the costs themselves
    more = """
seeds: [0]
hardware: {memory_limit: 3.0e-4}
hyperparameters:
  bp-vanilla: {agnews: {batch_size: 32}}
  zo: {agnews: {batch_size: 2}}
  fmad: {agnews: {batch_size: 2, optimizer: sgd, weight_decay: 0.0, learning_rate: 1.0e+30}}
"""
    (folder / "more.yaml").write_text(more)
    project.snakemake("--configfile", "tiny.yaml", "more.yaml")
    found = {
        method: record.read(project.record(method, 0).parent)[0]
        for method in ("no-finetuning", "bp-vanilla", "zo-vanilla", "fmad-vanilla")
    }
    assert {method: one.outcome for method, one in found.items()} == {
        "no-finetuning": "completed",
        "bp-vanilla": "out-of-memory",
        "zo-vanilla": "completed",
        "fmad-vanilla": "diverged",
    }, {method: one.cost for method, one in found.items()}
    table = (folder / "reports/tiny/accuracy/accuracy.tex").read_text()
    assert "diverged" in table
    assert "out-of-memory" in table
