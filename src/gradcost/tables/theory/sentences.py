"""Sentences on what was verified, whose words depend on what was found."""

from __future__ import annotations

import math

from gradcost.results.theory import Check, Point, Theory, Verdict, statements, verdict
from gradcost.tables import latex
from gradcost.tables.theory.cells import value

PRECISIONS = ("float64", "float32", "bfloat16")
_NONE = "Nothing was verified."


def verdicts(data: Theory, what: str = "statements") -> str:
    """How many statements hold, how many after a correction, and how many do not."""
    kinds = [verdict(checks) for checks in statements(data.checks).values()]
    if not kinds:
        return _NONE
    said: dict[Verdict, str] = {
        "as printed": "hold as printed",
        "with a correction": "hold with a correction",
        "not": "do not hold",
    }
    counts = [f"{kinds.count(kind)} {how}" for kind, how in said.items() if kind in kinds]
    return f"Of {len(kinds)} {what} {latex.listing(counts)}."


def in_short(data: Theory) -> str:
    """The same for an abstract."""
    return verdicts(data, "statements of the theory")


def chance(data: Theory) -> str:
    """Whether intervals hold what is predicted as often as they should, and what is left open."""
    covered = [check.covered for check in data.checks if check.covered is not None]
    if not covered:
        return _NONE
    share = 100 * data.results.confidence
    odd = [check.id for check in data.checks if not check.explained]
    rest = (
        "No measurement is further than four standard errors and the next order from what the "
        "right statement predicts."
        if not odd
        else f"What the right statement predicts is not what was found in "
        f"{latex.listing([latex.escape(name) for name in odd])}."
    )
    return (
        f"Of {len(covered)} intervals {sum(covered)} hold the predicted value, where "
        f"{share:g}\\,\\% of them should. {rest}"
    )


def variance(data: Theory) -> str:
    """The largest relative departure of a measured variance from (d + 1)/n."""
    found = [
        check
        for check in data.below("lemma-i4/variance", "lemma-i6/variance")
        if check.predicted > 0
    ]
    if not found:
        return _NONE
    worst = max(abs(check.measured / check.predicted - 1) for check in found)
    return (
        f"Measured variances are within {value(100 * worst, 2)}\\,\\% of "
        r"$\frac{d+1}{n}\|\nabla f\|^2$, of either estimator."
    )


def limit(data: Theory) -> str:
    """By how much the printed limit of the step size falls short on anisotropic functions."""
    found = data.below("theorem-i9/anisotropic", "theorem-i8/anisotropic")
    if not found:
        return _NONE
    one = max(found, key=lambda check: check.predicted)
    return (
        f"With eigenvalues $L/i$ in $d={one.parameters['d']}$ dimensions and "
        f"$n={one.parameters['n']}$ descent in expectation goes on up to {value(one.measured)} "
        f"times the printed limit, and is predicted to up to {value(one.predicted)} times."
    )


def floor(data: Theory) -> str:
    """With which powers the term in epsilon was found to grow."""
    named = {
        r"$\eta$": "theorem-i8/floor-step-size",
        "$n$": "theorem-i8/floor-directions",
        r"$\varepsilon$": "theorem-i8/floor-epsilon",
    }
    found = {letter: check for letter, name in named.items() if (check := data.check(name))}
    if not found:
        return _NONE
    said = [
        f"{value(check.measured)} of {letter} (printed {value(check.printed)}, predicted "
        f"{value(check.predicted)})"
        for letter, check in found.items()
    ]
    return (
        f"Of what remains of the squared gradient the measured exponents are {latex.listing(said)}."
    )


def discretisation(data: Theory) -> str:
    """How little of an estimate's error is that of the difference."""
    check = data.check("section-3/discretisation")
    if check is None:
        return _NONE
    return (
        f"At $\\varepsilon={check.parameters['epsilon']}$ the squared error of the difference is "
        f"{value(check.measured)} of that of the random direction."
    )


def best(points: list[Point]) -> Point:
    """The point of the least error."""
    return min(points, key=lambda point: point.y)


def rounding(data: Theory) -> str:
    """The best epsilon of each precision, and the error there and at 1e-3."""
    said = []
    for label in PRECISIONS:
        series = data.series("rounding").get(label)
        if series is None or not series.points:
            continue
        least = best(series.points)
        near = min(series.points, key=lambda point: abs(math.log(point.x / 1e-3)))
        said.append(
            f"in {label} about {value(least.x, 1)}, with an error of "
            f"{value(100 * least.y, 2)}\\,\\% (at {value(near.x, 1)}: "
            f"{value(100 * near.y, 2)}\\,\\%)"
        )
    return f"The best $\\varepsilon$ is {latex.listing(said)}." if said else _NONE


def lever(data: Theory) -> str:
    """What a small epsilon does for a large step."""
    check = data.check("corollary-i10/lever")
    return _NONE if check is None else _lever(check)


def _lever(check: Check) -> str:
    return (
        rf"At $\eta=\frac1L$ and $d={check.parameters['d']}$ one step of zeroth order multiplies "
        rf"$\frac12\|w\|^2$ by {value(check.measured)} on average, whatever $\varepsilon$."
    )
