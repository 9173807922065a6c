"""A copy of the project with a study of seconds in it, run once through Snakemake."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

OVERLAY = """
scale: tiny
seeds: [0, 1]
hardware: {{device: cpu, threads: 1}}
tasks:
  agnews:
    source: {{folder: {news}}}
    examples: {{train: 60, validation: 16, test: 16}}
    length: 8
    steps: 4
    evaluate_every: 2
models:
  llama:
    label: Llama
    source: {{folder: {llama}}}
hyperparameters:
  bp-vanilla: {{agnews: {{learning_rate: 1.0e-2}}}}
report: [accuracy]
experiments:
  accuracy:
    models: [llama]
    tasks: [agnews]
    methods: [no-finetuning, bp-vanilla, fmad-vanilla, zo-vanilla]
    tables: [accuracy, cost, hyperparameters, provenance, numbers]
    figures: [learning-curves, cost]
accounting:
  llama-3.1-8b: &tiny
    architecture: {llama}/config.json
    batch: 2
    length: 8
    methods: [bp-vanilla, zo-vanilla, fmad-vanilla]
  opt-13b: {{<<: *tiny, methods: [bp-vanilla]}}
  depth: {{<<: *tiny, layers: [1, 2], methods: [bp-vanilla]}}
  directions: {{<<: *tiny, layers: [1], directions: [1, 2], methods: [fmad-multiple]}}
  rank: {{<<: *tiny, layers: [1], ranks: [1, 2], methods: [zo-vanilla]}}
  wide: {{<<: *tiny, methods: [zo-vanilla]}}
  deep: {{<<: *tiny, methods: [zo-vanilla]}}
"""


# what the rules say of a job -> the job in short
MESSAGES = {
    r"Preparing the data of agnews": "data",
    r"Making the model llama available": "model",
    r"Tokenising agnews for llama": "tokens",
    r"Training llama agnews (\S+) default seed (\d+)": "train",
    r"Gathering the records of accuracy": "aggregate",
    r"Drawing (\S+) of accuracy": "figure",
    r"Writing the table (\S+) of accuracy": "table",
    r"Pricing (\S+)": "price",
    r"Drawing (\S+) of the accounting": "figure of prices",
    r"Writing the table (\S+) of the accounting": "table of prices",
    r"Verifying the lemmas and theorems": "theory",
    r"Drawing (\S+) of the theory": "figure of theory",
    r"Writing the table (\S+) of the theory": "table of theory",
    r"Judging the claims": "claims",
    r"Writing the table (\S+) of the claims": "table of claims",
    r"Writing what the report is of": "contents",
    r"Typesetting reports/tiny/report.pdf": "report",
    r"Making the page reports/tiny/report.html": "html",
}


@dataclass(frozen=True)
class Project:
    """A copy of the project."""

    folder: Path
    overlay: Path

    def environment(self) -> dict[str, str]:
        """The copy's own sources come before the installed ones."""
        own = {"PYTHONPATH": str(self.folder / "src"), "OMP_NUM_THREADS": "1"}
        return {**os.environ, **own}

    def command(self, *arguments: str) -> list[str]:
        overlay = str(self.overlay)
        program = [sys.executable, "-m", "snakemake", "--cores", "2", "--configfile", overlay]
        return [*program, "--show-failed-logs", *arguments]

    def snakemake(self, *arguments: str, ok: bool = True) -> str:
        """Run Snakemake in the copy; its output."""
        done = subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
        )
        output = done.stdout + done.stderr
        assert (done.returncode == 0) is ok, output[-6000:]
        return output

    def planned(self) -> set[str]:
        """The jobs of a dry run, in short: `train bp-vanilla 0`, `figure cost`, `report`."""
        output = self.snakemake("-n")
        jobs = set()
        for line in output.splitlines():
            for pattern, job in MESSAGES.items():
                if found := re.fullmatch(rf"Job \d+: {pattern}", line.strip()):
                    jobs.add(" ".join([job, *found.groups()]))
        assert jobs or "Nothing to be done" in output, output
        return jobs

    def edit(self, path: str, old: str, new: str) -> None:
        """Replace text in a file of the copy, once; without old text, add to its end."""
        file = self.folder / path
        text = file.read_text()
        assert old in text, f"{path} has no {old!r}"
        file.write_text(text.replace(old, new, 1) if old else text + new)

    def record(self, method: str, seed: int) -> Path:
        return (
            self.folder / f"results/tiny/runs/llama/agnews/{method}/default/seed{seed}/record.json"
        )


def copy_project(folder: Path) -> None:
    """The files that git has or would have, as they are now."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        source, target = ROOT / name, folder / name
        if source.is_symlink() or source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target, follow_symlinks=False)


def without_typesetting(folder: Path) -> None:
    """The PDF and the page are other tests' subject: here stand-ins take their place."""
    (folder / "envs/typeset.sh").write_text("#!/bin/sh\ntouch $1\n")
    page = "import pathlib, sys\n\npathlib.Path(sys.argv[-1]).touch()\n"
    (folder / "src/gradcost/report/__main__.py").write_text(page)


@pytest.fixture(scope="session")
def fresh(tmp_path_factory, news_folder, llama_folder) -> Project:
    """A copy in which nothing has run."""
    folder = tmp_path_factory.mktemp("fresh")
    copy_project(folder)
    overlay = folder / "tiny.yaml"
    overlay.write_text(OVERLAY.format(news=news_folder, llama=llama_folder))
    return Project(folder, overlay)


@pytest.fixture(scope="session")
def finished(fresh, tmp_path_factory) -> Project:
    """A copy whose study has run, all but the PDF; tests put back what they change."""
    folder = tmp_path_factory.mktemp("finished") / "project"
    shutil.copytree(fresh.folder, folder, symlinks=True)
    without_typesetting(folder)
    project = Project(folder, folder / "tiny.yaml")
    project.snakemake()
    return project


@pytest.fixture
def study(finished, request):
    """The finished study, with all sources put back afterwards, and nothing that was made."""
    made = finished.folder / "reports/tiny"
    kept = {
        path: path.read_bytes()
        for path in finished.folder.rglob("*")
        if path.is_file()
        and path.suffix in {".py", ".yaml", ".smk", ".tex"}
        and "results" not in path.relative_to(finished.folder).parts[:1]
        and made not in path.parents
    }
    yield finished
    for path, content in kept.items():
        if not path.exists() or path.read_bytes() != content:
            path.write_bytes(content)
