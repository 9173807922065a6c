"""What claims measure on sheets of prices: counts, and so without an interval.

Sheets are of the paper's own models, whatever the scale of the runs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd

from gradcost.results.accounting import GB, LAWS, PAPER_MODEL, TERA, Accounting
from gradcost.results.claims.evidence import Evidence
from gradcost.results.claims.ledger import Finding, Verdict
from gradcost.results.claims.rules import Case, Measure, Measured, Stated, Test, shown

COUNTED = "counted"
Pair = tuple[str, str]
Step = pd.Series
PUBLISHED = "as published"  # a method as the paper's public code runs it
TOGETHER = "together"  # its directions evaluated at the same time
Quantity = Callable[[Step], float]


def peak(step: Step) -> float:
    """Peak memory, GB."""
    return float(step["peak_bytes"]) / GB


def above_weights(step: Step) -> float:
    """Peak memory beside the model's own, GB."""
    return float(step["above_weights"]) / GB


def activations(step: Step) -> float:
    """Memory of activations and of their tangents, GB."""
    return float(step["peak_activations"] + step["peak_directions"]) / GB


def flops(step: Step) -> float:
    """Computation of a step, TFLOP."""
    return float(step["step_flops"]) / TERA


_NAMES: dict[Quantity, tuple[str, str]] = {
    peak: ("peak memory", "GB"),
    above_weights: ("memory above the weights", "GB"),
    activations: ("memory of activations and tangents", "GB"),
    flops: ("computation of a step", "TFLOP"),
}


def counted(
    quantity: Quantity,
    *pairs: Pair,
    sheets: tuple[str, ...] = (PAPER_MODEL,),
    how: str = "",
    difference: bool = False,
    neutral: float | None = None,
    stated: Stated | None = None,
) -> Measure:
    """A quantity of the first of each pair over (or minus) the second's, on each sheet.

    `neutral` is what it is compared with, other than one (or zero). `how` is `PUBLISHED` or
    `TOGETHER`; by default methods are as described, with their directions in turn.
    """
    name, unit = _NAMES[quantity]

    def measure(evidence: Evidence) -> Measured:
        cases: list[Case] = []
        absent: list[str] = []
        for sheet in _present(evidence.accounting, sheets):
            for pair in pairs:
                steps = _both(evidence, sheet, pair, how, absent)
                if steps is None:
                    continue
                one, other = map(quantity, steps)
                joined = "minus" if difference else "over"
                place = (
                    f"{steps[0]['name']} {joined} {steps[1]['name']} on {_label(evidence, sheet)}"
                )
                number = one - other if difference else one / other
                cases.append(Case.counted(place, number, stated))
        usual = 0.0 if difference else 1.0
        return Measured(
            name,
            unit if difference else "times",
            usual if neutral is None else neutral,
            COUNTED,
            cases,
            _absent(evidence, sheets, absent),
            stated is not None,
        )

    return measure


def between_sheets(quantity: Quantity, pair: Pair, first: str, second: str) -> Measure:
    """A quantity of the first of a pair over the second's: on one sheet over the same on another.

    Where the first sheet's ratio is the larger, the measure is more than one.
    """
    name, _ = _NAMES[quantity]

    def measure(evidence: Evidence) -> Measured:
        ratios: list[float] = []
        said: list[str] = []
        absent: list[str] = []
        for sheet in _present(evidence.accounting, (first, second)):
            steps = _both(evidence, sheet, pair, "", absent)
            if steps is None:
                continue
            one, other = map(quantity, steps)
            ratios.append(one / other)
            said.append(f"{_label(evidence, sheet)} ({shown(one / other)})")
            methods = f"{steps[0]['name']} over {steps[1]['name']}"
        cases = []
        if len(ratios) == 2:
            cases.append(Case.counted(f"{methods}: {' over '.join(said)}", ratios[0] / ratios[1]))
        lacking = _absent(evidence, (first, second), absent)
        return Measured(name, "times", 1.0, COUNTED, cases, lacking)

    return measure


def amounts(quantity: Quantity, stated: dict[str, float], *, how: str = "") -> Measure:
    """A quantity of methods on the paper's model, each with the paper's number."""
    name, unit = _NAMES[quantity]

    def measure(evidence: Evidence) -> Measured:
        cases, absent = [], []
        for key, number in stated.items():
            step = _step(evidence.accounting, PAPER_MODEL, key, how)
            if step is None:
                absent.append(f"{key} is not priced{f' {how}' if how else ''}")
            else:
                cases.append(Case.counted(str(step["name"]), quantity(step), number))
        lacking = _absent(evidence, (PAPER_MODEL,), absent)
        return Measured(name, unit, 0.0, COUNTED, cases, lacking, sized=True)

    return measure


def limits(quantity: Quantity, method: str, limit: float, sheet: str = PAPER_MODEL) -> Measure:
    """A quantity of a method over a limit that the paper names."""
    name, unit = _NAMES[quantity]

    def measure(evidence: Evidence) -> Measured:
        step = _step(evidence.accounting, sheet, method, "")
        cases = [] if step is None else [Case.counted(str(step["name"]), quantity(step))]
        absent = _absent(evidence, (sheet,), [f"{method} is not priced"] if step is None else [])
        return Measured(name, unit, limit, COUNTED, cases, absent)

    return measure


def grows(
    quantity: str, sheet: str, against: str, *bounds: tuple[str, str], together: bool = False
) -> Test:
    """Whether a column grows with another as Table 2 says: `constant`, `square root`, ... .

    Supported if it does for every method, contradicted if for one it grows by another law. A
    quantity that grows less than a bound on it obeys the bound, but not as the bound describes.
    """

    def test(evidence: Evidence) -> Finding:
        found = []
        for method, law in bounds:
            growth = evidence.accounting.growth(sheet, method, against, quantity, together=together)
            if growth is not None and growth.law is not None:
                found.append((method, law, growth))
        if not found:
            reason = f"No sheet of prices varies {against.replace('_', ' ')} for it here."
            return Finding(verdict="not tested", scale=COUNTED, of="", said=reason)
        wrong = [one for one in found if one[1] != one[2].law]
        order = list(LAWS)
        said = []
        for method, law, growth in found:
            assert growth.law is not None
            apart = order.index(growth.law) - order.index(law)
            how = "as stated" if not apart else f"{'more' if apart > 0 else 'less'} than stated"
            said.append(
                f"{method} grows as {growth.law} ({how}; exponent {shown(growth.exponent)})"
            )
        verdict: Verdict = "contradicted" if wrong else "supported"
        deciding = (wrong or found)[0][2].exponent
        return Finding(
            verdict=verdict,
            value=deciding,
            low=deciding,
            high=deciding,
            unit="exponent",
            of="",
            scale=COUNTED,
            said="; ".join(said) + ".",
        )

    return test


def _step(data: Accounting, sheet: str, method: str, how: str) -> pd.Series[Any] | None:
    if how == PUBLISHED:
        return data.as_published(sheet, method)
    return data.step(sheet, method, together=how == TOGETHER)


def _both(
    evidence: Evidence, sheet: str, pair: Pair, how: str, absent: list[str]
) -> tuple[Step, Step] | None:
    """The steps of a pair on a sheet. Without one of them None, and `absent` says which."""
    one, other = (_step(evidence.accounting, sheet, method, how) for method in pair)
    if one is None or other is None:
        missing = pair[0] if one is None else pair[1]
        absent.append(f"{missing} is not priced on {_label(evidence, sheet)}")
        return None
    return one, other


def _present(data: Accounting, sheets: tuple[str, ...]) -> list[str]:
    return [sheet for sheet in sheets if data.sheet(sheet) is not None]


def _absent(evidence: Evidence, sheets: tuple[str, ...], absent: list[str]) -> list[str]:
    missing = [one for one in sheets if evidence.accounting.sheet(one) is None]
    return [f"the sheet {name} is not priced" for name in missing] + absent


def _label(evidence: Evidence, sheet: str) -> str:
    found = evidence.accounting.sheet(sheet)
    return sheet if found is None else found.label
