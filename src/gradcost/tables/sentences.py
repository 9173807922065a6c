"""Sentences of the report whose words depend on the numbers, so that none outlives its truth.

Each function says what the data say, for every task, whichever way they turned out.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pandas as pd

from gradcost.results import compare
from gradcost.results.statistics import CONFIDENCE, Summary
from gradcost.results.tidy import Column, Row, Tidy
from gradcost.tables import latex

PERCENT = r"\,\%"


def verdict(left: str, summary: Summary | None) -> str:
    """What a paired difference says about its left side."""
    if summary is None:
        return "there is no pair of completed runs to compare"
    if summary.sign is None:
        return "a single seed gives no interval"
    if summary.sign == 0:
        return f"not distinguishable at this number of seeds ({summary.n})"
    return f"{left} is {'higher' if summary.sign > 0 else 'lower'}"


def compared(data: Tidy) -> str:
    """How many methods train, and whether there is a floor that does not."""
    n = len(data.trained)
    text = f"{n} method{'' if n == 1 else 's'}"
    return text if n == len(data.rows) else f"{text} and, as a floor, of no training at all"


def best(data: Tidy) -> str:
    """The most accurate method of each task, and the majority class."""
    return _each(data, _best)


def _best(data: Tidy, column: Column) -> str:
    row = compare.best(data, column)
    if row is None:
        return "no run completed."
    summary = compare.accuracy(data, column, row)
    assert summary is not None
    same = [
        other.label
        for other in data.rows
        if other != row
        and (known := compare.accuracy(data, column, other)) is not None
        and known.mean == summary.mean
    ]
    who = latex.escape(latex.listing([row.label, *same]))
    have = "have" if same else "has"
    return (
        f"{who} {have} the highest mean test accuracy: "
        f"{latex.number(summary.mean)}{PERCENT}"
        + (f", interval {latex.extent(summary)}" if summary.interval else "")
        + f", $n={summary.n}$. Always answering with the largest class would give "
        f"{latex.number(compare.majority(data, column))}{PERCENT}."
    )


def gap(data: Tidy) -> str:
    """Backpropagation against the best method without it."""
    return _each(data, _gap)


def _gap(data: Tidy, column: Column) -> str:
    reference = compare.reference(data)
    rival = compare.best(data, column, families=("fmad", "zo"))
    if rival is None or reference.family != "bp":
        return "there is no completed pair of methods with and without backpropagation."
    summary = compare.difference(data, column, reference, rival)
    other = compare.accuracy(data, column, rival)
    assert other is not None
    names = f"{_label(reference)} minus {_label(rival)}"
    return (
        f"the most accurate method without backpropagation reaches "
        f"{latex.number(other.mean)}{PERCENT} ({_label(rival)}). {names} is "
        f"{_difference(summary)}: {verdict(_label(reference), summary)}."
    )


def pairs(data: Tidy) -> str:
    """Forward mode against zeroth order along the same directions."""
    found = [compare.equal(data, pair.fmad, pair.zo) for pair in compare.pairs(data)]
    n = sum(one.n for one in found)
    if not n:
        return "No FMAD run has a completed ZO partner here."
    all_in_all = compare.Equality(
        sum(one.equal for one in found), n, max(one.largest for one in found)
    )
    return (
        f"Of the {n} pairs of FMAD and ZO runs with the same task, strategy, seed and hence "
        f"directions, {_equality(all_in_all)}"
    )


def multiple(data: Tidy) -> str:
    """Several directions a step against one."""
    found = []
    for family in ("fmad", "zo"):
        many = compare.by_name(data, f"{family}-multiple")
        one = compare.by_name(data, f"{family}-vanilla")
        if many is not None and one is not None:
            times = _ratios(data, many, one)
            found.append(_each(data, partial(_multiple, many=many, one=one)))
            found.append(
                f"A step of {_label(many)} takes {times['step_flops']} times the FLOPs and "
                f"{times['seconds_per_step']} times the time."
            )
    return " ".join(found) or "No method is run with one direction and with several."


def _multiple(data: Tidy, column: Column, many: Row, one: Row) -> str:
    summary = compare.difference(data, column, many, one)
    return (
        f"{_label(many)} minus {_label(one)} is {_difference(summary)}: "
        f"{verdict(_label(many), summary)}."
    )


def forward_or_zeroth(data: Tidy) -> str:
    """What a step of FMAD costs in steps of ZO."""
    found = []
    for pair in compare.pairs(data):
        times = _ratios(data, pair.fmad, pair.zo)
        found.append(
            f"A step of {_label(pair.fmad)} takes {times['step_flops']} times the FLOPs of "
            f"{_label(pair.zo)}, {times['seconds_per_step']} times the time and "
            f"{times['activation_bytes']} times the memory above the weights."
        )
    return " ".join(found) or "No FMAD method has a ZO partner here."


def checkpointing(data: Tidy) -> str:
    """What checkpointing saves and costs."""
    with_it = compare.by_name(data, "bp-checkpointing")
    without = compare.by_name(data, "bp-vanilla")
    if with_it is None or without is None:
        return "Backpropagation is not run both with and without checkpointing here."
    times = _ratios(data, with_it, without)
    same = compare.equal(data, with_it, without)
    batches = {
        row: sorted(
            {
                int(size)
                for column in data.columns
                for size in data.cell(column, row)["batch_size"].dropna()
            }
        )
        for row in (without, with_it)
    }
    differ = ""
    if batches[with_it] != batches[without]:
        sizes = [latex.listing([str(size) for size in sizes]) for sizes in batches.values()]
        differ = f" Their batch sizes differ: {sizes[0]} without and {sizes[1]} with it."
    text = (
        f"{_label(with_it)} takes {times['activation_bytes']} times the memory of "
        f"{_label(without)} above the weights, {times['step_flops']} times its FLOPs and "
        f"{times['seconds_per_step']} times its time."
    )
    if same.n:
        text += f" Of their {same.n} pairs of runs, {_equality(same)}"
    return text + differ


def memory(data: Tidy) -> str:
    """Who needs least memory above the weights; what backpropagation and one direction need."""
    return _each(data, _memory)


def _memory(data: Tidy, column: Column) -> str:
    needs = {row: compare.cost(data, column, row)["activation_bytes"] for row in data.trained}
    known = {row: float(need) for row, need in needs.items() if need == need}
    if not known:
        return "no method took a step."
    least = min(known, key=lambda row: known[row])
    others = [
        f"{_label(row)} needs {latex.scaled(need, 'B')}"
        for row, need in known.items()
        if (row.family == "bp" or row.method.endswith("-vanilla")) and row != least
    ]
    text = (
        f"{_label(least)} needs the least memory above the weights, "
        f"{latex.scaled(known[least], 'B')}"
    )
    return text + (f"; {latex.listing(others)}." if others else ".")


def target(data: Tidy) -> str:
    """Who reaches the common target, and who first."""
    return _each(data, _target)


def _target(data: Tidy, column: Column) -> str:
    goal = compare.target(data, column)
    if goal is None:
        return "no method rises above the majority class: there is no target."
    reaches = {row: compare.reach(data, column, row, goal) for row in data.trained}
    groups: dict[str, list[str]] = {}
    for row, reach in reaches.items():
        how = (
            "every seed" if reach.reached == reach.n else "some seeds" if reach.reached else "none"
        )
        groups.setdefault(how, []).append(_label(row))
    said = [
        f"with {how}: {latex.listing(groups[how])}"
        for how in ("every seed", "some seeds", "none")
        if how in groups
    ]
    text = f"the target is {goal:.0f}{PERCENT}. It is reached {'; '.join(said)}."
    arrived = {row: r for row, r in reaches.items() if r.training_seconds == r.training_seconds}
    for quantity, unit, one in (
        ("training_seconds", "s of training", "time"),
        ("forward_equivalents", "forward-equivalents", "computation"),
    ):
        if arrived:
            first = min(arrived, key=lambda row: getattr(arrived[row], quantity))
            value = latex.significant(getattr(arrived[first], quantity), 2)
            text += f" Least {one} to it: {_label(first)}, {value}~{unit}."
    return text


def outcomes(data: Tidy) -> str:
    """How the runs ended."""
    if (data.runs["outcome"] == "completed").all():
        return f"All {len(data.runs)} runs completed."
    found = []
    for column in data.columns:
        for row in data.rows:
            total = len(data.cell(column, row))
            for kind, n in compare.not_completed(data, column, row).items():
                found.append(f"{_label(row)} on {_name(column)}, {n} of {total} {kind}")
    done = int((data.runs["outcome"] == "completed").sum())
    return (
        f"Of {len(data.runs)} runs {done} completed. The others are results too: "
        f"{'; '.join(found)}. Means are over the completed runs of a method and say how many "
        "these are."
    )


def sampling(data: Tidy) -> str:
    """The error that the finite test split adds, which no number of seeds removes."""
    return _each(data, _sampling)


def _sampling(data: Tidy, column: Column) -> str:
    examples, row = compare.test_examples(data, column), compare.best(data, column)
    if examples is None or row is None:
        return "nothing was tested."
    summary = compare.accuracy(data, column, row)
    assert summary is not None
    share = summary.mean / 100
    error = 100 * (share * (1 - share) / examples) ** 0.5
    return (
        f"the test split has {latex.count(examples)} texts, which gives an "
        f"accuracy of {latex.number(summary.mean)}{PERCENT} a standard error of "
        f"{latex.number(error)} points."
    )


def _each(data: Tidy, say: Callable[[Tidy, Column], str]) -> str:
    """`On A and B, this. On C, that.`: what holds of several tasks is said once."""
    places: dict[str, list[str]] = {}
    for column in data.columns:
        places.setdefault(say(data, column), []).append(_name(column))
    return " ".join(f"On {latex.listing(names)}, {text}" for text, names in places.items())


def _name(column: Column) -> str:
    return latex.escape(column.label)


def _label(row: Row) -> str:
    return latex.escape(row.label)


def _difference(summary: Summary | None) -> str:
    if summary is None:
        return "not known"
    text = f"{latex.signed(summary.mean)} points"
    if summary.interval is None:
        return text
    return (
        f"{text}, {CONFIDENCE:.0%}".replace("%", PERCENT) + f" interval {latex.interval(summary)}"
    )


def _equality(found: compare.Equality) -> str:
    if found.equal == found.n:
        return "all end at exactly the same test accuracy."
    return (
        f"{found.equal or 'none'} end at exactly the same test accuracy; the largest difference "
        f"is {latex.number(found.largest, 2)} points."
    )


def _ratios(data: Tidy, left: Row, right: Row) -> dict[str, str]:
    """The costs of `left` in those of `right`, by name, as text."""
    ratios = pd.DataFrame(
        [
            compare.cost(data, column, left) / compare.cost(data, column, right)
            for column in data.columns
        ]
    )
    return {str(name): _range(list(values)) for name, values in ratios.items()}


def _range(values: list[float]) -> str:
    """`2.0`, or `1.9 to 2.2` where tasks differ."""
    shown = dict.fromkeys(
        latex.significant(value, 2) for value in sorted(v for v in values if v == v)
    )
    texts = list(shown) or [latex.DASH]
    return texts[0] if len(texts) == 1 else f"{texts[0]} to {texts[-1]}"
