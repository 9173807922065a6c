"""How a sentence of the report says what the intervals of differences carry, and no more."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from gradcost.results import compare
from gradcost.results.statistics import Summary
from gradcost.results.tidy import Column, Row, Tidy
from gradcost.tables import histories, latex, sentences
from gradcost.tables.references import Reference


def each(data: Tidy, say: Callable[[Column], str]) -> str:
    """`On A and B, this. On C, that.`: what holds of several places is said once."""
    places: dict[str, list[str]] = {}
    for column in data.columns:
        if text := say(column):
            places.setdefault(text, []).append(place(data, column))
    return " ".join(f"On {latex.listing(names)}, {text}" for text, names in places.items())


def place(data: Tidy, column: Column) -> str:
    """The task or, of several models on a single task, the model."""
    if len({one.task for one in data.columns}) > 1 or len(data.columns) == 1:
        return latex.escape(column.label)
    return _labels(data, "models", [column.model])


def differences(
    data: Tidy, reference: Reference, rows: Iterable[Row] | None = None, *, name: str = ""
) -> str:
    """Every row against its reference: who gains, who loses, and where no one can tell.

    With a `name` for all the references, such as `the same by default`, they are not named one
    by one.
    """
    pairs = _pairs(data, reference, rows)
    return each(data, lambda column: _against(data, column, pairs, name))


def _against(data: Tidy, column: Column, pairs: list[tuple[Row, Row]], name: str) -> str:
    groups: dict[str, dict[Row, Summary | None]] = {}
    for row, other in pairs:
        if len(data.cell(column, row)):
            found = groups.setdefault(name or latex.escape(other.label), {})
            found[row] = compare.difference(data, column, row, other)
    said = [f"against {base}, {_outcome(found)}" for base, found in groups.items()]
    return "; ".join(said) + "." if said else ""


def _outcome(found: dict[Row, Summary | None]) -> str:
    """What is told apart, by its own size; the rest, by why it is not."""
    apart, level, alone, none = [], [], [], []
    for row, summary in found.items():
        label = latex.escape(row.label)
        if summary is None:
            none.append(label)
        elif summary.sign is None:
            alone.append(f"{label} ({latex.signed(summary.mean)})")
        elif summary.sign:
            verb = "gains" if summary.sign > 0 else "loses"
            size = latex.number(abs(summary.mean))
            apart.append(f"{label} {verb} {size} points {_extent(summary)}")
        else:
            level.append(f"{label} ({latex.difference(summary)})")
    parts = [latex.listing(apart)] if apart else []
    if level:
        parts.append(f"the interval holds zero for {latex.listing(level)}")
    if alone:
        parts.append(f"a single seed gives no interval for {latex.listing(alone)}")
    if none:
        verb = "has" if len(none) == 1 else "have"
        parts.append(f"{latex.listing(none)} {verb} no pair of completed runs")
    return ", ".join(parts)


def _extent(summary: Summary) -> str:
    """The interval of a size whose sign a verb has said: its ends, the smaller first."""
    assert summary.interval is not None
    low, high = summary.interval
    low, high = (low, high) if summary.mean >= 0 else (-high, -low)
    return f"[{latex.number(low)}, {latex.number(high)}]"


def costs(data: Tidy, reference: Reference, rows: Iterable[Row] | None = None, *, name: str) -> str:
    """What a step of each row takes in steps of its reference, one `in the default setting`."""
    said = []
    for row, other in _pairs(data, reference, rows):
        times = sentences.ratios(data, row, other)
        known = [times[key] for key in ("step_flops", "seconds_per_step", "activation_bytes")]
        if latex.DASH not in known:
            said.append(f"{latex.escape(row.label)} {latex.listing(known)}")
    if not said:
        return ""
    return (
        f"FLOPs, time and memory above the weights of a step, as multiples of those {name}: "
        f"{'; '.join(said)}."
    )


def durations(data: Tidy, reference: Reference, rows: Iterable[Row] | None = None) -> str:
    """Time until the own plateau, as multiples of the reference's, with intervals."""
    pairs = _pairs(data, reference, rows)
    return each(data, lambda column: _durations(data, column, pairs))


def _durations(data: Tidy, column: Column, pairs: list[tuple[Row, Row]]) -> str:
    groups: dict[Row, list[str]] = {}
    for row, other in pairs:
        spent = [compare.arrivals(data, column, one)["training_seconds"] for one in (row, other)]
        if (ratio := histories.ratio(spent[0].dropna(), spent[1].dropna())) is not None:
            text = f"{histories.times(ratio, prose=True)} for {latex.escape(row.label)}"
            groups.setdefault(other, []).append(text)
    said = [
        f"{latex.listing(times)}, as a multiple of that of {latex.escape(other.label)}"
        for other, times in groups.items()
    ]
    return f"the time to a method's own plateau is {'; '.join(said)}." if said else ""


def joined(*parts: str) -> str:
    """Sentences, those that there are."""
    return " ".join(part for part in parts if part)


def setup(data: Tidy) -> str:
    """`12 runs of Llama on Reuters, seeds 0, 1 and 2`."""
    seeds = sorted(set(data.runs["seed"]))
    models = _labels(data, "models", [column.model for column in data.columns])
    tasks = _labels(data, "tasks", [column.task for column in data.columns])
    return (
        f"{len(data.runs)} run{'' if len(data.runs) == 1 else 's'} of {models} on {tasks}, "
        f"seed{'' if len(seeds) == 1 else 's'} {latex.listing([str(seed) for seed in seeds])}"
    )


def _labels(data: Tidy, kind: str, names: Sequence[str]) -> str:
    labels = [entry["label"] for entry in data.presentation[kind] if entry["name"] in names]
    return latex.escape(latex.listing(labels))


def _pairs(data: Tidy, reference: Reference, rows: Iterable[Row] | None) -> list[tuple[Row, Row]]:
    chosen = data.trained if rows is None else rows
    return [(row, other) for row in chosen if (other := reference(data, row)) is not None]
