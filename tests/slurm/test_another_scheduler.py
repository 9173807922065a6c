"""Through another scheduler, by Snakemake's plugin for any that has a command to submit."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from tests.slurm.test_faults import OVERLAY, STEPS, Study
from tests.workflow.conftest import copy_project

pytestmark = [pytest.mark.slurm, pytest.mark.xdist_group("slurm")]


def test_task_spooler_runs_a_study(news_folder, llama_folder, tmp_path, monkeypatch):
    folder = tmp_path / "project"
    copy_project(folder)
    text = OVERLAY.replace("NEWS", str(news_folder)).replace("LLAMA", str(llama_folder))
    (folder / "faulty.yaml").write_text(text.replace(f"steps: {STEPS}", "steps: 4"))
    monkeypatch.setenv("TS_SOCKET", str(tmp_path / "spooler"))
    study = Study(folder)
    assert study.run(profile="local").returncode == 0
    expected = study.records()
    shutil.rmtree(folder / "results")
    shutil.rmtree(folder / ".snakemake")
    try:
        done = study.run(
            "--executor", "cluster-generic", "--cluster-generic-submit-cmd", "tsp",
            "--jobs", "2", "--latency-wait", "10", profile="local",
        )  # fmt: skip
        assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
        listed = subprocess.run(["tsp"], capture_output=True, text=True, check=True).stdout
        assert listed.count("finished") == 3, listed  # what is fetched is fetched here
    finally:
        subprocess.run(["tsp", "-K"], check=True)
    assert study.records() == expected
