"""Table 2's memory and computation against what is counted: how each grows, and a verdict."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gradcost.results.accounting import DEPTH, DIRECTIONS, LAWS, RANK, Accounting, Growth
from gradcost.tables import latex


@dataclass(frozen=True)
class Bound:
    """What Table 2 says of a method, and so how it should grow with what is varied."""

    method: str
    stated: str  # in mathematics
    law: str  # of LAWS
    together: bool = False


@dataclass(frozen=True)
class Part:
    """Bounds on one quantity, with one thing varied."""

    title: str
    short: str
    sheet: str
    against: str  # a column of the sheet's rows
    of: str
    unit: str
    bounds: tuple[Bound, ...]


_FORWARD = ("fmad", "zo")
_CHECKPOINTED = ("bp-checkpointing", "bp-segments", "bp-nested")
_SEVERAL = tuple((f"{family}-multiple", together) for family in _FORWARD for together in (0, 1))
PARTS = (
    Part(
        "Memory above the weights, against depth $p$",
        "memory against $p$", DEPTH, "layers", "above_weights", "B",
        (
            Bound("bp-vanilla", "cp", "linear"),
            *(Bound(method, r"c\sqrt p", "square root") for method in _CHECKPOINTED),
            *(Bound(f"{family}-vanilla", "c_h", "constant") for family in _FORWARD),
        ),
    ),
    Part(
        "Memory above the weights, against directions $n$",
        "memory against $n$",
        DIRECTIONS, "directions", "above_weights", "B",
        tuple(
            Bound(method, "nc_h", "linear", True) if together else Bound(method, "c_h", "constant")
            for method, together in _SEVERAL
        ),
    ),
    Part(
        "FLOPs of a step, against depth $p$, with which $d$ grows in proportion",
        "FLOPs against $p$",
        DEPTH, "layers", "step_flops", "FLOP",
        (
            Bound("bp-vanilla", "d", "linear"),
            *(Bound(method, r"d\log p", "linear times logarithm") for method in _CHECKPOINTED),
            *(Bound(f"{family}-vanilla", "nd", "linear") for family in _FORWARD),
        ),
    ),
    Part(
        "FLOPs of a step, against directions $n$",
        "FLOPs against $n$", DIRECTIONS, "directions", "step_flops", "FLOP",
        tuple(Bound(method, "nd", "linear", bool(together)) for method, together in _SEVERAL),
    ),
    Part(
        "FLOPs of a step, against trained parameters $d$, by the rank of the adapters",
        "FLOPs against $d$",
        RANK, "trainable_parameters", "step_flops", "FLOP",
        (
            Bound("bp-vanilla", "d", "linear"),
            *(Bound(f"{family}-vanilla", "nd", "linear") for family in _FORWARD),
        ),
    ),
)  # fmt: skip
SHOWN = {  # laws as they are written, of p, n or d
    "constant": "$1$",
    "square root": r"$\sqrt{{{x}}}$",
    "linear": "${x}$",
    "linear times logarithm": r"${x}\log {x}$",
}
_LETTERS = {"layers": "p", "directions": "n", "trainable_parameters": "d"}
HEADER = [
    r"Method & Table 2 & least & most & exponent & grows as & each adds & verdict \\",
]
_WIDTH = 8


def render(data: Accounting) -> str:
    """Per quantity and what is varied; a method that was not priced is left out."""
    body: list[list[str] | str] = []
    for part in PARTS:
        lines = [line for bound in part.bounds if (line := _line(data, part, bound))]
        if lines:
            body += [latex.heading(part.title, _WIDTH, first=not body), *lines]
    if not body:
        body = [rf"\multicolumn{{{_WIDTH}}}{{@{{}}l}}{{nothing is varied}} \\"]
    return latex.tabular("@{}llrrrlrl@{}", HEADER, body)


def found(data: Accounting, part: Part, bound: Bound) -> Growth | None:
    """How it grows; None where that is not known."""
    return data.growth(part.sheet, bound.method, part.against, part.of, together=bound.together)


def verdict(bound: Bound, grows: Growth | None) -> str:
    """The law that was found against the one that Table 2 states."""
    if grows is None or grows.law is None:
        return "not known"
    order = [*LAWS]
    apart = order.index(grows.law) - order.index(bound.law)
    return "as stated" if not apart else "grows more" if apart > 0 else "grows less"


def _line(data: Accounting, part: Part, bound: Bound) -> list[str]:
    steps = data.series(part.sheet, bound.method, part.against, together=bound.together)
    if steps.empty:
        return []
    grows = found(data, part, bound)
    several = part.against == "directions"
    how = (" together" if bound.together else " in turn") if several else ""
    amount: Callable[[float], str] = lambda value: latex.scaled(value, part.unit)  # noqa: E731
    law = None if grows is None else grows.law
    return [
        latex.escape(steps["label"].iloc[-1]) + how,
        rf"$O({bound.stated})$",
        amount(float(steps[part.of].iloc[0])),
        amount(float(steps[part.of].iloc[-1])),
        latex.number(None if grows is None else grows.exponent, 2),
        latex.DASH if law is None else SHOWN[law].format(x=_LETTERS[part.against]),
        latex.DASH if grows is None or law in (None, "constant") else amount(grows.each),
        verdict(bound, grows),
    ]
