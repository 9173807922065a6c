"""The digest of what failed, in a project."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gradcost import at_work
from gradcost.study import config
from gradcost.study.claim import holder
from gradcost.study.failures import digest, options
from gradcost.study.pipeline import Pipeline
from tests.workflow.conftest import ROOT

TRACE = "Traceback (most recent call last):\n  File x.py, line 1\n"
SLURM = "slurmstepd: error: *** JOB 7 ON n1 CANCELLED AT 2026-11-25T10:00:00"


@pytest.mark.xdist_group("fresh")
def test_the_digest_names_log_and_command_of_each_failed_job(fresh, monkeypatch):
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


def logs_of_rules() -> dict[str, str]:
    """The log of each rule that has one, as it is in the rule; of all files, included or not."""
    found = {}
    for path in (ROOT / "workflow/rules").glob("*.smk"):
        _, *parts = re.split(r"^rule (\w+):$", path.read_text(), flags=re.MULTILINE)
        for name, body in zip(parts[::2], parts[1::2], strict=True):
            if log := re.search(r"^    log:\n        f\"(.+)\",$", body, re.MULTILINE):
                found[name] = log[1]
            else:
                assert "log:" not in body, f"the log of {name} is written in another way"
    return found


@pytest.fixture
def laptop(tmp_path, monkeypatch) -> Pipeline:
    """The study of a scale that has jobs of all rules, in a folder of nothing."""
    monkeypatch.chdir(tmp_path)
    return Pipeline(config.read(ROOT / "config.yaml", ROOT / "workflow/scales/laptop.yaml"))


def fill(log: str, known: Pipeline) -> Path:
    """Where a job of the rule has its log."""
    run, screened = known.runs[0], "accuracy"
    values = {
        "{LOGS}": f"logs/{known.study.scale}",
        "{RUN}": f"{run.model}/{run.task}/{run.method}/{run.setting}/seed{run.seed}",
        "{{model}}": run.model,
        "{{task}}": run.task,
        "{{sheet}}": next(iter(known.study.accounting)),
        "{{experiment}}": screened,
    }
    folder, kind = log.split("/")[1:3] if log.count("/") > 2 else ("", "")
    paths = known.artefacts(screened)
    if kind in ("accounting", "theory", "claims"):
        paths = getattr(known, f"{kind}_artefacts")
    suffix = ".tex" if folder == "tables" else ".pdf"
    # rules without such artefacts have no name either
    values["{{name}}"] = next((Path(p).stem for p in paths if p.endswith(suffix)), "")
    for wildcard, value in values.items():
        log = log.replace(wildcard, value)
    path = Path(log)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


@pytest.mark.parametrize("published", [False, True])
def test_no_rule_that_has_a_log_is_forgotten(laptop, published):
    screened = laptop.study.experiments["accuracy"].model_copy(update={"screening": "rates.csv"})
    experiments = {**laptop.study.experiments, "accuracy": screened}
    study = laptop.study.model_copy(update={"published": published, "experiments": experiments})
    rules = logs_of_rules()
    for log in rules.values():
        fill(log, laptop).write_text(f"{TRACE}KeyError: 'x'\n")
    found = digest(Pipeline(study), []).failed
    computing = set("data model tokens forecast train price theory".split())
    absent = computing if published else {"unpack"}
    assert {one.job.split()[0] for one in found} == rules.keys() - absent
    assert len(found) == len(rules) - len(absent)


SNAKEMAKE = """
import sys
from gradcost import at_work
at_work.begin(sys.argv[1])
print("at work", flush=True)
sys.stdin.read()
"""


def test_what_a_snakemake_still_works_on_has_not_failed(laptop):
    logs = Path("logs/laptop")
    model = next(iter(laptop.study.models))
    silent, broken = logs / f"models/{model}.log", logs / "theory.log"
    silent.parent.mkdir(parents=True)
    silent.write_text("Fetching 12 files: 30%")
    broken.write_text(f"{TRACE}KeyError: 'x'\n")
    run = laptop.runs[0]
    trained = logs / f"train/{run.path.removeprefix('runs/')}.log"
    trained.parent.mkdir(parents=True)
    trained.write_text("step 3/9")  # no process has the claim of the run: it was killed
    kinds = {f"model {model}": "killed", "theory": "code error"}

    def found() -> dict[str, str]:
        return {one.job: one.kind for one in digest(laptop, []).failed}

    kinds[next(job for job in found() if job.startswith("train"))] = "killed"
    assert found() == kinds
    other = subprocess.Popen(
        [sys.executable, "-c", SNAKEMAKE, laptop.results],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with other:
        assert other.stdout.readline() == "at work\n"
        during = found()
        other.stdin.close()
    assert during == {job: kind for job, kind in kinds.items() if not job.startswith("model")}
    assert found() == kinds


@pytest.mark.parametrize("job", ["", "7"])
def test_a_snakemake_that_says_at_its_end_what_failed_is_no_longer_at_work(
    laptop, monkeypatch, job
):
    monkeypatch.setenv("SLURM_JOB_ID", job)  # it may run in a job of Slurm itself
    silent = Path(f"logs/laptop/models/{next(iter(laptop.study.models))}.log")
    silent.parent.mkdir(parents=True)
    silent.write_text("Fetching 12 files: 30%")
    at_work.begin(laptop.results)
    try:
        assert holder(Path(laptop.results, "snakemake.claim"))
        assert [one.kind for one in digest(laptop, []).failed] == ["killed"]
    finally:
        at_work.end(laptop.results)
        at_work._lock.release()


def test_what_sbatch_said_is_read_until_a_later_job_was_submitted(laptop):
    log = Path("logs/laptop/theory.log")
    log.parent.mkdir(parents=True)
    log.touch()
    said = "sbatch: error: Batch job submission failed: Invalid account"
    folder = Path("logs/slurm/rule_theory")
    folder.mkdir(parents=True)
    refused, allocation = folder / "refused.log", folder / "12.log"
    refused.write_text(f"{said}\n")
    allocation.write_text(f"{SLURM} DUE TO TIME LIMIT ***\n")
    os.utime(allocation, (1, 1))
    (found,) = digest(laptop, []).failed
    assert (found.kind, found.said, found.log) == ("refused by Slurm", [said], str(refused))
    os.utime(refused, (0, 0))
    (found,) = digest(laptop, []).failed
    assert (found.kind, found.log) == ("time limit", str(allocation))
