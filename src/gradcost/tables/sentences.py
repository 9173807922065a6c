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
NO_PARTNER = "No FMAD run has a completed ZO partner here."
FEW = 2  # tasks, each of which has a sentence of its own in the abstract


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


def gap_in_short(data: Tidy) -> str:
    """The same for an abstract: of many tasks how far the difference reaches, and its intervals."""
    reference = compare.reference(data)
    if reference.family != "bp":
        return gap(data)
    found, each = [], []
    for column in data.columns:
        rival = compare.best(data, column, families=("fmad", "zo"))
        summary = compare.difference(data, column, reference, rival) if rival else None
        if rival is not None and summary is not None:
            found.append(summary)
            each.append(f"{_difference(summary)} on {_name(column)} ({_label(rival)})")
    if not found:
        return gap(data)
    if len(data.columns) <= FEW:
        return (
            f"{_label(reference)} minus the most accurate method without backpropagation is "
            f"{latex.listing(each)}."
        )
    means, signs = [one.mean for one in found], [one.sign for one in found]
    counts = [
        f"{words} {signs.count(sign)}"
        for sign, words in (
            (1, "lies above zero on"), (-1, "lies below zero on"), (0, "holds zero on"),
            (None, "is not known, of a single seed, on"),
        )
        if sign in signs
    ]  # fmt: skip
    return (
        f"On {len(found)} of {len(data.columns)} tasks {_label(reference)} has a completed rival "
        f"without backpropagation. Minus the most accurate of each task it comes to "
        f"{latex.signed(min(means))} to {latex.signed(max(means))} points; the "
        f"{CONFIDENCE:.0%}".replace("%", PERCENT)
        + f" interval of this difference, paired by seed, {latex.listing(counts)}."
    )


def pairs_in_short(data: Tidy) -> str:
    """How many runs of forward mode and zeroth order along the same directions end alike."""
    found = _all_pairs(_equalities(data))
    if found is None:
        return NO_PARTNER
    return (
        f"Along the same directions {found.equal} of {found.n} pairs of FMAD and ZO runs end at "
        "exactly the same test accuracy."
    )


def pairs(data: Tidy) -> str:
    """The same, and which strategies differ."""
    found = _equalities(data)
    all_in_all = _all_pairs(found)
    if all_in_all is None:
        return NO_PARTNER
    text = (
        f"Of the {all_in_all.n} pairs of FMAD and ZO runs with the same task, strategy, seed and "
        f"hence draws, {_equality(all_in_all)}"
    )
    apart = [_strategy(pair) for pair, one in found.items() if one.equal < one.n]
    return f"{text} Those that differ are of {latex.listing(apart)}." if apart else text


def _equalities(data: Tidy) -> dict[compare.Pair, compare.Equality]:
    return {pair: compare.equal(data, pair.fmad, pair.zo) for pair in compare.pairs(data)}


def _all_pairs(found: dict[compare.Pair, compare.Equality]) -> compare.Equality | None:
    """Over all strategies; None if no two runs can be compared."""
    each = found.values()
    n = sum(one.n for one in each)
    if not n:
        return None
    return compare.Equality(sum(one.equal for one in each), n, max(one.largest for one in each))


VARIANCE_REDUCTIONS = ("accumulate", "multiple", "adaptive", "svrg")


def reductions(data: Tidy) -> str:
    """Each variance reduction against the same without it."""
    said = _against_base(data, lambda row: row.strategy in VARIANCE_REDUCTIONS)
    return said or "No method is run with and without variance reduction."


def others(data: Tidy) -> str:
    """Methods that train something else, or by another objective or update, against Vanilla."""
    said = _against_base(data, lambda row: row.strategy not in VARIANCE_REDUCTIONS)
    return said or "No method trains other weights, or by another objective or update."


def _against_base(data: Tidy, wanted: Callable[[Row], bool]) -> str:
    return " ".join(
        _each(data, partial(_intervals, rows=rows, base=base))
        for base, found in compare.departures(data).items()
        if (rows := [row for row in found if wanted(row)])
    )


_SIDES = {
    "above": "lies above zero for",
    "below": "lies below zero for",
    "within": "holds zero for",
    "alone": "needs more than one seed for",
    "none": "lacks a pair of completed runs for",
}


def _intervals(data: Tidy, column: Column, rows: list[Row], base: Row) -> str:
    """Where the intervals of the differences to `base` lie; in brackets, FLOPs in its own."""
    groups: dict[str, list[str]] = {}
    for row in rows:
        summary = compare.difference(data, column, row, base)
        if summary is None:
            side = "none"
        else:
            side = {1: "above", -1: "below", 0: "within", None: "alone"}[summary.sign]
        flops = _ratio(data, column, row, base)["step_flops"]
        groups.setdefault(side, []).append(f"{_label(row)}~({latex.significant(flops, 2)})")
    said = [f"{_SIDES[side]} {latex.listing(groups[side])}" for side in _SIDES if side in groups]
    return f"the interval of the difference to {_label(base)} {'; '.join(said)}."


def forward_or_zeroth(data: Tidy) -> str:
    """What a step of FMAD costs in steps of ZO."""
    found = compare.pairs(data)
    if not found:
        return "No FMAD method has a ZO partner here."
    said = [
        f"{_extremes(data, found, key)} times the {what}"
        for key, what in (
            ("step_flops", "FLOPs"),
            ("seconds_per_step", "time"),
            ("activation_bytes", "memory above the weights"),
        )
    ]
    return (
        f"A step of FMAD takes {latex.listing(said)} of one of ZO with the same strategy, which "
        "may evaluate fewer directions at once."
    )


def checkpointing(data: Tidy) -> str:
    """What checkpointing saves and costs."""
    with_it = compare.by_name(data, "bp-checkpointing")
    without = compare.by_name(data, "bp-vanilla")
    if with_it is None or without is None:
        return "Backpropagation is not run both with and without checkpointing here."
    times = ratios(data, with_it, without)
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
        for how in ("every seed", "some seeds")
        if how in groups
    ]
    if "none" in groups:
        said.append("by no seed of any other" if said else "by no seed of any method")
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
    ended: list[str] = []
    missing: list[str] = []
    for column in data.columns:
        for row in data.rows:
            total = len(data.cell(column, row))
            for kind, n in compare.not_completed(data, column, row).items():
                said = f"{_label(row)} on {_name(column)}, {n} of {total}"
                if kind == "missing":
                    missing.append(said)
                else:
                    ended.append(f"{said} {kind}")
    done = int((data.runs["outcome"] == "completed").sum())
    text = f"Of {len(data.runs)} runs {done} completed."
    if ended:
        text += f" Others are results too: {'; '.join(ended)}."
    if missing:
        text += f" Missing, and no result: {'; '.join(missing)}."
    return text + " Means are over the completed runs of a method and say how many these are."


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


def ratios(data: Tidy, left: Row, right: Row) -> dict[str, str]:
    """The costs of `left` in those of `right`, by name, as text."""
    found = pd.DataFrame([_ratio(data, column, left, right) for column in data.columns])
    return {str(name): span(list(values)) for name, values in found.items()}


def _ratio(data: Tidy, column: Column, left: Row, right: Row) -> pd.Series[float]:
    return compare.cost(data, column, left) / compare.cost(data, column, right)


def _strategy(pair: compare.Pair) -> str:
    """What the pair is called without its families: `Multiple`."""
    return latex.escape(pair.fmad.label.removeprefix("FMAD-"))


def _extremes(data: Tidy, pairs: list[compare.Pair], key: str) -> str:
    """The least and the most that FMAD takes of ZO: `0.5 (Multiple) to 1.5 (Sparse)`."""
    found = [
        (value, _strategy(pair))
        for pair in pairs
        for column in data.columns
        if (value := float(_ratio(data, column, pair.fmad, pair.zo)[key])) == value
    ]
    if not found:
        return latex.DASH
    (least, first), (most, last) = min(found), max(found)
    low, high = latex.significant(least, 2), latex.significant(most, 2)
    return low if low == high else f"{low} ({first}) to {high} ({last})"


def span(values: list[float], digits: int = 2) -> str:
    """`2.0`, or `1.9 to 2.2` where tasks differ."""
    shown = dict.fromkeys(
        latex.significant(value, digits) for value in sorted(v for v in values if v == v)
    )
    texts = list(shown) or [latex.DASH]
    return texts[0] if len(texts) == 1 else f"{texts[0]} to {texts[-1]}"
