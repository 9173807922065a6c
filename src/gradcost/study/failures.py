"""What failed, and why: a digest of the jobs that ended without what they were to make.

A job that failed leaves two logs: its own, and under Slurm the one of its allocation, in which
Slurm has the last word on a job that it ended. Their text tells the kinds apart.
"""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gradcost.study import record
from gradcost.study.claim import holder
from gradcost.study.files import read_json
from gradcost.study.pipeline import CHECKPOINTS, Pipeline
from gradcost.study.runs import Run

# What Slurm's accounting says of a job that it ended itself.
_STATES = {
    "PREEMPTED": "preempted",
    "NODE_FAIL": "node failure",
    "TIMEOUT": "time limit",
    "OUT_OF_MEMORY": "host out of memory",
}
# In this order: what Slurm did to a job explains what the job itself could still say.
_KINDS = {
    "preempted": r"DUE TO PREEMPTION",
    "node failure": r"DUE TO NODE FAILURE",
    "time limit": r"DUE TO TIME LIMIT",
    "host out of memory": r"oom[-_ ]?kill|exceeded (job |step )?memory limit|^MemoryError"
    r"|DefaultCPUAllocator",
    "CUDA out of memory": r"CUDA out of memory|OutOfMemoryError|ran out of memory, and asks for",
    "disk full": r"No space left on device|Disk quota exceeded",
    "code changed": r"changed since this job was planned",
    "code error": r"^Traceback",
    "cancelled": r"CANCELLED AT|the run was asked to stop",
    "refused": r"^gradcost: ",
}
_QUEUED_AGAIN = re.compile(
    r"^.*CANCELLED AT.* DUE TO (?:PREEMPTION|NODE FAILURE|JOB REQUEUE).*$", re.MULTILINE
)
_KILLED = "killed"
"""The kind of a job that ended without a word, as by SIGKILL: most often, for the host's memory."""
# Of what is read and not computed, an error of Python's is most often about a file.
_DATA = (
    r"^(?:ValueError|\w*DataError|FileNotFoundError|OSError|KeyError|\S+Error: .*(?:download|hub))"
)
_READS = ("data", "model", "tokens")
_LINES = 5
_ANSI = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Failure:
    """A job that ended without its output.

    Attributes:
        job: its rule and what it was for.
        kind: as in the table at the top of this module, or `bad data`.
        said: its last lines.
        log: where the rest is.
        command: what runs it alone.
    """

    job: str
    kind: str
    said: list[str]
    log: str
    command: str


@dataclass(frozen=True)
class Digest:
    """The failures of a study, and what its runs came to.

    Attributes:
        failed: jobs that ended without their output.
        outcomes: of runs that did not complete, which is a result: run, outcome, reason.
    """

    failed: list[Failure]
    outcomes: list[tuple[str, str, str]]

    def text(self) -> str:
        """For a terminal."""
        parts = []
        for one in self.failed:
            lines = "\n".join(f"    | {line}" for line in one.said)
            parts.append(
                f"{one.kind}: {one.job}\n{lines}\n    log: {one.log}\n    alone: {one.command}"
            )
        if self.failed:
            counts = [one.kind for one in self.failed]
            kinds = ", ".join(f"{counts.count(kind)} {kind}" for kind in dict.fromkeys(counts))
            parts.append(f"{len(self.failed)} jobs failed: {kinds}.")
        if self.outcomes:
            parts.append("Outcomes, not failures; the report shows them:")
            parts += [f"    {run}: {outcome} ({why})" for run, outcome, why in self.outcomes]
        return "\n".join(parts) or "No job has failed."


def classify(rule: str, own: str, slurm: str = "", state: str = "") -> str:
    """The kind of a failure.

    Args:
        rule: of the job.
        own: its log.
        slurm: the log of its allocation, which holds its own too. If Slurm queued it again, what
            it said since then counts.
        state: what Slurm's accounting says of it.
    """
    if state in _STATES:
        return _STATES[state]
    *_, last = _QUEUED_AGAIN.split(slurm)
    text = _ANSI.sub("", f"{own}\n{last if last.strip() else slurm}")
    for kind, pattern in _KINDS.items():
        if re.search(pattern, text, re.MULTILINE | re.IGNORECASE):
            if kind == "code error" and rule in _READS and re.search(_DATA, text, re.MULTILINE):
                return "bad data"
            return kind
    return "cancelled" if state.startswith("CANCELLED") else _KILLED


def digest(pipeline: Pipeline, options: list[str], logs: Path = Path("logs")) -> Digest:
    """What of the study failed so far, and did not succeed later.

    Args:
        pipeline: of the study, in its folder.
        options: of Snakemake, that name profile and configuration.
        logs: the folder of logs.
    """
    return _Reader(pipeline, options, logs).read()


@dataclass(frozen=True)
class _Reader:
    pipeline: Pipeline
    options: list[str]
    logs: Path

    def read(self) -> Digest:
        failed = []
        for rule, names, output, log in self._jobs():
            if log.exists() and not Path(output).exists() and not self._under_way(rule, names):
                failed.append(self._failure(rule, names, output, log))
        outcomes = []
        for run in self.pipeline.runs:
            path = Path(self.pipeline.results, run.path, record.RECORD)
            if path.exists() and (found := read_json(path))["outcome"] != "completed":
                outcomes.append((run.path, found["outcome"], found["reason"] or ""))
        return Digest(failed, outcomes)

    def _jobs(self) -> Iterator[tuple[str, tuple[str, ...], str, Path]]:
        """Rule, wildcards, output and log of each job."""
        results, logs = self.pipeline.results, self.logs / self.pipeline.study.scale
        for task in self.pipeline.study.tasks:
            yield "data", (task,), f"{results}/data/{task}/manifest.json", logs / f"data/{task}.log"
        for model in self.pipeline.study.models:
            output = f"{results}/models/{model}/manifest.json"
            yield "model", (model,), output, logs / f"models/{model}.log"
        pairs = dict.fromkeys((run.model, run.task) for run in self.pipeline.runs)
        for model, task in pairs:
            for rule, folder, suffix in (
                ("tokens", "tokens", "/manifest.json"),
                ("forecast", "forecasts", ".json"),
            ):
                output = f"{results}/{folder}/{model}/{task}{suffix}"
                yield rule, (model, task), output, logs / folder / model / f"{task}.log"
        for run in self.pipeline.runs:
            names = (run.model, run.task, run.method, run.setting, str(run.seed))
            output = f"{results}/{run.path}/{record.RECORD}"
            log = logs / run.path.replace("runs/", "train/", 1)
            yield "train", names, output, log.with_name(f"{log.name}.log")
        for sheet in self.pipeline.study.accounting:
            output = f"{results}/accounting/{sheet}.json"
            yield "price", (sheet,), output, logs / f"accounting/{sheet}.log"
        for experiment in self.pipeline.standing:
            output = f"{results}/experiments/{experiment}/manifest.json"
            yield "aggregate", (experiment,), output, logs / f"aggregate/{experiment}.log"
            for path in self.pipeline.artefacts(experiment):
                rule = "table" if path.endswith(".tex") else "figure"
                log = logs / f"{rule}s" / experiment / f"{Path(path).stem}.log"
                if not path.endswith(".svg"):
                    yield rule, (experiment, Path(path).stem), path, log
        yield "report", (), f"{self.pipeline.reports}/report.pdf", logs / "report.log"

    def _under_way(self, rule: str, names: tuple[str, ...]) -> bool:
        if rule != "train":
            return False
        model, task, method, setting, seed = names
        run = Run(model, task, method, setting, int(seed))
        results = Path(self.pipeline.results)
        inputs = {
            "tokens": results / "tokens" / run.model / run.task / "manifest.json",
            "model": results / "models" / run.model / "manifest.json",
        }
        if not all(path.exists() for path in inputs.values()):
            return False
        plan = read_json(Path(self.pipeline.train_plan(run)))
        hashes = record.Inputs(**{name: record.content_hash(p) for name, p in inputs.items()})
        key = record.key(
            record.RunName(**plan["run"]), plan["spec"], plan["code"], plan["packages"], hashes
        )
        return holder(results / CHECKPOINTS / f"{key}.claim") is not None

    def _failure(self, rule: str, names: tuple[str, ...], output: str, log: Path) -> Failure:
        own = log.read_text(errors="replace")
        allocations = sorted(
            (self.logs / "slurm" / f"rule_{rule}" / "_".join(names)).glob("*.log"),
            key=lambda path: path.stat().st_mtime,
        )
        slurm = allocations[-1].read_text(errors="replace") if allocations else ""
        state = _state(allocations[-1].stem) if allocations else ""
        kind = classify(rule, own, slurm, state)
        # the log that says most: Slurm's, where the job itself could say nothing
        said = own if classify(rule, own) == kind or not slurm.strip() else slurm
        lines = [line.rstrip() for line in _ANSI.sub("", said).splitlines() if line.strip()]
        return Failure(
            job=" ".join([rule, *names]),
            kind=kind,
            said=lines[-_LINES:],
            log=str(log if said is own else allocations[-1]),
            command=shlex.join(["snakemake", *self.options, "--", output]),
        )


def _state(job: str) -> str:
    """What Slurm's accounting says of a job, if it has any."""
    command = ["sacct", "-X", "--noheader", "--parsable2", "--format=State", "-j", job]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()


def options(profile: str, overlays: list[str]) -> list[str]:
    """The options with which Snakemake works on config.yaml and overlays."""
    return ["--profile", profile, *(["--configfile", *overlays] if overlays else [])]
