"""Where the numbers come from: runs, code, packages, machine and time."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from datetime import datetime

import pandas as pd

from gradcost.results.tidy import OUTCOMES, Tidy
from gradcost.tables import latex

STARTED = "GRADCOST_STARTED"  # when this invocation of Snakemake began, as ISO text


def render(data: Tidy) -> str:
    """A table of two columns. What the runs do not have in common is listed with its count."""
    runs = data.runs
    done = runs[runs["outcome"] != "missing"]
    machines = [json.loads(text) for text in done["machine"].dropna()]
    packages = [json.loads(text) for text in done["packages"].dropna()]
    finished = sorted(done["finished"].dropna(), key=_instant)
    facts = {
        "runs": f"{len(runs)}, of which {outcomes(data)}",
        "seeds": latex.listing([str(seed) for seed in sorted(set(runs["seed"]))]),
        "trained": trained(data),
        "finished": f"first {_time(finished[0])}, last {_time(finished[-1])}" if finished else "",
        "training time": f"{latex.count(done['training_seconds'].sum())} s in all, "
        "evaluation not counted",
        "machine": _tally(
            ", ".join(
                f"{machine[key]} {unit}".strip()
                for key, unit in _MACHINE.items()
                if machine.get(key) not in (None, "")
            )
            for machine in machines
        ),
        "Python": _tally(str(machine.get("python", "unknown")) for machine in machines),
        "packages": _tally(
            ", ".join(f"{name} {version}" for name, version in sorted(one.items()))
            for one in packages
        ),
        "commit of the code": _tally(str(one.get("commit", "unknown")) for one in machines),
        "digest of the code": _named(done, "code_digest", "method_label"),
        "digest of the data": _named(done, "data_digest", "task_label"),
        "digest of the model": _named(done, "model_digest", "model_label"),
    }
    lines = [rf"{key} & {_safe(key, text)} \\" for key, text in facts.items() if text]
    begin = r"\begin{tabular}{@{}l>{\raggedright\arraybackslash}p{0.72\linewidth}@{}}"
    return "\n".join([begin, r"\toprule", *lines, r"\bottomrule", r"\end{tabular}", ""])


_MACHINE = {"system": "", "processor": "", "cores": "cores", "threads": "of them for a run",
            "device": "as device"}  # fmt: skip


def outcomes(data: Tidy) -> str:
    """`40 completed, 2 diverged`."""
    counts = data.runs["outcome"].value_counts()
    return ", ".join(f"{counts[kind]} {kind}" for kind in OUTCOMES if kind in counts)


def trained(data: Tidy) -> str:
    """How many runs an invocation of Snakemake trained, and how many it found and kept.

    It is named by its beginning: a later one that trains nothing does not rewrite this.
    """
    finished = data.runs["finished"].dropna()
    started = os.environ.get(STARTED)
    if not started:
        return "not known which invocation of Snakemake trained them"
    start = _instant(started)
    now = sum(_instant(text) >= start for text in finished)
    kept = len(finished) - now
    return f"{now} by the workflow as started {_time(started)}, {kept} kept from before"


def _instant(text: str) -> pd.Timestamp:
    """A moment; one without a time zone is in UTC."""
    moment = pd.Timestamp(datetime.fromisoformat(text))
    return moment.tz_localize("UTC") if moment.tzinfo is None else moment.tz_convert("UTC")


def _time(text: str) -> str:
    return f"{_instant(text):%Y-%m-%d %H:%M} UTC"


def _tally(values: Iterable[str]) -> str:
    counts = pd.Series(list(values), dtype="str").value_counts(sort=False)
    if len(counts) == 1:
        return str(counts.index[0])
    return "; ".join(f"{value} ({n} runs)" for value, n in counts.items())


def _named(runs: pd.DataFrame, digest: str, label: str) -> str:
    """Each digest, in short, with what it is the digest of."""
    groups = runs.groupby(digest, sort=False)[label].unique()
    return "; ".join(f"{str(text)[:12]} ({', '.join(names)})" for text, names in groups.items())


def _safe(key: str, text: str) -> str:
    # a count is LaTeX already; all else is text from records
    return text if key == "training time" else latex.escape(text)
