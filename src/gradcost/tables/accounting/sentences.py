"""Sentences on prices whose words depend on the numbers, so that none outlives its truth."""

from __future__ import annotations

from math import log
from typing import Any

import pandas as pd

from gradcost.results import paper
from gradcost.results.accounting import DEPTH, GB, MODELS, PAPER_MODEL, Accounting
from gradcost.tables import latex
from gradcost.tables.accounting import bounds, computation

PERCENT = r"\,\%"
CLOSE = 0.01  # share within which two counts are said to agree
REFERENCE, FORWARD, ZEROTH = "bp-checkpointing", "fmad-vanilla", "zo-vanilla"


def agreement(data: Accounting) -> str:
    """Our counts of the public code against Table 4."""
    apart: dict[str, float] = {}
    for method in computation.METHODS:
        ours = computation.teraflops(data.as_published(PAPER_MODEL, method))
        theirs = computation.per_iteration(method)
        if ours is not None and theirs is not None:
            apart[method] = ours / theirs - 1
    if not apart:
        return "No method of the paper's table is priced as the public code runs it."
    worst = max(apart, key=lambda method: abs(apart[method]))
    close = sum(abs(share) <= CLOSE for share in apart.values())
    text = (
        f"Of {len(apart)} methods priced as the public code runs them, {close} agree with the "
        f"paper's table within {latex.count(100 * CLOSE)}{PERCENT}; the largest difference is "
        f"{latex.number(100 * abs(apart[worst]), 2)}{PERCENT} ({computation.METHODS[worst]})."
    )
    missing = [name for method, name in computation.METHODS.items() if method not in apart]
    return text + (f" Not priced so: {latex.listing(missing)}." if missing else "")


def least(data: Accounting) -> str:
    """What a step needs at least, where that is less than as published."""
    said = []
    for method, name in computation.METHODS.items():
        published = computation.teraflops(data.as_published(PAPER_MODEL, method))
        cheapest = computation.teraflops(data.cheapest(PAPER_MODEL, method))
        if published is None or cheapest is None or cheapest > (1 - CLOSE) * published:
            continue
        amounts = f"{latex.number(published)} to {latex.number(cheapest)}"
        said.append(f"{name} from {amounts}~TFLOP")
    return f"They take {latex.listing(said)}." if said else "They change no method's count."


def zeros(data: Accounting) -> str:
    """The share of FMAD's FLOPs that multiply zeros as published, in percent."""
    published = computation.teraflops(data.as_published(PAPER_MODEL, FORWARD))
    least_ = computation.teraflops(data.cheapest(PAPER_MODEL, FORWARD))
    share = _ratio(least_, published)
    return latex.number(None if share is None else 100 * (1 - share), 0)


def relative(data: Accounting) -> str:
    """FMAD and ZO in steps, and in whole trainings, of BP-Checkpointing."""
    said, totals = [], []
    for method in ("zo-vanilla", "fmad-vanilla", "fmad-multiple"):
        name = computation.METHODS[method]
        ours, theirs = (
            _ratio(*(of(one) for one in (method, REFERENCE)))
            for of in (
                lambda one: computation.teraflops(data.cheapest(PAPER_MODEL, one)),
                computation.per_iteration,
            )
        )
        said.append(f"{name} {latex.significant(ours, 2)} ({latex.significant(theirs, 2)})")
        ours, theirs = (
            _ratio(*(of(one) for one in (method, REFERENCE)))
            for of in (
                lambda one: computation.least_until_convergence(data, one),
                computation.until_convergence,
            )
        )
        totals.append(f"{name} {latex.significant(ours, 2)} ({latex.significant(theirs, 2)})")
    claimed = paper.number("4.5", "fmad-multiple", "computation-over-bp")
    return (
        f"As multiples of {computation.METHODS[REFERENCE]}, both at their least, and in brackets "
        f"by the paper's table, a step takes: {latex.listing(said)}. (The text of the paper says "
        f"{_plain(claimed)} of FMAD-Multiple.) With the paper's iterations, so do the totals until "
        f"convergence: {latex.listing(totals)}."
    )


def totals(data: Accounting) -> str:
    """Whether the paper's totals are its iterations times its costs."""
    wrong = [name for one, name in computation.METHODS.items() if not computation.consistent(one)]
    if not wrong:
        return "The paper's totals are its iterations times its costs of one, for every method."
    return f"The paper's totals are not its iterations times its costs for {latex.listing(wrong)}."


def near(data: Accounting) -> str:
    """Peak memory of ZO and of BP with checkpointing against the paper's."""
    said = []
    for method in (ZEROTH, REFERENCE):
        step, theirs = data.step(PAPER_MODEL, method), paper.memory(method)
        if step is None or theirs is None:
            continue
        ours = float(step["peak_bytes"]) / GB
        more = "more" if ours > theirs else "less"
        share = f"{latex.number(100 * abs(ours / theirs - 1), 0)}{PERCENT}"
        said.append(
            f"{_label(step)} takes {latex.number(ours, 2)}~GB, {share} {more} than the paper's "
            f"{latex.number(theirs, 2)}"
        )
    ratios = [
        f"{latex.number(ratio, 2)} on {latex.escape(sheet.label)}"
        for name in MODELS
        if (sheet := data.sheet(name)) and (ratio := _peaks(data, name, REFERENCE, ZEROTH))
    ]
    text = f"{latex.listing(said)}." if said else "Neither is priced."
    if ratios:
        text += (
            f" In multiples of ZO's peak, that of BP-Checkpointing is {latex.listing(ratios)}, in "
            f"the paper {_between(REFERENCE, 'memory-over-zo')}."
        )
    return text


def forward(data: Accounting) -> str:
    """FMAD's activations and tangents, and its peak against that of BP with checkpointing."""
    step, zeroth = (data.step(PAPER_MODEL, method) for method in (FORWARD, ZEROTH))
    reference = data.step(PAPER_MODEL, REFERENCE)
    if step is None or zeroth is None or reference is None:
        return "It is not priced."
    ratios = []
    for name in MODELS:
        one, other = data.step(name, FORWARD), data.step(name, ZEROTH)
        sheet = data.sheet(name)
        if one is not None and other is not None and sheet is not None:
            ratio = latex.number(_streams(one) / float(other["peak_activations"]))
            ratios.append(f"{ratio} on {latex.escape(sheet.label)}")
    theirs = [paper.number("4.4", method, "activations") for method in (FORWARD, ZEROTH)]
    text = (
        f"Activations and tangents of {_label(step)} take {latex.number(_streams(step) / GB, 2)}~GB"
        f" and the activations of {_label(zeroth)} "
        f"{latex.number(float(zeroth['peak_activations']) / GB, 2)}; the paper has "
        f"{latex.number(theirs[0], 2)} and {latex.number(theirs[1], 2)}. The ratio is "
        f"{latex.listing(ratios)}; the paper has {_between(FORWARD, 'activations-over-zo')}. "
    )
    less = (float(step["peak_bytes"]) - float(reference["peak_bytes"])) / GB
    amount = f"{latex.number(abs(less), 2)}~GB {'less' if less > 0 else 'more'}"
    order = "the same" if less > 0 else "the opposite"
    return text + (
        f"At the peak {_label(reference)} takes {amount} than {_label(step)}, where the paper has "
        f"{_between(REFERENCE, 'memory-below-fmad')}~GB less: the order of the two is {order}."
    )


def own(data: Accounting) -> str:
    """Whether the paper's own numbers give the order that its text states."""
    forward_, zeroth = (paper.number("4.4", one, "activations") for one in (FORWARD, ZEROTH))
    peak, reference = paper.memory(ZEROTH), paper.memory(REFERENCE)
    below = _limits(REFERENCE, "memory-below-fmad")
    if None in (forward_, zeroth, peak, reference, *below):
        return ""
    assert forward_ is not None
    assert zeroth is not None
    assert peak is not None
    assert reference is not None
    swapped = peak - zeroth + forward_
    text = (
        f"With FMAD's activations in place of its own, the paper's {latex.number(peak, 2)}~GB of "
        f"ZO become {latex.number(swapped, 2)}"
    )
    needed = [reference + (one or 0) - swapped for one in below]
    if needed[0] <= 0:
        return f"{text}, which is more than the {latex.number(reference, 2)} of BP-Checkpointing."
    return (
        f"{text}, less than the {latex.number(reference, 2)} of BP-Checkpointing: if its numbers "
        "are of one model, FMAD must have held another "
        f"{latex.number(needed[0])} to {latex.number(needed[1])}~GB, which it names nowhere."
    )


def in_short(data: Accounting) -> str:
    """What a step of each family takes, for the abstract."""
    methods = (REFERENCE, FORWARD, ZEROTH)
    steps = [step for one in methods if (step := data.step(PAPER_MODEL, one)) is not None]
    if len(steps) < len(methods):
        return ""
    memory, flops = (
        latex.listing([latex.number(float(step[key]) / unit, digits) for step in steps])
        for key, unit, digits in (("peak_bytes", GB, 1), ("step_flops", 1e12, 0))
    )
    return (
        f"At the paper's scale a step of {latex.listing([_label(step) for step in steps])} takes "
        f"{memory}~GB and {flops}~TFLOP; {zeros(data)}{PERCENT} of what PyTorch spends on FMAD "
        "multiplies zeros."
    )


def frontier(data: Accounting) -> str:
    """Which methods without backpropagation a policy of it betters in memory and in FLOPs.

    Memory is the accelerator's, so that a policy which holds activations in the host's is told
    apart.
    """
    steps = data.steps(PAPER_MODEL)
    steps = steps[~steps["published"]]
    policies = steps[steps["family"] == "bp"]
    others = steps[steps["family"] != "bp"]
    if policies.empty or others.empty:
        return "There is nothing to compare here."
    alone: list[str] = []
    hosted: dict[str, float] = {}  # with the bytes that this takes of the host
    for _, step in others.iterrows():
        better = policies[
            (policies["peak_bytes"] <= step["peak_bytes"])
            & (policies["step_flops"] <= step["step_flops"])
        ]
        if better.empty:
            continue
        name, needs = latex.escape(step["name"]), float(better["peak_host"].min())
        if needs:
            hosted[name] = needs
        else:
            alone.append(name)
    rest = len(others) - len(alone) - len(hosted)
    said = []
    if alone:
        said.append(f"some policy of backpropagation takes no more than {latex.listing(alone)}")
    if hosted:
        most = latex.number(max(hosted.values()) / GB, 2)
        said.append(
            f"with {most}~GB of activations in the host's memory one takes no more than "
            f"{latex.listing(list(hosted))}"
        )
    if rest:
        left = "none" if said else "no policy of backpropagation"
        which = f"the other {rest} of {len(others)}" if said else f"any of {len(others)}"
        said.append(f"{left} takes as little as {which} methods without it")
    return f"Of memory on the accelerator and FLOPs, of both, {'; '.join(said)}."


def room(data: Accounting) -> str:
    """The largest batches, the use that memory has."""
    said = []
    for card in (24, 48):
        column = f"largest_batch_{card}"
        found = [
            f"{latex.count(step[column])} ({_label(step)})"
            for method in ("bp-vanilla", REFERENCE, FORWARD, ZEROTH)
            if (step := data.step(PAPER_MODEL, method)) is not None and column in step
        ]
        if found:
            said.append(f"into {card}~GB fit at most {latex.listing(found)}")
    return f"Of inputs of this length, {'; '.join(said)}." if said else ""


def stated(data: Accounting) -> str:
    """How many of Table 2's bounds grow as stated, and which do not."""
    verdicts: dict[str, dict[str, list[str]]] = {}
    total = 0
    for part in bounds.PARTS:
        for bound in part.bounds:
            steps = data.series(part.sheet, bound.method, part.against, together=bound.together)
            if steps.empty:
                continue
            total += 1
            said = bounds.verdict(bound, bounds.found(data, part, bound))
            label = latex.escape(steps["label"].iloc[-1])
            if part.against == "directions":
                label += " together" if bound.together else " in turn"
            verdicts.setdefault(said, {}).setdefault(part.short, []).append(label)
    if not total:
        return "Nothing is varied here."
    right = sum(map(len, verdicts.pop("as stated", {}).values()))
    text = f"Of {total} series, {right} grow as stated."
    for said, parts in verdicts.items():
        where = [f"{part} of {latex.listing(names)}" for part, names in parts.items()]
        than = " than stated" if said.startswith("grows") else ""
        text += f" {said.capitalize()}{than}: {'; '.join(where)}."
    return text


def deepest(data: Accounting) -> str:
    """What each policy of checkpointing takes of memory at the largest depth."""
    found = []
    layers = 0
    for method in ("bp-vanilla", "bp-checkpointing", "bp-segments", "bp-nested"):
        steps = data.series(DEPTH, method, "layers")
        if not steps.empty:
            last = steps.iloc[-1]
            layers = max(layers, int(last["layers"]))
            found.append((float(last["above_weights"]), latex.escape(last["label"])))
    if not found:
        return "No depth is varied here."
    said = [f"{label} {latex.scaled(amount, 'B')}" for amount, label in sorted(found)]
    return f"At {layers}~layers, memory above the weights is: {latex.listing(said)}."


def recomputation(data: Accounting) -> str:
    """What checkpointing adds to backpropagation's FLOPs, against a factor of log p."""
    plain = data.series(DEPTH, "bp-vanilla", "layers").set_index("layers")["step_flops"]
    said = []
    ends = (0, 0)
    for method in ("bp-checkpointing", "bp-segments", "bp-nested"):
        steps = data.series(DEPTH, method, "layers").set_index("layers")
        times = (steps["step_flops"] / plain).dropna()
        if len(times) > 1:
            ends = int(times.index[0]), int(times.index[-1])
            first, last = (latex.number(float(times.iloc[place]), 2) for place in (0, -1))
            label = latex.escape(steps["label"].iloc[-1])
            said.append(f"{label} from {first} to {last}")
    if not said or min(ends) < 2:
        return "No depth is varied here."
    grown = log(ends[1]) / log(ends[0])
    return (
        f"From {ends[0]} to {ends[1]} layers $\\log p$ grows {latex.number(grown)} times; in "
        f"those of BP-Vanilla, the FLOPs go for {latex.listing(said)}."
    )


def _streams(step: pd.Series[Any]) -> float:
    """Bytes of activations and their tangents."""
    return float(step["peak_activations"]) + float(step["peak_directions"])


def _peaks(data: Accounting, sheet: str, one: str, other: str) -> float | None:
    found = [data.step(sheet, method) for method in (one, other)]
    if found[0] is None or found[1] is None:
        return None
    return float(found[0]["peak_bytes"]) / float(found[1]["peak_bytes"])


def _limits(method: str, column: str) -> tuple[float | None, float | None]:
    least_, most = (paper.number("4.4", method, f"{column}-{end}") for end in ("least", "most"))
    return least_, most


def _between(method: str, column: str) -> str:
    return " to ".join(map(_plain, _limits(method, column)))


def _plain(value: float | None) -> str:
    """A number of the paper as it stands there."""
    return latex.DASH if value is None else f"{value:g}"


def _ratio(one: float | None, other: float | None) -> float | None:
    return None if one is None or not other else one / other


def _label(step: pd.Series[Any]) -> str:
    return latex.escape(step["label"])
