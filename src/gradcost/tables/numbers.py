"""Every number and generated sentence that the report's prose uses, by name.

`report.tex` says `\\result{runs}`; a name that is not defined here stops LaTeX.
"""

from __future__ import annotations

import json

import pandas as pd

from gradcost.results import compare
from gradcost.results.statistics import CONFIDENCE, LAST
from gradcost.results.tidy import NAME, PUBLISHED, Tidy
from gradcost.tables import latex, sentences


def render(data: Tidy) -> str:
    """One `\\defresult{name}{text}` a line."""
    lines = [rf"\defresult{{{key}}}{{{text}}}" for key, text in results(data).items()]
    return "\n".join(lines) + "\n"


def results(data: Tidy) -> dict[str, str]:
    """LaTeX by name. A name has only letters, digits and `-./`."""
    runs = data.runs
    seeds = sorted(set(runs["seed"]))
    found = {
        "scale": latex.escape(data.presentation["scale"]),
        "title": latex.escape(data.presentation["title"]),
        "runs": latex.count(len(runs)),
        "completed": latex.count((runs["outcome"] == "completed").sum()),
        "seeds": latex.count(len(seeds)),
        "seed-list": latex.listing([str(seed) for seed in seeds]),
        "methods": latex.count(len(data.trained)),
        "method-list": latex.listing([latex.escape(row.label) for row in data.trained]),
        "tasks": latex.count(len({column.task for column in data.columns})),
        "task-list": latex.listing([latex.escape(column.label) for column in data.columns]),
        "model-list": latex.listing(
            [latex.escape(model["label"]) for model in data.presentation["models"]]
        ),
        "reference": latex.escape(compare.reference(data).label),
        "confidence": latex.count(100 * CONFIDENCE),
        "steady-evaluations": latex.count(LAST),
        "target-share": latex.count(100 * compare.TARGET_SHARE),
        "training-minutes": latex.significant(runs["training_seconds"].sum() / 60, 2),
        "say/compared": sentences.compared(data),
        "say/outcomes": sentences.outcomes(data),
        "say/best": sentences.best(data),
        "say/gap": sentences.gap(data),
        "say/gap-in-short": sentences.gap_in_short(data),
        "say/pairs": sentences.pairs(data),
        "say/pairs-in-short": sentences.pairs_in_short(data),
        "say/reductions": sentences.reductions(data),
        "say/others": sentences.others(data),
        "say/forward-or-zeroth": sentences.forward_or_zeroth(data),
        "say/checkpointing": sentences.checkpointing(data),
        "say/memory": sentences.memory(data),
        "say/target": sentences.target(data),
        "say/sampling": sentences.sampling(data),
    }
    found |= {f"setting/{key}": text for key, text in _settings(data).items()}
    found["setting/snapshots"] = _snapshots(data)
    reference = compare.reference(data)
    for column in data.columns:
        found[f"majority/{column.key}"] = latex.number(compare.majority(data, column))
        found[f"steps/{column.key}"] = latex.count(
            runs.loc[runs["task"] == column.task, "planned_steps"].max()
        )
        for row in data.rows:
            key = f"{column.key}/{row.key}"
            summary = compare.accuracy(data, column, row)
            difference = compare.difference(data, column, reference, row)
            cost = compare.cost(data, column, row)
            found |= {
                f"accuracy/{key}": latex.number(summary.mean if summary else None),
                f"accuracy-interval/{key}": latex.extent(summary),
                f"gap/{key}": latex.signed(difference.mean if difference else None),
                f"gap-interval/{key}": latex.interval(difference),
                f"peak/{key}": latex.scaled(cost["peak_bytes"], "B"),
                f"step-forwards/{key}": latex.number(cost["forward_equivalents"], 2),
                f"step-milliseconds/{key}": latex.significant(1e3 * cost["seconds_per_step"]),
            }
    return found


def _between_evaluations(data: Tidy) -> pd.Series[float]:
    """The steps from the start of each trained run to its first evaluation after it."""
    looks = data.history[data.history["step"] > 0].dropna(subset=["validation_accuracy"])
    return looks.groupby(NAME)["step"].min()


def _snapshots(data: Tidy) -> str:
    """How many snapshots the runs of SVRG took, the one at the start among them."""
    norms = data.history.dropna(subset=["full_gradient_norm"])
    taken = norms.groupby(NAME)["full_gradient_norm"].nunique()
    return latex.listing([f"{n:g}" for n in sorted(set(taken))]) or latex.DASH


def _settings(data: Tidy) -> dict[str, str]:
    """What the variance reductions were set to, as their runs have it; a dash without a run."""
    described = data.runs[~data.runs["method"].str.endswith(PUBLISHED)]
    reductions = [json.loads(text) for text in described["variance_reduction"].dropna().unique()]
    found: dict[str, set[float]] = {
        "perturbations": set(described["perturbations"].dropna()) - {1},
        "steps": set(described["planned_steps"].dropna()) - {0},
        "evaluate-every": set(_between_evaluations(data)),
        "share": set(100 * described["share"].dropna()),
        **{
            key.replace("_", "-"): {one[key] for one in reductions if key in one}
            for key in ("window", "calibration", "momentum", "snapshot_every")
        },
    }
    return {
        key: latex.listing([f"{value:g}" for value in sorted(values)]) or latex.DASH
        for key, values in found.items()
    }
