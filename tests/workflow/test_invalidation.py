"""What reruns after which change: exactly what must, and nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gradcost.study import config

pytestmark = pytest.mark.xdist_group("finished")

METHODS = ["no-finetuning", "bp-vanilla", "fmad-vanilla", "zo-vanilla"]
AGGREGATE = {"aggregate"}
FIGURES = {"figure learning-curves", "figure cost"}
TABLES = {f"table {n}" for n in ("accuracy", "cost", "hyperparameters", "provenance", "numbers")}
REPORT = {"report", "html"}


def made_of(folder: str, what: str) -> set[str]:
    """The tables and figures of prices, of the theory or of the claims."""
    return {
        f"{one} of {what} {name}"
        for one in ("table", "figure")
        for name in config.modules_of(f"{one}s", folder)
    }


CLAIMS = {"claims"} | made_of("claims", "claims")
DOWNSTREAM = AGGREGATE | FIGURES | TABLES | CLAIMS | REPORT
THEORY = {"theory"} | made_of("theory", "theory")  # and what it verifies: the estimators


def prices(*sheets: str) -> set[str]:
    """The sheets, and all that is made of any sheet."""
    return {f"price {name}" for name in sheets} | made_of("accounting", "prices")


def trains(*methods: str, seeds=(0, 1)) -> set[str]:
    return {f"train {method} {seed}" for method in methods for seed in seeds}


def test_a_finished_study_has_nothing_to_do(study):
    assert study.planned() == set()


@pytest.mark.parametrize(
    ("path", "old", "new", "expected"),
    [
        # what changes no number
        ("src/gradcost/training/run.py", "# only torch's", "# Only torch's", set()),
        ("src/gradcost/estimators/forward_mode.py", '"""The forward gradient', '"""A', set()),
        ("src/gradcost/tables/cost.py", '"""', '"""Reworded. ', set()),
        ("src/gradcost/cli/app.py", "no_args_is_help=True", "no_args_is_help=False", set()),
        ("tiny.yaml", "label: Llama", "label: 'Llama' # with a comment", set()),
        # one figure, one table
        (
            "src/gradcost/figures/cost.py",
            "",
            "\nEXTRA = 1\n",
            {"figure cost"} | REPORT,
        ),
        (
            "src/gradcost/tables/accuracy.py",
            "",
            "\nEXTRA = 1\n",
            {"table accuracy"} | REPORT,
        ),
        ("reports/report.tex", "\\maketitle", "\\maketitle %", REPORT),
        ("reports/parts/cost.tex", "", "% more", REPORT),
        # one estimator
        (
            "src/gradcost/estimators/forward_mode.py",
            "jvp.reshape(1)",
            "(1 * jvp).reshape(1)",
            trains("fmad-vanilla") | prices("llama-3.1-8b", "directions") | THEORY | DOWNSTREAM,
        ),
        # what all estimators that draw share, and backprop does not
        (
            "src/gradcost/estimators/directions.py",
            "for name in sorted(params):\n            start",
            "for name in sorted(list(params)):\n            start",
            trains("fmad-vanilla", "zo-vanilla")
            | prices("llama-3.1-8b", "directions", "rank", "wide", "deep") | THEORY | DOWNSTREAM,
        ),
        (
            "src/gradcost/training/loop.py",
            "progress.step + 1",
            "1 + progress.step",
            trains(*METHODS) | DOWNSTREAM,
        ),
        # one method's setting
        ("tiny.yaml", "1.0e-2", "2.0e-2", trains("bp-vanilla") | DOWNSTREAM),
        ("tiny.yaml", "steps: 4", "steps: 6", trains(*METHODS[1:]) | DOWNSTREAM),
        ("tiny.yaml", "seeds: [0, 1]", "seeds: [0, 1, 2]",
         trains(*METHODS, seeds=[2]) | DOWNSTREAM),  # fmt: skip
        ("tiny.yaml", "label: Llama", "label: LLaMA", DOWNSTREAM),
        ("tiny.yaml", "length: 8", "length: 9",
         {"tokens"} | trains(*METHODS) | DOWNSTREAM),  # fmt: skip
        (
            "src/gradcost/tasks/agnews.py",
            "found[\"test\"][0::2]",
            "found[\"test\"][::2]",
            {"data", "tokens"} | trains(*METHODS) | DOWNSTREAM,
        ),
    ],
)  # fmt: skip
def test_an_edit_reruns_just_what_depends_on_it(study, path, old, new, expected):
    study.edit(path, old, new)
    assert study.planned() == expected


def test_touched_sources_rerun_nothing(study):
    for path in (study.folder / "src").rglob("*.py"):
        path.touch()
    for path in (study.folder / "results").rglob("manifest.json"):
        path.touch()
    (study.folder / "config.yaml").touch()
    assert study.planned() == set()


def test_a_moved_or_emptied_cache_reruns_nothing(study, monkeypatch, tmp_path):
    monkeypatch.setenv("GRADCOST_CACHE", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "nowhere"))
    assert study.planned() == set()
    plans = study.folder / "results/tiny/plans"
    shutil.move(plans, tmp_path / "plans")
    assert study.planned() == set()


def test_a_package_upgraded_in_place_retrains(study, monkeypatch, tmp_path):
    """Snakemake alone does not see what a virtual environment holds."""
    fake = tmp_path / "site" / "peft-99.0.dist-info"
    fake.mkdir(parents=True)
    (fake / "METADATA").write_text("Metadata-Version: 2.1\nName: peft\nVersion: 99.0\n")
    original = type(study).environment

    def environment(self):
        found = original(self)
        return {**found, "PYTHONPATH": f"{tmp_path / 'site'}:{found['PYTHONPATH']}"}

    monkeypatch.setattr(type(study), "environment", environment)
    sheets = ("llama-3.1-8b", "opt-13b", "depth", "directions", "rank", "wide", "deep")
    assert study.planned() == trains(*METHODS) | prices(*sheets) | DOWNSTREAM


def test_a_record_that_is_gone_is_trained_again_and_no_other(study):
    path = study.record("zo-vanilla", 1)
    before = {p: p.stat().st_mtime_ns for p in path.parents[3].rglob("record.json")}
    whole = path.read_text()
    path.unlink()
    assert study.planned() == trains("zo-vanilla", seeds=[1]) | DOWNSTREAM
    study.snakemake()
    after = {p: p.stat().st_mtime_ns for p in path.parents[3].rglob("record.json")}
    assert [p for p in before if before[p] != after[p]] == [path]
    from gradcost.study.record import Record, without_timings

    first, second = (Record.model_validate_json(text) for text in (whole, path.read_text()))
    assert without_timings(first) == without_timings(second)
    assert study.planned() == set()


def test_code_edited_while_a_job_waits_fails_the_job_with_the_reason(study):
    """The record of the old code must not come from the new."""
    for seed in (0, 1):
        study.record("fmad-vanilla", seed).unlink()
    (study.folder / "results/tiny/experiments/accuracy/manifest.json").touch()
    command = [*study.command("--jobs", "1"), *map(str, [
        study.record("fmad-vanilla", seed).relative_to(study.folder) for seed in (0, 1)
    ])]  # fmt: skip
    with subprocess.Popen(
        command,
        cwd=study.folder,
        env=study.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as running:
        log = study.folder / "logs/tiny/train/llama/agnews/fmad-vanilla/default"
        for old in log.glob("*"):
            old.unlink()
        deadline = time.monotonic() + 60
        while not list(log.glob("*")) and time.monotonic() < deadline:
            time.sleep(0.01)
        study.edit(
            "src/gradcost/estimators/forward_mode.py",
            "jvp.reshape(1)",
            "(2 * jvp).reshape(1)",
        )
        output, _ = running.communicate(timeout=120)
    assert running.returncode != 0
    assert "the code has changed since this job was planned" in output
    assert "estimators/forward_mode.py" in output
    left = [seed for seed in (0, 1) if study.record("fmad-vanilla", seed).exists()]
    assert len(left) < 2
    # planned anew with the old code again, the rest is done and nothing else
    study.edit(
        "src/gradcost/estimators/forward_mode.py",
        "(2 * jvp).reshape(1)",
        "jvp.reshape(1)",
    )
    missing = [seed for seed in (0, 1) if seed not in left]
    assert study.planned() == trains("fmad-vanilla", seeds=missing) | DOWNSTREAM
    study.snakemake()
    assert study.planned() == set()


def test_the_reason_why_a_job_runs_again_can_be_asked_for(study):
    study.edit("tiny.yaml", "1.0e-2", "2.0e-2")
    output = study.snakemake("-n")
    reason = next(line for line in output.splitlines() if "bp-vanilla" not in line
                  and "Params have changed" in line)  # fmt: skip
    plans = sorted({word.strip("'\"(),[]{}<>") for word in reason.split() if "plans/" in word})
    assert len(plans) == 2
    done = subprocess.run(
        [sys.executable, "-m", "gradcost", "why", *plans],
        cwd=study.folder,
        env=study.environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert "spec: hyperparameters: learning_rate: " in done.stdout
    assert len(done.stdout.splitlines()) == 1


def test_two_seeds_share_nothing_random_and_two_methods_of_a_seed_do(study):
    from gradcost.study import record

    first = {
        (method, seed): record.read(study.record(method, seed).parent)
        for method in METHODS
        for seed in (0, 1)
    }

    def start(method: str, seed: int) -> float:
        found, history = first[method, seed]
        if method == "no-finetuning":
            return found.validation.loss
        return history.to_pydict()["validation_loss"][0]

    assert len({start(method, 0) for method in METHODS}) == 1
    assert start("bp-vanilla", 0) != start("bp-vanilla", 1)


def test_the_static_closure_is_all_that_a_run_imports(study, tmp_path):
    """A module imported in a way that no import statement shows would escape the fingerprint."""
    import json

    record = json.loads(study.record("fmad-vanilla", 0).read_text())
    folder = study.folder / "results/tiny/plans"
    shutil.rmtree(folder)  # other tests left plans of edited code, some of the same spec
    assert study.planned() == set()
    plans = [json.loads(p.read_text()) for p in folder.glob("*")]
    plan = next(p for p in plans if p.get("spec") == record["spec"])
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    code = """
import sys
from gradcost.cli import app
try:
    app(sys.argv[1:])
except SystemExit as end:
    assert not end.code, end.code
for module in list(sys.modules.values()):
    if (getattr(module, "__name__", "")).split(".")[0] == "gradcost":
        print("IMPORTED", module.__file__)
"""
    inputs = study.folder / "results/tiny"
    done = subprocess.run(
        [sys.executable, "-c", code, "train", "--plan", str(tmp_path / "plan.json"),
         "--tokens", str(inputs / "tokens/llama/agnews/manifest.json"),
         "--model", str(inputs / "models/llama/manifest.json"),
         "--out", str(tmp_path / "run/record.json"), "--checkpoints", str(tmp_path)],
        cwd=study.folder, env=study.environment(), capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    source = study.folder / "src/gradcost"
    imported = {
        Path(line.split()[1]).relative_to(source).as_posix()
        for line in done.stdout.splitlines()
        if line.startswith("IMPORTED")
    }
    # what reads the command line and checks the plan touches no number
    shell = {"warm.py", "study/pipeline.py", "study/config.py", "study/runs.py",
             "study/estimator_settings.py", "study/fingerprint.py",
             "study/architectures/__init__.py", "study/nearest.py",
             "study/small.py", "study/devices.py"}  # fmt: skip
    commands = {name for name in imported if name.startswith("cli/")}
    assert imported - shell - commands <= set(plan["code"])
    assert os.path.exists(tmp_path / "run/record.json")
