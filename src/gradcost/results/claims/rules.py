"""How a verdict is reached: the same rules for all claims, written down here and nowhere else.

A *measure* turns evidence into cases: a number with its 95 % interval, for every task (and pair
of methods) that a claim speaks of and that is at hand. A *rule* turns cases into a finding.

- A case lies on a side of the neutral value (0 for differences, 1 for ratios) if its whole
  interval does, and is undecided otherwise, as is one of a single seed, which has no interval.
- `above` and `below` of `every` case: supported if all lie on the claimed side, contradicted if
  any lies on the other, inconclusive otherwise. Of `some` ("up to", "often", "can"): supported
  if any lies on the claimed side, contradicted if all lie on the other.
- `about`: supported if every interval lies within the margin around the neutral value,
  contradicted if one lies outside of it, inconclusive otherwise.
- The number that the paper gives is judged beside the direction (`Finding.size`): supported if it
  lies in our interval (a range: if it meets it) in every case, contradicted if in one it does not.
  Only at the paper's own scale: elsewhere the size is not tested, and the direction alone is.
- A count has no spread, and its interval is a point; so is that of runs which are equal seed by
  seed, as those of FMAD and ZO along the same directions often are. What is a point and not on the
  claimed side is against it: nothing is undecided. A count agrees with the paper's number within
  `TOLERANCE`, since that number is rounded and, where it is of memory, measured.
- Not tested: what has no case, with the reason. Cases that are missing are named, and the rule is
  applied to the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from math import exp
from typing import Literal

from gradcost.results.claims.evidence import Evidence
from gradcost.results.claims.ledger import Bound, Finding, Kind, Verdict
from gradcost.results.statistics import Summary

TOLERANCE = 0.05  # share by which a count may differ from the number of the paper
Stated = float | tuple[float, float]
Quantifier = Literal["every", "some"]
Test = Callable[[Evidence], Finding]


@dataclass(frozen=True)
class Case:
    """A number with its interval, and the paper's number for the same thing, if it is one.

    `n` is None for a count, whose interval is a point.
    """

    where: str
    value: float
    low: float | None
    high: float | None
    n: int | None = None
    stated: Stated | None = None
    bound: Bound = ""  # what `value` is, if a run spent more than what it is counted with

    @classmethod
    def of(
        cls,
        where: str,
        found: Summary,
        *,
        stated: Stated | None = None,
        logs: bool = False,
        bound: Bound = "",
    ) -> Case:
        """From a summary over seeds; of logarithms, if `logs`."""
        ends = found.interval or (None, None)
        value, low, high = (
            exp(end) if logs and end is not None else end for end in (found.mean, *ends)
        )
        assert value is not None
        return cls(where, value, low, high, found.n, stated, bound)

    @classmethod
    def counted(cls, where: str, value: float, stated: Stated | None = None) -> Case:
        """From a count."""
        return cls(where, value, value, value, None, stated)

    @property
    def exact(self) -> bool:
        """Whether its interval is a point."""
        return self.low is not None and self.low == self.high

    def side(self, neutral: float) -> int:
        """+1 or -1 where the whole interval lies above or below, and 0 where it holds `neutral`."""
        if self.low is None or self.high is None:
            return 0
        return int(self.low > neutral) - int(self.high < neutral)


@dataclass(frozen=True)
class Measured:
    """The cases of a claim. `absent` names those that could not be measured, and why."""

    quantity: str
    unit: str
    neutral: float
    scale: str
    cases: Sequence[Case]
    absent: Sequence[str] = ()
    sized: bool = False  # whether the paper gives a number for it
    of: str = "seeds"
    differs: str = ""


Measure = Callable[[Evidence], Measured]


@dataclass(frozen=True)
class Claim:
    """A sentence of the paper, in our words, and what puts it to the test.

    Attributes:
        source: where it stands.
        experiments: of config.yaml, that it needs; `sheets`, of its accounting.
    """

    id: str
    source: str
    kind: Kind
    statement: str
    test: Test
    experiments: tuple[str, ...] = ()
    sheets: tuple[str, ...] = ()
    headline: bool = field(default=False, kw_only=True)


def above(measure: Measure, quantifier: Quantifier = "every") -> Test:
    """More than the neutral value."""
    return lambda evidence: _directed(measure(evidence), +1, quantifier)


def below(measure: Measure, quantifier: Quantifier = "every") -> Test:
    """Less than the neutral value."""
    return lambda evidence: _directed(measure(evidence), -1, quantifier)


def about(measure: Measure, margin: float) -> Test:
    """As much as the neutral value: within a `margin`, of a ratio as a factor."""

    def test(evidence: Evidence) -> Finding:
        found = measure(evidence)
        if found.neutral:
            low, high = found.neutral / margin, found.neutral * margin
        else:
            low, high = -margin, margin
        return _within(found, low, high)

    return test


def equal(measure: Measure) -> Test:
    """Each case is the number that the paper gives for it: a claim of nothing but size."""

    def test(evidence: Evidence) -> Finding:
        found = measure(evidence)
        if not found.cases:
            return _nothing(found)
        agree = [(_agrees(case), case) for case in found.cases]
        verdict = _worst([one for one, _ in agree])
        deciding = max(
            (case for one, case in agree if one == verdict),
            key=_distance,
        )
        return _finding(found, verdict, deciding, verdict, "The furthest from the paper's number")

    return test


def untestable(reason: str) -> Test:
    """No experiment of the study bears on it."""
    return lambda evidence: Finding(verdict="not tested", scale=evidence.scale, said=reason)


def _directed(found: Measured, side: int, quantifier: Quantifier) -> Finding:
    if not found.cases:
        return _nothing(found)
    sides = [side * case.side(found.neutral) or (-1 if case.exact else 0) for case in found.cases]
    verdict: Verdict = "inconclusive"
    if quantifier == "every":
        if min(sides) > 0:
            verdict = "supported"
        elif min(sides) < 0:
            verdict = "contradicted"
    elif max(sides) > 0:
        verdict = "supported"
    elif max(sides) < 0:
        verdict = "contradicted"
    pick = min if quantifier == "every" else max
    extreme = pick(sides)
    deciding = pick(
        (case for case, one in zip(found.cases, sides, strict=True) if one == extreme),
        key=lambda case: side * case.value,
    )
    counts = [sides.count(one) for one in (1, -1, 0)]
    tally = (
        f"{'Least' if quantifier == 'every' else 'Most'} favourable of {len(sides)} comparisons "
        f"({counts[0]} for, {counts[1]} against, {counts[2]} undecided)"
    )
    judged = found.cases if quantifier == "every" else [deciding]
    return _finding(found, verdict, deciding, _size(found, judged), tally)


def _within(found: Measured, low: float, high: float) -> Finding:
    if not found.cases:
        return _nothing(found)

    def judged(case: Case) -> Verdict:
        if case.low is None or case.high is None:
            return "inconclusive"
        if low <= case.low and case.high <= high:
            return "supported"
        return "contradicted" if case.high < low or high < case.low else "inconclusive"

    each = [(judged(case), case) for case in found.cases]
    verdict = _worst([one for one, _ in each])
    deciding = max(
        (case for one, case in each if one == verdict), key=lambda case: _apart(case, found.neutral)
    )
    tally = f"Furthest of {len(each)} from {found.neutral:g}, where {low:.3g} to {high:.3g} counts"
    return _finding(found, verdict, deciding, _size(found, found.cases), tally)


def _apart(case: Case, neutral: float) -> float:
    if neutral and case.value > 0:
        return max(case.value / neutral, neutral / case.value)
    return abs(case.value - neutral)


def _worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Of what must all hold: one that fails decides, then one that is open."""
    found = set(verdicts)
    order: tuple[Verdict, ...] = ("contradicted", "inconclusive", "not tested", "supported")
    return next(one for one in order if one in found)


def _size(found: Measured, cases: Sequence[Case]) -> Verdict | None:
    if not found.sized:
        return None
    return _worst([_agrees(case) for case in cases])


def _agrees(case: Case) -> Verdict:
    """Whether our interval meets the paper's number or range."""
    if case.stated is None:
        return "not tested"
    if case.low is None or case.high is None:
        return "inconclusive"
    first, last = _ends(case.stated)
    if case.n is None:
        first, last = first - TOLERANCE * abs(first), last + TOLERANCE * abs(last)
    return "supported" if first <= case.high and case.low <= last else "contradicted"


def _distance(case: Case) -> float:
    """From the paper's number, as a share of it."""
    if case.stated is None:
        return 0.0
    first, last = _ends(case.stated)
    return max(first - case.value, case.value - last, 0.0) / (max(abs(first), abs(last)) or 1.0)


def _ends(stated: Stated) -> tuple[float, float]:
    if isinstance(stated, tuple):
        return min(stated), max(stated)
    return stated, stated


def _nothing(found: Measured) -> Finding:
    reason = "; ".join(found.absent) or "nothing that it speaks of is at hand"
    return Finding(
        verdict="not tested",
        size="not tested" if found.sized else None,
        unit=found.unit,
        of=found.of,
        scale=found.scale,
        said=f"{reason[0].upper()}{reason[1:]}.",
        differs=found.differs,
    )


def _finding(
    found: Measured, verdict: Verdict, case: Case, size: Verdict | None, tally: str
) -> Finding:
    text = f"{found.quantity}, {case.where}"
    if case.low is None:
        text += ", of a single seed, which gives no interval"
    if case.stated is not None:
        first, last = _ends(case.stated)
        paper = shown(first) if first == last else f"{shown(first)} to {shown(last)}"
        text += f"; in the paper {paper}"
    text += "."
    if len(found.cases) > 1:
        text += f" {tally}."
    if found.absent:
        text += f" Left out: {'; '.join(found.absent)}."
    return Finding(
        verdict=verdict,
        size=size,
        value=case.value,
        low=case.low,
        high=case.high,
        bound=case.bound,
        unit=found.unit,
        n=case.n,
        of=found.of,
        scale=found.scale,
        said=text[0].upper() + text[1:],
        differs=found.differs,
    )


def shown(value: float) -> str:
    """A number as sentences have it: of three digits."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
