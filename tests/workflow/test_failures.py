"""The digest of what failed, in a project."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from gradcost.study.failures import digest, options

TRACE = "Traceback (most recent call last):\n  File x.py, line 1\n"
SLURM = "slurmstepd: error: *** JOB 7 ON n1 CANCELLED AT 2026-11-25T10:00:00"


@pytest.mark.xdist_group("fresh")
def test_the_digest_names_log_and_command_of_each_failed_job(fresh, monkeypatch):
    from gradcost.study import config
    from gradcost.study.pipeline import Pipeline

    monkeypatch.chdir(fresh.folder)
    files = ["config.yaml", "tiny.yaml"]
    pipeline = Pipeline(config.read(*map(fresh.folder.joinpath, files)))
    assert digest(pipeline, []).text() == "No job has failed."
    log = fresh.folder / "logs/tiny/train/llama/agnews/zo-vanilla/default/seed1.log"
    log.parent.mkdir(parents=True)
    log.write_text("step 1\n\nstep 2\n" + "".join(f"line {i}\n" for i in range(9)))
    allocation = "logs/slurm/rule_train/llama_agnews_zo-vanilla_default_1"
    (fresh.folder / allocation).mkdir(parents=True)
    (fresh.folder / allocation / "12.log").write_text(f"step\n{SLURM} DUE TO TIME LIMIT ***\n")
    data = fresh.folder / "logs/tiny/data/agnews.log"
    data.parent.mkdir()
    data.write_text(f"{TRACE}ValueError: no column text\n")
    try:
        bad, late = digest(pipeline, options("slurm", files[1:])).failed
        assert (bad.job, bad.kind, bad.log) == (
            "data agnews",
            "bad data",
            str(data.relative_to(fresh.folder)),
        )
        assert bad.said[-1] == "ValueError: no column text"
        assert (late.job, late.kind) == ("train llama agnews zo-vanilla default 1", "time limit")
        assert late.log == f"{allocation}/12.log"
        record = "results/tiny/runs/llama/agnews/zo-vanilla/default/seed1/record.json"
        assert late.command == f"snakemake --profile slurm --configfile tiny.yaml -- {record}"
        shown = subprocess.run(
            [sys.executable, "-m", "gradcost", "failures", *files],
            env={**os.environ, **fresh.environment()}, capture_output=True, text=True,
        )  # fmt: skip
        assert shown.returncode == 1, shown.stderr
        assert "2 jobs failed: 1 bad data, 1 time limit." in shown.stdout
    finally:
        shutil.rmtree(fresh.folder / "logs")
