"""`gradcost plan --study`: what is still to do, why, and what it will cost."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from gradcost.planning.study_ahead import _Ahead
from gradcost.study import config as configuration
from gradcost.study import record, runs

pytestmark = pytest.mark.xdist_group("finished")


def ahead(project, *arguments: str) -> dict:
    """The answer for the copy, with whatever its overlay says."""
    command = [sys.executable, "-m", "gradcost", "plan", "--study", "--json", "--config",
               "config.yaml", "--config", str(project.overlay), *arguments]  # fmt: skip
    done = subprocess.run(
        command, cwd=project.folder, env=project.environment(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_finished_study_has_nothing_to_do(study):
    found = ahead(study)
    assert found["rows"] == []
    assert found["runs"] == 8
    assert found["flops"] == 0


def test_what_is_to_do_is_told_with_its_reason_and_the_cost_that_it_will_have(study):
    study.edit("tiny.yaml", "seeds: [0, 1]", "seeds: [0, 1, 2]")
    found = ahead(study, "--rate", "2TFLOPS")
    rows = {row["method"]: row for row in found["rows"]}
    assert sorted(rows) == ["bp-vanilla", "fmad-vanilla", "no-finetuning", "zo-vanilla"]
    for method, row in rows.items():
        assert (row["seed"], row["why"]) == (2, "no record")
        assert row["hours"] == row["flops"] / 2e12 / 3600
        # the same method's run of another seed is there to compare with
        done, _ = record.read(study.record(method, 0).parent)
        batch = done.spec["hyperparameters"]["batch_size"] if done.steps else 1
        looks = 1 + done.steps // 2
        evaluated = looks * done.validation.examples + done.test.examples
        expected = done.steps * done.cost.step_flops
        expected += evaluated * done.cost.forward_flops / batch
        assert row["steps"] == done.steps
        assert row["flops"] == pytest.approx(expected, rel=1e-9)
    assert found["flops"] == sum(row["flops"] for row in rows.values())
    assert found["disk_bytes"]["records"] > 0
    standing = [one for one in found["sources"] if not one["on_request"]]
    assert [(one["what"], one["prepared"]) for one in standing] == [("model", True), ("task", True)]
    # of the study that this one is laid over
    asked = {one["name"]: one for one in found["sources"] if one["on_request"]}
    assert {"bert-base", "opt-13b", "boolq"} <= set(asked)
    assert not any(one["prepared"] for one in asked.values())
    assert asked["opt-13b"]["bytes"] == pytest.approx(25.7e9, rel=0.01)


def test_an_edit_names_the_file_and_a_setting_its_key(study):
    study.edit("src/gradcost/estimators/forward_mode.py", "jvp.reshape(1)", "(1 * jvp).reshape(1)")
    study.edit("tiny.yaml", "1.0e-2", "2.0e-2")
    whys = {row["method"]: row["why"] for row in ahead(study)["rows"]}
    assert whys == {
        "bp-vanilla": "changed settings (hyperparameters.learning_rate)",
        "fmad-vanilla": "changed code (estimators/forward_mode.py)",
    }


def test_without_a_rate_the_study_s_own_runs_give_it(study):
    study.edit("tiny.yaml", "1.0e-2", "2.0e-2")
    found = ahead(study)
    assert found["rate_of"] == "reached by the study's own runs"
    assert found["hours"] > 0


def test_the_paper_scale_names_every_source_its_revision_and_its_size(tmp_path):
    study = configuration.load(yaml.safe_load(Path("config.yaml").read_text()))
    wanted = [run for grid in runs.plan(study).values() for run in grid]
    found = {one["name"]: one for one in _Ahead(study, tmp_path, wanted).sources()}
    assert set(found) == {run.model for run in wanted} | {run.task for run in wanted}
    for name, one in found.items():
        assert one["prepared"] is False
        if name != "vqav2":  # which the files of a website are, without versions
            assert re.fullmatch("[0-9a-f]{40}", one["version"]), name
    assert found["llama-3.1-8b"]["bytes"] == pytest.approx(16.06e9, rel=1e-3)
    assert found["vqav2"]["place"] == "images.cocodataset.org, s3.amazonaws.com"
    unknown = {name for name, one in found.items() if one["bytes"] is None}
    assert unknown == set()


def test_what_is_only_on_request_is_listed_and_marked_so(tmp_path):
    study = configuration.load(yaml.safe_load(Path("config.yaml").read_text()))
    grids = runs.plan(study)
    standing = grids["accuracy"]
    asked = {run for grid in grids.values() for run in grid} - set(standing)
    found = _Ahead(study, tmp_path, standing).sources(standing, asked)
    marked = [one["name"] for one in found if one["on_request"]]
    assert marked == sorted(set(study.models) - {"llama-3.1-8b", "qwen2-vl-7b"})
    assert len(found) == len(study.models) + len(study.tasks)
    # nothing is to do: what standing runs have needed is not called on request
    again = _Ahead(study, tmp_path, []).sources(standing, asked)
    assert [one["name"] for one in again] == marked


def test_what_a_source_takes_on_disk_changes_no_run():
    config = yaml.safe_load(Path("config.yaml").read_text())
    before = runs.data_spec(configuration.load(config), "gsm8k")
    config["tasks"]["gsm8k"]["source"]["gigabytes"] = 7.0
    assert runs.data_spec(configuration.load(config), "gsm8k") == before


def test_a_study_that_cannot_be_planned_says_what_snakemake_says(study, tmp_path):
    (study.folder / "Snakefile").write_text("this is no Snakefile\n")
    command = [sys.executable, "-m", "gradcost", "plan", "--study"]
    done = subprocess.run(
        command, cwd=study.folder, env=study.environment(), capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "Snakemake cannot plan the study" in done.stderr
    assert "Traceback" not in done.stderr
