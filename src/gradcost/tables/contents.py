"""What a report is of: its experiments, and where their records are."""

from __future__ import annotations

from collections.abc import Mapping

from gradcost.results import paper
from gradcost.tables import latex

# sections of the report -> experiments, of which one is enough
SECTIONS = {
    "sizes": ("encoders", "model-size", "perturbation-budget", "lora-rank"),
    "directions": ("direction-variance", "direction-distributions"),
    "failure-modes": ("optimizers", "svrg", "signzo"),
    "finer-checkpointing": ("checkpointing", "accounting"),
    "open-questions": (
        "full-parameter", "width-depth", "forward-optimizers", "structured-directions",
        "checkpointing", "accounting",
    ),
}  # fmt: skip
# experiments on what the paper leaves open -> what they try
QUESTIONS = {
    "full-parameter": "all parameters",
    "width-depth": "width and depth",
    "forward-optimizers": "optimisers for forward gradients",
    "structured-directions": "structured directions",
    "checkpointing": "finer checkpointing",
}


def render(records: Mapping[str, str]) -> str:
    r"""`\defstanding{name}{path}` for each part of the report, and what the prose has of the paper.

    Args:
        records: experiment (or `accounting`, `theory`, `claims`) -> its records, from the
            folder of the report.
    """
    lines = [rf"\defstanding{{{name}}}{{{path}}}" for name, path in records.items()]
    lines += [
        rf"\defstanding{{{section}}}{{}}"
        for section, experiments in SECTIONS.items()
        if any(name in records for name in experiments)
    ]
    found = {
        "window": paper.number("C", "fmad-accumulate", "window"),
        "length": paper.number("B", "agnews", "length"),
        "snapshot-every": paper.number("C", "fmad-svrg", "epochs-between-full-gradients"),
    }
    lines += [rf"\defresult{{paper/{name}}}{{{value:g}}}" for name, value in found.items() if value]
    lines.append(rf"\defresult{{paper/inconsistencies}}{{{_inconsistencies()}}}")
    lines.append(rf"\defresult{{paper/inconsistent}}{{{len(paper.inconsistencies())}}}")
    lines.append(rf"\defresult{{contents/unanswered}}{{{_unanswered(records)}}}")
    return "\n".join(lines) + "\n"


def _unanswered(records: Mapping[str, str]) -> str:
    """Which questions that the paper leaves open are not run at this scale; nothing if all are."""
    missing = [words for name, words in QUESTIONS.items() if name not in records]
    if not missing:
        return ""
    priced = " What is priced below is counted and not run." if "accounting" in records else ""
    return f"Not run at this scale: {latex.listing(missing)}.{priced}"


def _inconsistencies() -> str:
    """Where two statements of the paper do not agree, an item each."""
    return "\n".join(
        rf"\item \emph{{{latex.escape(one.where)}}}: {latex.escape(one.says)}. "
        rf"But {latex.escape(one.but)} ({latex.escape(one.source)})."
        for one in paper.inconsistencies()
    )
