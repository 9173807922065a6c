"""A study of as many runs as one likes, finished without training: what plans cost at scale.

    python -m tests.workflow.large 600 2000 10000

prints how long Snakemake takes to plan a study of so many runs from nothing, and to find that a
finished one needs nothing. Every output is a stand-in, and Snakemake is told that it made it.
"""

from __future__ import annotations

import cProfile
import json
import os
import pstats
import resource
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from gradcost.study import config
from gradcost.study.pipeline import Pipeline
from tests.workflow.conftest import copy_project, without_typesetting

OPTIONS = ("--cores", "2", "--configfile", "large.yaml")
# after each file that it touches, Snakemake sleeps for the tenth of a second
_WITHOUT_PAUSES = (
    "-c",
    "from snakemake.executors import touch; touch.Executor.SLEEPING_TIME = 0; "
    "from snakemake.cli import main; main()",
)


class Large:
    """The paper scale, with enough seeds for so many runs, in a copy of the project."""

    def __init__(self, folder: Path, runs: int) -> None:
        self.folder = folder
        copy_project(folder)
        without_typesetting(folder)
        self.seeds(1)
        for_one_seed = self.runs()
        self.seeds(-(-runs // for_one_seed))

    def seeds(self, number: int) -> None:
        seeds = ", ".join(map(str, range(number)))
        (self.folder / "large.yaml").write_text(f"scale: large\nseeds: [{seeds}]\n")

    def pipeline(self) -> Pipeline:
        return Pipeline(config.read(self.folder / "config.yaml", self.folder / "large.yaml"))

    def runs(self) -> int:
        return len(self.pipeline().reported)

    def snakemake(self, *options: str, program: tuple[str, ...] = ("-m", "snakemake")) -> str:
        done = subprocess.run(
            [sys.executable, *program, *OPTIONS, *options],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(self.folder / "src")},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
        return done.stdout + done.stderr

    def finish(self) -> None:
        """Make stand-ins of all outputs, and have Snakemake note that it made them."""
        known = self.pipeline()
        runs = known.reported
        results = known.results
        paths = {f"{results}/data/{run.task}/manifest.json" for run in runs}
        paths |= {f"{results}/models/{run.model}/manifest.json" for run in runs}
        paths |= {f"{results}/tokens/{run.model}/{run.task}/manifest.json" for run in runs}
        paths |= {f"{results}/forecasts/{run.model}/{run.task}.json" for run in runs}
        for run in runs:
            paths |= {f"{results}/{run.path}/{name}" for name in ("record.json", "history.parquet")}
        for name in known.standing:
            paths |= {f"{results}/experiments/{name}/manifest.json", *known.artefacts(name)}
        paths |= {*known.computed, *known.accounting_artefacts, *known.theory_artefacts}
        paths |= {known.claims, *known.claims_artefacts}
        paths |= {
            f"{known.reports}/{name}" for name in ("contents.tex", "report.pdf", "report.html")
        }
        sizes = {"splits": {name: {"examples": 1000} for name in ("train", "validation", "test")}}
        for path in paths:
            (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / path).write_text(json.dumps(sizes if "/data/" in path else {}))
        self.snakemake("--touch", "--forceall", program=_WITHOUT_PAUSES)

    def planned(self) -> set[str]:
        """The jobs that a dry run lists, in the words of their rules."""
        lines = self.snakemake("-n").splitlines()
        return {line.partition(": ")[2] for line in lines if line.startswith("Job ")}


def _timed(study: Large, *options: str) -> float:
    """Seconds of the processor, which other work beside it does not change much."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    study.snakemake(*options)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main(sizes: list[int]) -> None:
    """Print the times of studies of these sizes, and where the time of the last goes."""
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            study = Large(Path(folder), size)
            fresh = _timed(study, "-n")
            study.finish()
            print(
                f"{study.runs():6} runs: {fresh:6.1f} s to plan from nothing, "
                f"{_timed(study, '-n'):6.1f} s to find nothing to do",
                flush=True,
            )
            if size == sizes[-1]:
                _profile(study)


def _profile(study: Large) -> None:
    """Where the time goes of finding that there is nothing to do."""
    os.chdir(study.folder)
    from snakemake.cli import main as snakemake

    profile = cProfile.Profile()
    with suppress(SystemExit):
        profile.runcall(snakemake, [*OPTIONS, "-n"])
    pstats.Stats(profile).sort_stats("cumulative").print_stats(r"gradcost|snakemake|posix", 40)


if __name__ == "__main__":
    main([int(size) for size in sys.argv[1:]] or [600, 2000, 10000])
