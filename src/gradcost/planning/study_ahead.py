"""What the runs of a study that are still to do will cost, before the first of them starts.

Which runs are to do, and why, is Snakemake's to say: it is asked by a dry run. What a run
costs follows from its spec.
"""

from __future__ import annotations

import csv
import io
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import astuple, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Group
from rich.table import Table

from gradcost.accounting import closed_form
from gradcost.planning.case import (
    Case,
    closed_form_flops,
    describe,
    evaluated_examples,
    forward_flops,
    of_run,
    split_sizes,
)
from gradcost.planning.rate import Rate
from gradcost.planning.sheet import prices
from gradcost.planning.units import BYTES, FLOPS, HOURS, shown, unit
from gradcost.study import pipeline, record, runs
from gradcost.study.architectures import Architecture, UnknownArchitecture
from gradcost.study.config import ConfigError, Model, Study, Task
from gradcost.study.files import read_json
from gradcost.study.runs import Run

HOUR = 3600.0
_TRAINING = re.compile(r"Job \d+: Training (\S+) (\S+) (\S+) (\S+) seed (\d+)(?:,.*)?")
_PLANS = re.compile(r"before: '([^']*)' now: '([^']*)'")
# bytes a row of a history takes at the most: numbers of eight bytes, and each projection
_ROW, _PROJECTION, _RECORD = 64, 8, 16_000


def answer(
    study: Study,
    files: list[Path],
    rate: Rate | None,
    processes: int,
    tell: Callable[[str], None],
) -> dict[str, Any]:
    """The runs that are to do, each with its reason and its cost.

    Args:
        study: of `files`.
        files: config.yaml, beside the Snakefile, and overlays.
        rate: of the device; default: what the study's own records reached, if there are any.
        processes: how many steps are counted at the same time, of those that must be.
        tell: of each part that is done.

    Returns:
        `rows`, a mapping for each run that is to do: its name, `why`, `steps`,
        `flops`, `hours` (null without a rate) and `evaluated` (whether evaluations are counted:
        sizes of splits are known once data are prepared). `runs`, the number of all runs;
        `flops`, `hours` and `disk_bytes` of those to do, the latter by what they are for;
        `sources`, for each model and task of theirs, and of experiments on request, where it
        comes from: `what`, `name`, `place`, `version`, `bytes` (null if not known), whether it
        is `prepared`, and whether only what is `on_request` needs it.

    Raises:
        ConfigError: if Snakemake cannot plan the study, with what it says.
    """
    folder = files[0].resolve().parent
    known = pipeline.Pipeline(study)
    reasons = _reasons(folder, files)
    ahead = _Ahead(study, folder / "results" / study.scale, [*reasons])
    rate = rate or ahead.reached()
    costs = ahead.costs(processes, tell)
    rows = [
        {
            **vars(run),
            "why": why,
            **costs[run],
            "hours": costs[run]["flops"] / rate.flops / HOUR if rate else None,
        }
        for run, why in reasons.items()
    ]
    total = sum(row["flops"] for row in rows)
    wanted = set(known.reported)
    asked = set(known.runs) - wanted
    return {
        "scale": study.scale,
        "runs": len(wanted),
        "flops_per_second": rate.flops if rate else None,
        "rate_of": rate.of if rate else None,
        "flops": total,
        "hours": total / rate.flops / HOUR if rate else None,
        "disk_bytes": ahead.disk(),
        "sources": ahead.sources(wanted, asked),
        "rows": rows,
    }


def table(found: dict[str, Any]) -> Group:
    """The answer for a terminal: its sources, and a row for each model to setting."""
    return Group(*([_sources(found["sources"])] if found["sources"] else []), _runs(found))


def _sources(rows: list[dict[str, Any]]) -> Table:
    made = Table(
        title="Where models and tasks come from", box=box.SIMPLE_HEAD, title_justify="left",
        pad_edge=False,
    )  # fmt: skip
    for head in ("", "name", "from", "version"):
        made.add_column(head, no_wrap=head != "from")
    made.add_column("on disk", justify="right")
    made.add_column("")
    for row in rows:
        size = "not known" if row["bytes"] is None else shown(row["bytes"], BYTES)
        version, here = row["version"] or "", "prepared" if row["prepared"] else ""
        here = here or ("on request" if row["on_request"] else "")
        made.add_row(row["what"], row["name"], row["place"], version[:40], size, here)
    return made


def _runs(found: dict[str, Any]) -> Table:
    rows, timed = found["rows"], found["hours"] is not None
    made = Table(
        title=f"Scale {found['scale']}: {len(rows)} of {found['runs']} runs to do",
        caption=_caption(found), box=box.SIMPLE_HEAD, title_justify="left",
        caption_justify="left", pad_edge=False,
    )  # fmt: skip
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for row in rows:
        key = tuple(str(row[name]) for name in ("model", "task", "method", "setting"))
        groups.setdefault(key, []).append(row)
    sums = [
        (key, members, sum(row["hours"] or 0 for row in members)) for key, members in groups.items()
    ]
    flops, flop = unit([members[0]["flops"] for _, members, _ in sums], FLOPS)
    times, time = unit([hours for _, _, hours in sums], HOURS)
    different = len({row["why"] for row in rows}) > 1
    for head in ("model", "task", "method", "setting"):
        made.add_column(head, no_wrap=True)
    for head in ("runs", "steps", f"{flops} a run", *([f"{times} in all"] if timed else [])):
        made.add_column(head, justify="right")
    if different:
        made.add_column("why")
    for key, members, hours in sums:
        cells = [str(len(members)), f"{members[0]['steps']:,}"]
        cells.append(f"{members[0]['flops'] / flop:.4g}")
        cells += [f"{hours / time:.3g}"] if timed else []
        cells += ["; ".join(Counter(row["why"] for row in members))] if different else []
        made.add_row(*key, *cells)
    return made


def as_csv(found: dict[str, Any]) -> str:
    """The answer as CSV, a row a run; FLOPs and hours."""
    text = io.StringIO()
    fields = ("model", "task", "method", "setting", "seed", "why", "steps", "flops", "hours",
              "evaluated")  # fmt: skip
    writer = csv.DictWriter(text, fields, lineterminator="\n")
    writer.writeheader()
    writer.writerows(found["rows"])
    return text.getvalue()


def _caption(found: dict[str, Any]) -> str:
    lines = []
    if len(whys := {row["why"] for row in found["rows"]}) == 1:
        lines.append(f"Why: {whys.pop()}.")
    time = "" if found["hours"] is None else f", {shown(found['hours'], HOURS)} of the device"
    lines.append(f"In all {shown(found['flops'], FLOPS)}{time}.")
    if found["flops_per_second"] is not None:
        lines.append(f"{found['flops_per_second'] / 1e12:.4g} TFLOP/s: {found['rate_of']}.")
    else:
        lines.append("For the time, name a card (--gpu) or a rate (--rate).")
    disk = ", ".join(
        f"{name} {shown(size, BYTES)}" for name, size in found["disk_bytes"].items() if size
    )
    lines.append(f"On disk, at the most: {disk}.")
    if unknown := sorted({row["task"] for row in found["rows"] if not row["evaluated"]}):
        lines.append(
            f"Evaluations of {', '.join(unknown)} are not counted: their splits are known once "
            "the data are prepared."
        )
    return "\n".join(lines)


def _reasons(folder: Path, files: list[Path]) -> dict[Run, str]:
    """The runs that Snakemake would train, and why."""
    command = [sys.executable, "-m", "snakemake", "--dry-run", "--nolock", "--cores", "1"]
    if overlays := [str(path.resolve()) for path in files[1:]]:
        command += ["--configfile", *overlays]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        said = (done.stdout + done.stderr).strip().splitlines()
        raise ConfigError(f"Snakemake cannot plan the study in {folder}:\n" + "\n".join(said[-8:]))
    found: dict[Run, str] = {}
    run = None
    for line in done.stdout.splitlines():
        if training := _TRAINING.fullmatch(line.strip()):
            model, task, method, setting, seed = training.groups()
            run = Run(model, task, method, setting, int(seed))
        elif run is not None and line.startswith("Reason: "):
            found[run] = _why(folder, line.removeprefix("Reason: ").strip())
            run = None
    return dict(sorted(found.items(), key=lambda item: astuple(item[0])))


def _why(folder: Path, reason: str) -> str:
    """Snakemake's reason in the words of the study."""
    if plans := _PLANS.search(reason):
        old, new = (folder / path for path in plans.groups())
        if old.exists() and new.exists():
            return _changed(pipeline.differences(read_json(old), read_json(new)))
        return "code or settings have changed"
    if reason.startswith("Missing output files"):
        return "no record"
    if reason.startswith("Input files updated by another job"):
        return "its data or its model are made anew"
    return reason.partition(";")[0]


def _changed(differences: list[str]) -> str:
    """Which settings, files and packages differ, in short."""
    named: dict[str, list[str]] = {"code: ": [], "packages: ": [], "spec: ": []}
    for line in differences:
        for start, names in named.items():
            if line.startswith(start):
                path = line.removeprefix(start).rpartition(": ")[0]
                names.append(path.replace(": ", "."))
    parts = []
    for what, names in zip(("code", "packages", "settings"), named.values(), strict=True):
        if names:
            more = f" and {len(names) - 2} more" if len(names) > 2 else ""
            parts.append(f"{what} ({', '.join(names[:2])}{more})")
    return "changed " + "; ".join(parts) if parts else "code or settings have changed"


@dataclass(frozen=True)
class _Ahead:
    """A study, the folder of its results, and the runs that are to do."""

    study: Study
    results: Path
    wanted: list[Run]

    @cached_property
    def _shapes(self) -> dict[str, Architecture]:
        models = {run.model for run in self.wanted}
        return {model: runs.architecture(self.study, model) for model in models}

    @cached_property
    def _cases(self) -> dict[Run, tuple[Case, int]]:
        """Each run's step, and the size of its batch."""
        return {run: of_run(self.study, self._shapes[run.model], run) for run in self.wanted}

    def reached(self) -> Rate | None:
        """What the runs reached that there are records of, together."""
        flops = seconds = 0.0
        for path in sorted(self.results.glob("runs/**/" + record.RECORD)):
            found = read_json(path)
            if found.get("cost") and found.get("steps"):
                flops += found["steps"] * found["cost"]["step_flops"]
                seconds += found["timings"]["training_seconds"]
        return Rate(flops / seconds, "reached by the study's own runs") if seconds else None

    def costs(self, processes: int, tell: Callable[[str], None]) -> dict[Run, dict[str, Any]]:
        """Steps and FLOPs of each run."""
        # seeds change no cost
        keys = {run: repr(found) for run, found in self._cases.items()}
        different = {keys[run]: found for run, found in self._cases.items()}
        steps: dict[str, float] = {}
        counted: dict[str, tuple[Case, int]] = {}
        for key, (case, batch) in different.items():
            known = closed_form_flops(case, batch) if case.spec["steps"] else 0
            if known is None:
                counted[key] = (case, batch)
            else:
                steps[key] = known
        found = prices([case for case, _ in counted.values()], processes)
        for (key, (case, batch)), price in zip(counted.items(), found, strict=True):
            steps[key] = price.cost(batch).step_flops
            tell(f"counted: {case.spec['method']['name']}")
        forward = {key: forward_flops(case, 1) for key, (case, _) in different.items()}
        result = {}
        for run, (case, _) in self._cases.items():
            key, evaluated = keys[run], evaluated_examples(self.study, self.results, run)
            result[run] = {
                "steps": case.spec["steps"],
                "flops": case.spec["steps"] * steps[key] + (evaluated or 0) * forward[key],
                "evaluated": evaluated is not None,
            }
        return result

    def disk(self) -> dict[str, float]:
        """Bytes that the runs need on disk at the most, by what they are for."""
        sizes = {"models": 0.0, "tokens": 0.0, "records": 0.0, "a checkpoint of each job": 0.0}
        for model, shape in self._shapes.items():
            if not (self.results / "models" / model / "manifest.json").exists():
                half = self.study.models[model].dtype == "bfloat16"
                sizes["models"] += _parameters(shape) * (2 if half else 4)
        for _, task in dict.fromkeys((run.model, run.task) for run in self.wanted):
            examples = split_sizes(self.study, self.results, task)
            if examples:
                sizes["tokens"] += sum(examples.values()) * (5 * self.study.tasks[task].length + 4)
        for case, _ in self._cases.values():
            steps = case.spec["steps"]
            many = (case.spec["method"]["estimator"] or {}).get("perturbations", 1)
            history = steps * (_ROW + _PROJECTION * many)
            sizes["records"] += _RECORD + history
            if steps:
                trained = _trained(case)
                # parameters, two moments, and what an estimator remembers
                state = 4.0 * 4 * trained + history
                sizes["a checkpoint of each job"] = max(sizes["a checkpoint of each job"], state)
        return sizes

    def sources(
        self, standing: Iterable[Run] = (), asked: Iterable[Run] = ()
    ) -> list[dict[str, Any]]:
        """Where the models and tasks of the runs to do come from, and what that takes on disk.

        Args:
            standing: runs that are done or to do.
            asked: runs on request; what they alone need comes last.
        """
        found = []
        for what, folder in (("model", "models"), ("task", "data")):
            needed = {getattr(run, what) for run in self.wanted}
            others = {getattr(run, what) for run in asked} - needed
            others -= {getattr(run, what) for run in standing}
            for name in [*sorted(needed), *sorted(others)]:
                entries: Mapping[str, Model | Task] = getattr(self.study, f"{what}s")
                source = entries[name].source
                size = self._model_bytes(name) if what == "model" else None
                if source is not None and source.gigabytes is not None:
                    size = source.gigabytes * 1e9
                found.append(
                    {
                        "what": what,
                        "name": name,
                        "place": source.place if source else "pretrained here",
                        "version": source.version if source else None,
                        "bytes": size,
                        "prepared": (self.results / folder / name / "manifest.json").exists(),
                        "on_request": name in others,
                    }
                )
        return found

    def _model_bytes(self, name: str) -> float | None:
        """What a model takes as it is published: what is in 4 bits here was in 16."""
        try:
            shape = self._shapes.get(name) or runs.architecture(self.study, name)
        except UnknownArchitecture:
            return None
        return _parameters(shape) * (2.0 if self.study.models[name].dtype == "bfloat16" else 4.0)


def _trained(case: Case) -> int:
    found = describe(case, 1)
    if case.spec["model"]["trainable"] == "sparse":
        return round(float(case.spec["model"]["share"]) * _count(found))
    return found.trained


def _count(model: closed_form.Description) -> int:
    return sum(one.count for one in model.parameters)


def _parameters(shape: Architecture) -> int:
    """Those of the model as it is published, with a language model's head."""
    head = closed_form.Head("language-model")
    return _count(closed_form.describe(shape.config, closed_form.Batch(1, 1), head, "all"))
