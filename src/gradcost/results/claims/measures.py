"""What claims measure in runs: paired over seeds, for every task that is at hand.

Methods are named by the keys of rows: `zo-multiple`, or `zo-multiple/perturbations-50` in another
setting than the default. `a - b` and `a / b` are taken pair by pair of one seed; ratios have their
means and intervals on a logarithmic scale.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import log

import pandas as pd

from gradcost.results import compare, paper
from gradcost.results.claims.evidence import PAPER, Evidence
from gradcost.results.claims.ledger import Bound
from gradcost.results.claims.rules import Case, Measure, Measured, Stated
from gradcost.results.statistics import Summary, summarise
from gradcost.results.tidy import Column, Row, Tidy

Pair = tuple[str, str]
Statistic = Callable[[Tidy, Column, Row], pd.Series]  # a number for each seed
Where = Callable[[Tidy, Column], bool]
Quote = Stated | Callable[[Column, str, str], Stated | None]

SETUPS = {  # of the paper's experiments: models and tasks
    "accuracy": "LLaMA 3.1 (8B) and Qwen2-VL (7B), seven tasks",
    "encoders": "BERT and RoBERTa, AGNews",
    "model-size": "OPT (1.3B, 6.7B, 13B), AGNews",
    "lora-rank": "OPT (6.7B), AGNews, in half precision by its code",
    "perturbation-budget": "OPT (13B), AGNews",
    "optimizers": "LLaMA 3.1 (8B), GSM8K",
    "svrg": "LLaMA 3.1 (8B), GSM8K",
}
USUAL = "LLaMA 3.1 (8B), AGNews"


def anywhere(data: Tidy, column: Column) -> bool:
    """On every task."""
    return True


def on(*datasets: str) -> Where:
    """On these datasets of the paper alone, or what stands in for them."""
    return lambda data, column: column.paper in datasets


def off(*datasets: str) -> Where:
    """On all but these."""
    return lambda data, column: column.paper not in datasets


def classification(data: Tidy, column: Column) -> bool:
    """On tasks whose answers are classes: text is scored by two scorers."""
    runs = data.runs[(data.runs["model"] == column.model) & (data.runs["task"] == column.task)]
    twice = bool(runs["test_accuracy_published"].notna().any())
    return not twice and column.paper not in ("gsm8k", "mmlu", "vqav2", "textvqa")


def of_model(name: str) -> Where:
    """Of one model alone."""
    return lambda data, column: column.model == name


def table_3(column: Column, left: str, right: str) -> float | None:
    """The difference of two methods on a task by the paper's Table 3."""
    if column.paper is None:
        return None
    found = [paper.accuracy(key, column.paper) for key in (left, right)]
    return None if found[0] is None or found[1] is None else found[0] - found[1]


@dataclass(frozen=True)
class Read:
    """A statistic read with a quantity's name, unit and scale."""

    quantity: str
    unit: str
    of: Statistic
    logs: bool  # whether it is positive, and compared by ratios


_ACCURACY = Read("test accuracy", "points", compare.accuracies, logs=False)


def gaps(
    experiment: str, *pairs: Pair, where: Where = anywhere, stated: Quote | None = table_3
) -> Measure:
    """Test accuracy of the first of each pair minus the second's, in points."""
    return _paired(experiment, pairs, _ACCURACY, where, stated)


def gap(
    experiment: str,
    left: str,
    *rights: str,
    where: Where = anywhere,
    stated: Quote | None = table_3,
) -> Measure:
    """The same, of one method against several."""
    return gaps(experiment, *((left, right) for right in rights), where=where, stated=stated)


def ratios(
    experiment: str,
    quantity: str,
    statistic: Statistic,
    *pairs: Pair,
    where: Where = anywhere,
    stated: Quote | None = None,
) -> Measure:
    """A positive statistic of the first of each pair over the second's."""
    return _paired(experiment, pairs, Read(quantity, "times", statistic, True), where, stated)


def values(
    experiment: str,
    quantity: str,
    statistic: Statistic,
    *keys: str,
    unit: str,
    neutral: float,
    stated: Quote | None = None,
) -> Measure:
    """A statistic of each method by itself, against a neutral value."""

    def measure(evidence: Evidence) -> Measured:
        data = evidence.experiments.get(experiment)
        cases, absent = [], []
        for column in data.columns if data else []:
            for key in keys:
                row = compare.by_name(data, key) if data else None
                assert data is not None
                found = None if row is None else summarise(statistic(data, column, row).dropna())
                if row is not None and found is not None:
                    quote = _quote(evidence, stated, column, key, key)
                    cases.append(Case.of(f"{row.label} on {column.label}", found, stated=quote))
                else:
                    absent.append(_why(data, column, key))
        return _measured(
            evidence, experiment, quantity, unit, neutral, cases, absent, stated is not None
        )

    return measure


def between_models(
    experiment: str,
    first: str,
    last: str,
    *pairs: Pair,
    among: str = "",
    stated: Mapping[Pair, float] | None = None,
    read: Read = _ACCURACY,
) -> Measure:
    """How much wider the gap of each pair is with the `last` model than with the `first`.

    Paired by seed, and in accuracy unless another statistic is to be `read`. Models that the
    scale does not have are replaced by its own first and last, in the order of the configuration,
    which is that of their size; of those `among` whose names the word is: `bert` is none of
    `small-roberta`. A pair with an empty name is the statistic of the other method alone.
    """

    def measure(evidence: Evidence) -> Measured:
        data = evidence.experiments.get(experiment)
        cases: list[Case] = []
        absent: list[str] = []
        for small, large in _ends(data, first, last, among):
            for left, right in pairs:
                rows = {key: compare.by_name(data, key) for key in (left, right) if key and data}
                gap = [
                    None
                    if data is None or None in rows.values()
                    else _gap_of(data, column, read, rows[left], rows.get(right))
                    for column in (small, large)
                ]
                found = None
                if gap[0] is not None and gap[1] is not None:
                    found = summarise((gap[1] - gap[0]).dropna())
                name = " minus ".join(row.label if row else "?" for row in rows.values())
                place = f"{name}, from {_model(data, small)} to {_model(data, large)}"
                if found is None:
                    absent.append(
                        "; ".join(
                            dict.fromkeys(
                                _why(data, column, key)
                                for column in (small, large)
                                for key in rows
                                if data is None or _lacks(data, column, key)
                            )
                        )
                        or f"{place}: no seed has all runs"
                    )
                else:
                    quote = (stated or {}).get((left, right))
                    at_home = evidence.scale == PAPER
                    quote = quote if at_home else None
                    cases.append(Case.of(place, found, stated=quote, logs=read.logs))
        return _measured(
            evidence, experiment, f"change of {read.quantity}", read.unit, float(read.logs), cases,
            absent, stated is not None,
        )  # fmt: skip

    return measure


def outcomes(
    experiment: str, outcome: str, *keys: str, needs: str = "all", where: Where = anywhere
) -> Measure:
    """Of the runs of each method the share with an outcome.

    It is above the neutral half if `all` runs have it and below if none has. With `needs="any"`
    a single run that has it is enough, and none leaves it open: a few seeds do not show that
    what can happen does not. A share has no interval: that it holds is a matter of one run.
    """

    def measure(evidence: Evidence) -> Measured:
        data = evidence.experiments.get(experiment)
        cases, absent = [], []
        for column in [one for one in data.columns if where(data, one)] if data else []:
            assert data is not None
            for key in keys:
                row = compare.by_name(data, key)
                ended = None if row is None else data.cell(column, row)["outcome"]
                ended = None if ended is None else ended[ended != "missing"]
                if row is None or ended is None or ended.empty:
                    absent.append(_why(data, column, key))
                    continue
                n = int((ended == outcome).sum())
                share = n / len(ended)
                if needs == "any":
                    low, high = float(n > 0), 1.0
                else:
                    low, high = float(n == len(ended)), float(n > 0)
                place = f"{row.label} on {column.label}, {n} of {len(ended)}"
                cases.append(Case(place, share, low, high, len(ended)))
        return _measured(
            evidence, experiment, f"share of runs that {_ENDED[outcome]}", "", 0.5, cases, absent,
            sized=False, of="runs",
        )  # fmt: skip

    return measure


_ENDED = {
    "completed": "completed",
    "diverged": "diverged",
    "out-of-memory": "ran out of memory",
}


def spends(
    experiment: str,
    quantity: str,
    *pairs: Pair,
    to: str,
    where: Where = anywhere,
    stated: Quote | None = None,
) -> Measure:
    """What the first of each pair spends over the second's, until convergence.

    `quantity` is `training_seconds`, `forward_equivalents` or `step`; `to` is `plateau`, each
    run's own, or `target`, the accuracy that is asked of all methods on a task (`compare.target`).
    A run that never arrives has spent at least all that it took, which stands for it: the ratio is
    then nearer to one than it should be. A pair of which neither arrives says nothing.
    """

    def measure(evidence: Evidence) -> Measured:
        data = evidence.experiments.get(experiment)
        cases: list[Case] = []
        absent: list[str] = []
        for column in [one for one in data.columns if where(data, one)] if data else []:
            assert data is not None
            goal = compare.target(data, column) if to == "target" else None
            known: dict[str, pd.DataFrame] = {}
            for left, right in pairs:
                rows = [compare.by_name(data, key) for key in (left, right)]
                if rows[0] is None or rows[1] is None:
                    absent.append(_why(data, column, right if rows[0] else left))
                    continue
                if to == "target" and goal is None:
                    absent.append(f"no method learns enough on {column.label} to set a target")
                    continue
                for row in rows:
                    if row and row.key not in known:
                        known[row.key] = _spent(data, column, row, quantity, goal)
                one, other = known[left], known[right]
                reached = one["reached"] | other["reached"]
                both = (one["spent"] / other["spent"])[reached].dropna()
                found = summarise(both.map(log))
                place = f"{rows[0].label} over {rows[1].label} on {column.label}"
                if found is None:
                    lacking = [k for k in (left, right) if _lacks(data, column, k)]
                    absent.append(
                        "; ".join(_why(data, column, key) for key in lacking)
                        or f"{place}: neither arrives"
                    )
                    continue
                late = [
                    f"{int((~part['reached']).sum())} of {len(part)} of {row.label} never arrive"
                    for part, row in zip((one, other), rows, strict=True)
                    if row and not part["reached"].all()
                ]
                place += f" ({'; '.join(late)})" if late else ""
                quote = _quote(evidence, stated, column, left, right)
                bound = _bound(one, other)
                cases.append(Case.of(place, found, stated=quote, logs=True, bound=bound))
        goal_text = "its own plateau" if to == "plateau" else "the common target"
        return _measured(
            evidence, experiment, f"{_SPENT[quantity]} to {goal_text}", "times", 1.0, cases,
            absent, stated is not None,
        )  # fmt: skip

    return measure


_SPENT = {
    "training_seconds": "time of training",
    "forward_equivalents": "computation",
    "step": "steps",
}


def costs(
    experiment: str,
    column: str,
    *pairs: Pair,
    where: Where = anywhere,
    stated: Quote | None = None,
) -> Measure:
    """A column of the runs' costs, such as `step_flops`, of the first over the second's."""
    quantity = {
        "step_flops": "FLOPs of a step",
        "peak_bytes": "peak memory",
        "seconds_per_step": "time of a step",
    }[column]

    def statistic(data: Tidy, place: Column, row: Row) -> pd.Series:
        return data.cell(place, row, completed=True)[column].dropna().astype(float)

    return ratios(experiment, quantity, statistic, *pairs, where=where, stated=stated)


def history(reduce: Callable[[pd.DataFrame], float]) -> Statistic:
    """A statistic from each completed run's history."""

    def statistic(data: Tidy, column: Column, row: Row) -> pd.Series:
        curves = data.curves(column, row)
        found = {seed: reduce(run) for seed, run in curves.groupby("seed")}
        return pd.Series(found, dtype=float).dropna()

    return statistic


def _bound(one: pd.DataFrame, other: pd.DataFrame) -> Bound:
    """What a ratio is of runs some of which spent at least what they are counted with."""
    late = [not part["reached"].all() for part in (one, other)]
    if all(late) or not any(late):
        return ""
    return "at least" if late[0] else "at most"


def _spent(data: Tidy, column: Column, row: Row, quantity: str, goal: float | None) -> pd.DataFrame:
    """Of the completed runs by seed: what was spent, and whether it was enough."""
    curves = data.curves(column, row)
    arrived = compare.arrivals(data, column, row, goal)[quantity]
    rows = {}
    for seed, run in curves.groupby("seed"):
        taken = run.loc[run["step"] > 0, quantity]
        if taken.empty:
            continue
        reached = bool(arrived.notna()[seed])
        spent = float(arrived[seed]) if reached else float(taken.iloc[-1])
        rows[seed] = {"spent": spent, "reached": reached}
    found = pd.DataFrame(rows, index=["spent", "reached"]).T
    return found.astype({"spent": float, "reached": bool})


def _paired(
    experiment: str, pairs: Sequence[Pair], read: Read, where: Where, stated: Quote | None
) -> Measure:
    def measure(evidence: Evidence) -> Measured:
        data = evidence.experiments.get(experiment)
        cases, absent = [], []
        for column in [one for one in data.columns if where(data, one)] if data else []:
            assert data is not None
            for left, right in pairs:
                rows = [compare.by_name(data, key) for key in (left, right)]
                found = _difference(data, column, rows, read)
                if rows[0] is None or rows[1] is None or found is None:
                    lacking = [k for k in (left, right) if _lacks(data, column, k)]
                    absent += [_why(data, column, key) for key in lacking or [left]]
                    continue
                joined = " over " if read.logs else " minus "
                place = f"{rows[0].label}{joined}{rows[1].label} on {column.label}"
                quote = _quote(evidence, stated, column, left, right)
                cases.append(Case.of(place, found, stated=quote, logs=read.logs))
        neutral = 1.0 if read.logs else 0.0
        return _measured(
            evidence, experiment, read.quantity, read.unit, neutral, cases, absent,
            stated is not None,
        )  # fmt: skip

    return measure


def _difference(
    data: Tidy, column: Column, rows: Sequence[Row | None], read: Read
) -> Summary | None:
    if rows[0] is None or rows[1] is None:
        return None
    one, other = (read.of(data, column, row).dropna() for row in rows if row)
    seeds = one.index.intersection(other.index)
    one, other = one.loc[seeds], other.loc[seeds]
    if not read.logs:
        return summarise(one - other)
    positive = (one > 0) & (other > 0)
    return summarise((one[positive] / other[positive]).map(log))


def _measured(
    evidence: Evidence,
    experiment: str,
    quantity: str,
    unit: str,
    neutral: float,
    cases: Sequence[Case],
    absent: Sequence[str],
    sized: bool,
    of: str = "seeds",
) -> Measured:
    data = evidence.experiments.get(experiment)
    if data is None:
        absent = [f"the experiment {experiment} is not part of this report"]
    elif not cases and not absent:
        absent = ["no model or task of the kind that it speaks of is part of this report"]
    return Measured(
        quantity,
        unit,
        neutral,
        evidence.scale,
        cases,
        tuple(dict.fromkeys(absent)),
        sized,
        of,
        _differs(evidence, experiment, data),
    )


def _differs(evidence: Evidence, experiment: str, data: Tidy | None) -> str:
    if data is None or evidence.scale == PAPER:
        return ""
    models = ", ".join(str(one["label"]) for one in data.presentation["models"])
    tasks = ", ".join(str(one["label"]) for one in data.presentation["tasks"])
    return f"{models} on {tasks}; the paper: {SETUPS.get(experiment, USUAL)}"


def _quote(
    evidence: Evidence, stated: Quote | None, column: Column, left: str, right: str
) -> Stated | None:
    """The paper's number, at the paper's own scale: elsewhere it is of something else."""
    if stated is None or evidence.scale != PAPER:
        return None
    return stated(column, left, right) if callable(stated) else stated


def _lacks(data: Tidy, column: Column, key: str) -> bool:
    row = compare.by_name(data, key)
    return row is None or data.cell(column, row, completed=True).empty


def _why(data: Tidy | None, column: Column, key: str) -> str:
    """Why there is nothing of a method on a task: not planned, or how its runs ended."""
    row = None if data is None else compare.by_name(data, key)
    if data is None or row is None:
        return f"there is no run of {key}"
    ended = compare.not_completed(data, column, row)
    said = ", ".join(f"{n} {outcome}" for outcome, n in ended.items()) or "not recorded"
    return f"{row.label} on {column.label}: {said}"


def _ends(data: Tidy | None, first: str, last: str, among: str) -> Iterator[tuple[Column, Column]]:
    """For each task the columns of the first and the last model."""
    if data is None:
        return
    models = list(
        dict.fromkeys(
            one.model for one in data.columns if not among or among in one.model.split("-")
        )
    )
    if not {first, last} <= set(models):
        if len(models) < 2:
            return
        first, last = models[0], models[-1]
    for task in dict.fromkeys(column.task for column in data.columns):
        found = {column.model: column for column in data.columns if column.task == task}
        if first in found and last in found:
            yield found[first], found[last]


def _gap_of(
    data: Tidy, column: Column, read: Read, left: Row | None, right: Row | None
) -> pd.Series | None:
    if left is None:
        return None
    found, other = (
        None if row is None else read.of(data, column, row).dropna() for row in (left, right)
    )
    assert found is not None
    if read.logs:
        found = found.map(log)
    return found if other is None else found - other


def _model(data: Tidy | None, column: Column) -> str:
    if data is None:
        return column.model
    labels = {one["name"]: one["label"] for one in data.presentation["models"]}
    return str(labels[column.model])
