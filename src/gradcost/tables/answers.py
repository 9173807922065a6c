"""What the study answers to each question that the paper leaves open, at the head of its section.

An answer counts what the intervals tell apart and what they do not, with how many seeds; the
sentences after it (`say`) and the table have every number. Memory and FLOPs are counted and have
no interval.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from gradcost.results import compare
from gradcost.results.statistics import Summary, paired
from gradcost.results.tidy import Column, Row, Tidy
from gradcost.tables import forward_optimizers, histories, latex, model_size, optimizers, references
from gradcost.tables import said as phrases

POLICIES = {"bp-segments": "segments", "bp-nested": "nested"}  # that may come to one a layer
Show = Callable[[Summary], str]


def full_parameter(data: Tidy) -> str:
    """Whether the gap to backpropagation is another one where all parameters are trained."""

    def say(column: Column) -> str:
        against = _differences(data, column, data.trained, references.default, _method)
        distances = {
            _method(row): _widening(data, column, row, adapters)
            for row in data.trained
            if row.family != "bp" and (adapters := references.default(data, row)) is not None
        }
        return _sentences(
            f"{what}, against that with adapters, {words}"
            for found, what, more, less in (
                (against, "the accuracy with all parameters", "higher", "lower"),
                (distances, "its distance to that of backpropagation", "wider", "narrower"),
            )
            if (words := told(found, f"is {more} for", f"is {less} for", size))
        )

    return phrases.joined(phrases.each(data, say), _in_place(data))


def width_depth(data: Tidy) -> str:
    """On which model checkpointing saves least, and whether the gap to backpropagation differs."""
    shares = {
        column: float(costs[0] / costs[1])
        for column in data.columns
        if len(
            costs := [
                float(compare.cost(data, column, row)["activation_bytes"])
                for name in ("bp-checkpointing", "bp-vanilla")
                if (row := references.find(data, name, "default")) is not None
            ]
        )
        == 2
        and min(costs) > 0
    }
    if len(shares) < 2:
        return ""
    least, most = max(shares, key=shares.__getitem__), min(shares, key=shares.__getitem__)
    text = (
        "Counted, and so without an interval, checkpointing saves least on "
        f"{phrases.place(data, least)}, where it takes {latex.significant(shares[least], 2)} times "
        "the memory of backpropagation above the weights"
        + (" and so saves nothing" if shares[least] >= 1 else "")
        + f", and most on {phrases.place(data, most)}, with {latex.significant(shares[most], 2)} "
        "times."
    )
    found: dict[str, Summary | None] = {}
    first, last = data.columns[0], data.columns[-1]
    for row in data.trained:
        other = references.bp(data, row)
        if row.family != "bp" and other is not None:
            growth = model_size.gap_growth(data, first, last, row, other)
            found[latex.escape(row.label)] = _negative(growth)
    words = told(found, "is wider for", "is narrower for", size)
    if not words:
        return text
    return (
        f"{text} The distance to the accuracy of backpropagation, on {phrases.place(data, last)} "
        f"against {phrases.place(data, first)}, {words}."
    )


def optimisers(data: Tidy) -> str:
    """Whether any optimiser or stabilised estimate does better than SGD or the plain estimate."""
    vanilla = [row for row in data.trained if row.strategy == "vanilla"]

    def say(column: Column) -> str:
        against_sgd = _differences(data, column, vanilla, optimizers.SGD, _setting)
        against_plain = _differences(
            data,
            column,
            data.trained,
            forward_optimizers.plain,
            lambda row: latex.escape(row.label),
        )
        slopes = {}
        for row in vanilla:
            if (other := optimizers.SGD(data, row)) is not None:
                slopes[_setting(row)] = histories.ratio(
                    *(histories.largest_slope(data, column, one) for one in (row, other))
                )
        parts = [
            (against_sgd, "the accuracy, against that under SGD,", "higher", "lower", size),
            (slopes, "the largest slope of a run, in that under SGD,", "larger", "smaller", _ratio),
            (
                against_plain,
                "the accuracy of a stabilised estimate, against the plain one,",
                "higher",
                "lower",
                size,
            ),
        ]
        return _sentences(
            f"{what} {words}"
            for found, what, more, less, show in parts
            if (words := told(found, f"is {more} for", f"is {less} for", show))
        )

    return phrases.each(data, say)


def structured_directions(data: Tidy) -> str:
    """Whether any structure does better than normal directions."""

    def say(column: Column) -> str:
        found = _differences(data, column, data.trained, references.default, _setting)
        words = told(found, "is higher for directions", "is lower for directions", size)
        return f"the accuracy, against that along normal directions, {words}." if words else ""

    return phrases.each(data, say)


def checkpointing(data: Tidy) -> str:
    """What each policy takes here, why some are equal, and why one may cost more than it saves."""
    plain, every = (
        references.find(data, name, "default") for name in ("bp-vanilla", "bp-checkpointing")
    )
    if plain is None or every is None:
        return ""

    def say(column: Column) -> str:
        spent = {
            row.method: (float(cost["peak_bytes"]), float(cost["step_flops"]))
            for row in data.trained
            if (cost := compare.cost(data, column, row))["peak_bytes"] > 0
        }
        if not {plain.method, every.method} <= set(spent):
            return ""
        labels = {row.method: latex.escape(row.label) for row in data.trained}
        base = spent[every.method]
        other = [
            f"{labels[name]} {latex.significant(peak / base[0], 2)} and "
            f"{latex.significant(flops / base[1], 2)}"
            for name, (peak, flops) in spent.items()
            if name not in (every.method, *POLICIES) and not name.endswith("-published")
        ]
        said = [
            f"in multiples of {labels[every.method]}, a step takes of memory at its peak and of "
            f"FLOPs: {latex.listing(other)}"
        ]
        same = [labels[name] for name in POLICIES if spent.get(name) == base]
        if same:
            said.append(
                f"{latex.listing(same)} take{'s' if len(same) == 1 else ''} just what "
                f"{labels[every.method]} takes, since of so few layers each segment is a single one"
            )
        if "bp-selective" in spent and spent["bp-selective"][0] > spent[plain.method][0]:
            said.append(
                f"{labels['bp-selective']} takes more memory than {labels[plain.method]}: at its "
                "peak there is, beside what it keeps of every layer, the whole inside of the one "
                "that is computed again, and of few layers this is more than it saves on the others"
            )
        return _sentences(said)

    return phrases.each(data, say)


def _widening(data: Tidy, column: Column, row: Row, base: Row) -> Summary | None:
    """By how much a row is farther below its backpropagation than `base` below its own, by seed."""
    gaps = [
        (compare.accuracies(data, column, other) - compare.accuracies(data, column, one)).dropna()
        for one in (row, base)
        if (other := references.bp(data, one)) is not None
    ]
    return paired(*gaps) if len(gaps) == 2 else None


def _negative(summary: Summary | None) -> Summary | None:
    return None if summary is None else replace(summary, mean=-summary.mean)


def _differences(
    data: Tidy,
    column: Column,
    rows: Iterable[Row],
    reference: references.Reference,
    name: Callable[[Row], str],
) -> dict[str, Summary | None]:
    return {
        name(row): compare.difference(data, column, row, other)
        for row in rows
        if len(data.cell(column, row)) and (other := reference(data, row)) is not None
    }


def told(found: Mapping[str, Summary | None], more: str, less: str, show: Show) -> str:
    """What intervals tell apart, each by its size; how many they do not, and which."""
    apart: dict[int, list[str]] = {1: [], -1: []}
    level: list[Summary] = []
    alone = 0
    for label, summary in found.items():
        if summary is None:
            continue
        if summary.sign is None:
            alone += 1
        elif summary.sign:
            apart[summary.sign].append(f"{label} ({show(summary)}, $n={summary.n}$)")
        else:
            level.append(summary)
    parts = [
        f"{words} {latex.listing(apart[sign])}"
        for sign, words in ((1, more), (-1, less))
        if apart[sign]
    ]
    if level:
        of = len(level) + len(apart[1]) + len(apart[-1])
        count = "any" if len(level) == of else f"{len(level)}"
        parts.append(f"is not told apart from it for {count} of {of} ({_between(level, show)})")
    if alone:
        parts.append(f"has no interval for {alone}, of a single seed")
    return latex.listing(parts)


def _between(level: list[Summary], show: Show) -> str:
    """The means and intervals of what is not told apart, from the lowest to the highest mean."""
    lowest, highest = (pick(level, key=lambda one: one.mean) for pick in (min, max))
    seeds = sorted({one.n for one in level})
    n = f"$n={seeds[0]}$" if len(seeds) == 1 else f"$n$ of {seeds[0]} to {seeds[-1]}"
    if len(level) == 1 or lowest == highest:
        return f"{show(lowest)}, {n}"
    return f"from {show(lowest)} to {show(highest)}, {n}"


def size(summary: Summary) -> str:
    """A difference in points with its interval."""
    return f"{latex.signed(summary.mean)} points {latex.interval(summary)}"


def _ratio(summary: Summary) -> str:
    """A ratio whose logarithm was summarised."""
    text, interval = histories.factor(summary)
    return f"{text} times {interval}".rstrip()


def _sentences(parts: Iterable[str]) -> str:
    said = list(parts)
    return f"{'; '.join(said)}." if said else ""


def _method(row: Row) -> str:
    return latex.escape(row.label.removesuffix(f" ({row.setting_label})"))


def _setting(row: Row) -> str:
    return latex.escape(row.setting_label)


def _in_place(data: Tidy) -> str:
    """Under which optimiser the update in place runs, where that of ZO-Vanilla is another."""
    used = {
        name: list(dict.fromkeys(runs.dropna()))
        for name, runs in data.runs.groupby("method")["optimizer"]
        if name in ("zo-in-place", "zo-vanilla")
    }
    if len(used) < 2 or not all(used.values()) or used["zo-in-place"] == used["zo-vanilla"]:
        return ""
    names = {
        key: latex.listing([latex.OPTIMISERS.get(one, one) for one in found])
        for key, found in used.items()
    }
    return (
        f"ZO-In-place runs {names['zo-in-place']} and ZO-Vanilla {names['zo-vanilla']}, at "
        "rates of their own: a difference between these two may be one of optimisers."
    )
