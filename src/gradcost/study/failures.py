"""What failed, and why: a digest of the jobs that ended without what they were to make.

A job that failed leaves two logs: its own, and under Slurm the one of its allocation, in which
Slurm has the last word on a job that it ended. Their text tells the kinds apart.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gradcost.study import out_of_memory, record
from gradcost.study.claim import holder, signature
from gradcost.study.files import read_json
from gradcost.study.pipeline import CHECKPOINTS, SNAKEMAKE, Pipeline
from gradcost.study.runs import Run

# What Slurm's accounting says of a job that it ended itself.
_STATES = {
    "PREEMPTED": "preempted",
    "NODE_FAIL": "node failure",
    "BOOT_FAIL": "node failure",
    "TIMEOUT": "time limit",
    "DEADLINE": "time limit",
    "OUT_OF_MEMORY": "host out of memory",
}
# In this order: what Slurm did to a job explains what the job itself could still say.
_KINDS = {
    "refused by Slurm": r"^sbatch: error",
    "preempted": r"DUE TO PREEMPTION",
    "node failure": r"DUE TO NODE FAILURE|srun: error: Node failure|uncorrectable ECC error"
    r"|No CUDA GPUs are available",
    "time limit": r"DUE TO TIME LIMIT",
    # of Slurm's killer only Slurm's own lines: others may warn of it
    "host out of memory": r"(?:slurmstepd|srun): .*"
    r"(?:oom[-_ ]?kill|out of memory|exceeded (?:job |step )?memory limit)"
    rf"|^(?:[\w.]+\.)?(?:_Array|Arrow)?MemoryError\b|{out_of_memory.HOST}"
    r"|\[Errno 12\]|fork: Cannot allocate memory",
    "CUDA out of memory": rf"{out_of_memory.DEVICE}|OutOfMemoryError"
    r"|ran out of memory, and asks for",
    "disk full": r"No space left on device|Disk quota exceeded",
    "code changed": r"changed since this job was planned",
    # what ends without Python's word is found in the words of the shell, of C++ and of TeX
    "code error": r"^Traceback|^(?:Syntax|Indentation|Tab)Error|^Fatal Python error"
    r"|: No module named |command not found|sh: .*: not found$|Segmentation fault|core dumped"
    r"|^terminate called|LaTeX Error|^! |^\S+\.(?:tex|sty|aux):\d+: ",
    "cancelled": r"CANCELLED AT|the run was asked to stop",
    "refused": r"^gradcost: |^neither latexmk nor tectonic is here",
}
_QUEUED_AGAIN = re.compile(
    r"^.*CANCELLED AT.* DUE TO (?:PREEMPTION|NODE FAILURE|JOB REQUEUE).*$", re.MULTILINE
)
_KILLED = "killed"
"""The kind of a job that ended without a word, as by SIGKILL: most often, for the host's memory."""
# Not looked for in Slurm's log: Snakemake calls every end of a job an error there.
_ERROR = r"^(?:\S+: )*(?:fatal )?error: |^(?:[\w.]+\.)?\w+(?:Error|Exception)(?::|$)"
_EXCEPTION = re.compile(
    r"^(?:[\w.]+\.)?(\w+(?:Error|Exception)|KeyboardInterrupt)(?::|$)", re.MULTILINE
)
# Of what is read and not computed, an error of Python's is most often about a file.
_DATA = (
    r"^(?:ValueError|\w*DataError|FileNotFoundError|OSError|KeyError"
    r"|(?:[\w.]+\.)?(?:ArrowInvalid|(?:Unicode|JSON)DecodeError)"
    r"|\S+Error: .*(?:download|hub))"
)
# Other jobs read what those made, and it may be gone or cut short.
_MADE = (
    r"ArrowInvalid: .*(?:magic bytes|file size is)"
    r"|^FileNotFoundError: .*\bresults/\S*/(?:data|models|tokens)/"
)
_READS = ("data", "model", "tokens")
_REFUSED = "refused"
"""The name of the log, beside those of a job's allocations, of what sbatch said against the job."""
_LINES = 5
_ANSI = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Failure:
    """A job that ended without its output.

    Attributes:
        job: its rule and what it was for.
        kind: as in the table at the top of this module, `bad data` or `killed`.
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
    kind = next((kind for kind, pattern in _KINDS.items() if _says(pattern, text)), None)
    if kind == "code error" and _stopped(text, state):
        return "cancelled"
    spoilt = f"{_MADE}|{_DATA}" if rule in _READS else _MADE
    if kind == "code error" and re.search(spoilt, text, re.MULTILINE):
        return "bad data"
    if kind:
        return kind
    if state.startswith("CANCELLED"):
        return "cancelled"
    return "code error" if _says(_ERROR, _ANSI.sub("", own)) else _KILLED


def _says(pattern: str, text: str) -> bool:
    return re.search(pattern, text, re.MULTILINE | re.IGNORECASE) is not None


def _stopped(text: str, state: str) -> bool:
    """Whether an exception is that of a job which was told to end."""
    last = [found[1] for found in _EXCEPTION.finditer(text)][-1:]
    # the `tee` of a job that is cancelled may end first; other broken pipes are faults
    if last == ["BrokenPipeError"]:
        return state.startswith("CANCELLED") or "CANCELLED AT" in text
    return last == ["KeyboardInterrupt"]


def digest(pipeline: Pipeline, options: list[str], logs: Path = Path("logs")) -> Digest:
    """What of the study failed so far, and did not succeed later.

    Args:
        pipeline: of the study, in its folder.
        options: of Snakemake, that name profile and configuration.
        logs: the folder of logs.
    """
    return _Reader(pipeline, options, logs).read()


_Job = tuple[str, tuple[str, ...], str, Path]
"""Rule, wildcards, output and log."""


@dataclass(frozen=True)
class _Reader:
    pipeline: Pipeline
    options: list[str]
    logs: Path

    def read(self) -> Digest:
        failed = []
        busy = self._busy()
        for rule, names, output, log in self._jobs():
            if not log.exists() or Path(output).exists():
                continue
            if rule == "train" and self._in_training(names):
                continue
            failure = self._failure(rule, names, output, log)
            # other jobs than runs have no claim: only silence tells those under way
            if not (busy and rule != "train" and failure.kind == _KILLED):
                failed.append(failure)
        outcomes = []
        for run in self.pipeline.runs:
            path = Path(self.pipeline.results, run.path, record.RECORD)
            if path.exists() and (found := read_json(path))["outcome"] != "completed":
                outcomes.append((run.path, found["outcome"], found["reason"] or ""))
        return Digest(failed, outcomes)

    def _jobs(self) -> Iterator[_Job]:
        """The jobs of all rules that have a log."""
        # the logs of a scale are in one place, whether its records are computed or published
        yield from self._unpacking() if self.pipeline.study.published else self._computing()
        yield from self._reporting()

    def _unpacking(self) -> Iterator[_Job]:
        yield "unpack", (), self.pipeline.unpacked, self._log("unpack")

    def _computing(self) -> Iterator[_Job]:
        results = self.pipeline.results
        for task in self.pipeline.study.tasks:
            output = f"{results}/data/{task}/manifest.json"
            yield "data", (task,), output, self._log("data", task)
        for model in self.pipeline.study.models:
            output = f"{results}/models/{model}/manifest.json"
            yield "model", (model,), output, self._log("models", model)
        pairs = dict.fromkeys((run.model, run.task) for run in self.pipeline.runs)
        for names in pairs:
            for rule, folder, suffix in (
                ("tokens", "tokens", "/manifest.json"),
                ("forecast", "forecasts", ".json"),
            ):
                output = f"{results}/{folder}/{'/'.join(names)}{suffix}"
                yield rule, names, output, self._log(folder, *names)
        for run in self.pipeline.runs:
            output = f"{results}/{run.path}/{record.RECORD}"
            wildcards = (run.model, run.task, run.method, run.setting, str(run.seed))
            yield "train", wildcards, output, self._log(run.path.replace("runs/", "train/", 1))
        for sheet in self.pipeline.study.accounting:
            output = f"{results}/accounting/{sheet}.json"
            yield "price", (sheet,), output, self._log("accounting", sheet)
        yield "theory", (), self.pipeline.theory, self._log("theory")

    def _reporting(self) -> Iterator[_Job]:
        pipeline = self.pipeline
        for experiment in pipeline.grids:  # those too that are asked for by name
            folder = f"{pipeline.results}/experiments/{experiment}"
            output, log = f"{folder}/manifest.json", self._log("aggregate", experiment)
            yield "aggregate", (experiment,), output, log
            output, log = f"{folder}/chosen.csv", self._log("screening", experiment)
            yield "screening", (experiment,), output, log
            for kind, name, path in _artefacts(pipeline.artefacts(experiment)):
                log = self._log(f"{kind}s", experiment, name)
                if name == "learning-rates" and kind == "table":
                    yield "learning_rates", (experiment,), path, log
                else:
                    yield kind, (experiment, name), path, log
        yield "claims", (), pipeline.claims, self._log("claims")
        for part, paths in (
            ("accounting", pipeline.accounting_artefacts),
            ("theory", pipeline.theory_artefacts),
            ("claims", pipeline.claims_artefacts),
        ):
            for kind, name, path in _artefacts(paths):
                yield f"{part}_{kind}", (name,), path, self._log(f"{kind}s", part, name)
        for rule, made in (
            ("contents", "contents.tex"),
            ("settings", "settings.tex"),
            ("report", "report.pdf"),
        ):
            yield rule, (), f"{pipeline.reports}/{made}", self._log(rule)
        yield "html", (), f"{pipeline.reports}/report.html", self._log("html")

    def _log(self, *names: str) -> Path:
        path = self.logs.joinpath(self.pipeline.study.scale, *names)
        return path.with_name(f"{path.name}.log")

    def _busy(self) -> bool:
        """Whether a Snakemake works on the results; one that asks this has ended all its jobs."""
        other = holder(Path(self.pipeline.results, SNAKEMAKE))
        signed = signature(other or "")
        own = signed is not None and signed.here and signed.process == os.getpid()
        return other is not None and not own

    def _in_training(self, names: tuple[str, ...]) -> bool:
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
        submitted = allocations and allocations[-1].stem != _REFUSED
        state = _state(allocations[-1].stem) if submitted else ""
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


def _artefacts(paths: list[str]) -> Iterator[tuple[str, str, str]]:
    """Kind, name and path of tables and figures; the SVG of a figure comes with its PDF."""
    for path in map(Path, paths):
        if path.suffix != ".svg":
            yield "table" if path.suffix == ".tex" else "figure", path.stem, str(path)


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
