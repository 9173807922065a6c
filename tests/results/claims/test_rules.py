"""The rules by which verdicts are reached, on cases whose intervals are known."""

from __future__ import annotations

import dataclasses

import pytest

from gradcost.results.claims.evidence import Evidence
from gradcost.results.claims.rules import (
    TOLERANCE,
    Case,
    Measure,
    Measured,
    Stated,
    about,
    above,
    below,
    equal,
    untestable,
)
from gradcost.results.statistics import summarise

NOTHING = Evidence("demo")
UP, DOWN = Case("up", 2.0, 1.0, 3.0, 3), Case("down", -2.0, -3.0, -1.0, 3)
OPEN, SINGLE = Case("open", 0.5, -1.0, 2.0, 3), Case("single", 5.0, None, None, 1)


def measure(*cases: Case, neutral: float = 0.0, sized: bool = False) -> Measure:
    """These cases, whatever the evidence."""
    found = Measured("accuracy", "points", neutral, "demo", cases, ("B: 3 diverged",), sized)
    return lambda evidence: found


@pytest.mark.parametrize(
    ("cases", "every", "some"),
    [
        ((UP, UP), "supported", "supported"),
        ((UP, DOWN), "contradicted", "supported"),
        ((UP, OPEN), "inconclusive", "supported"),
        ((OPEN, DOWN), "contradicted", "inconclusive"),
        ((DOWN, DOWN), "contradicted", "contradicted"),
        ((SINGLE,), "inconclusive", "inconclusive"),
        ((), "not tested", "not tested"),
    ],
)
def test_directions(cases: tuple[Case, ...], every: str, some: str) -> None:
    assert above(measure(*cases))(NOTHING).verdict == every
    assert above(measure(*cases), "some")(NOTHING).verdict == some
    mirrored = [
        dataclasses.replace(
            case,
            value=-case.value,
            low=None if case.high is None else -case.high,
            high=None if case.low is None else -case.low,
        )
        for case in cases
    ]
    assert below(measure(*mirrored))(NOTHING).verdict == every
    assert below(measure(*mirrored), "some")(NOTHING).verdict == some


def test_the_least_favourable_case_decides() -> None:
    better = Case("better", 9.0, 8.0, 10.0, 3)
    found = above(measure(better, UP))(NOTHING)
    assert (found.value, found.low, found.high, found.n) == (2.0, 1.0, 3.0, 3)
    assert "up" in found.said
    assert "B: 3 diverged" in found.said
    assert above(measure(better, UP), "some")(NOTHING).value == 9.0


def test_what_is_not_tested_says_why() -> None:
    found = above(measure(sized=True))(NOTHING)
    assert found.said == "B: 3 diverged."
    assert found.size == "not tested"
    assert untestable("Nothing bears on it.")(NOTHING).verdict == "not tested"


@pytest.mark.parametrize(
    ("case", "verdict"),
    [
        (Case("within", 1.0, 0.9, 1.1, 3), "supported"),
        (Case("outside", 3.0, 2.5, 3.5, 3), "contradicted"),
        (Case("across", 1.9, 1.5, 2.5, 3), "inconclusive"),
        (Case("single", 1.0, None, None, 1), "inconclusive"),
    ],
)
def test_alike(case: Case, verdict: str) -> None:
    assert about(measure(case, neutral=1.0), 2.0)(NOTHING).verdict == verdict


def test_alike_of_ratios_is_the_same_both_ways() -> None:
    for value in (0.6, 1 / 0.6):
        assert about(measure(Case.counted("x", value), neutral=1.0), 2)(NOTHING).verdict == (
            "supported"
        )
    assert about(measure(Case.counted("x", 0.4), neutral=1.0), 2)(NOTHING).verdict == (
        "contradicted"
    )


@pytest.mark.parametrize(
    ("stated", "size"),
    [(2.5, "supported"), (4.0, "contradicted"), ((2.9, 9.0), "supported"), (None, "not tested")],
)
def test_size_is_judged_beside_the_direction(stated: Stated | None, size: str) -> None:
    case = dataclasses.replace(UP, stated=stated)
    found = above(measure(case, sized=True))(NOTHING)
    assert (found.verdict, found.size) == ("supported", size)


def test_a_single_seed_leaves_the_size_open() -> None:
    case = dataclasses.replace(SINGLE, stated=5.0)
    assert above(measure(case, sized=True))(NOTHING).size == "inconclusive"


def test_runs_that_are_equal_seed_by_seed_are_against_a_difference() -> None:
    same = Case("same", 0.0, 0.0, 0.0, 3)
    assert above(measure(UP, same))(NOTHING).verdict == "contradicted"
    assert above(measure(UP, same), "some")(NOTHING).verdict == "supported"
    assert below(measure(same), "some")(NOTHING).verdict == "contradicted"


def test_counts_are_decided_and_agree_within_a_tolerance() -> None:
    same = Case.counted("same", 1.0)
    assert above(measure(same, neutral=1.0))(NOTHING).verdict == "contradicted"
    assert below(measure(same, neutral=1.0))(NOTHING).verdict == "contradicted"
    near, far = 1 + 0.9 * TOLERANCE, 1 + 1.1 * TOLERANCE
    assert equal(measure(Case.counted("x", 10 * near, 10.0)))(NOTHING).verdict == "supported"
    found = equal(measure(Case.counted("x", 10 * near, 10.0), Case.counted("y", 10 * far, 10.0)))(
        NOTHING
    )
    assert found.verdict == "contradicted"
    assert found.value == pytest.approx(10 * far)


def test_ratios_have_their_interval_on_a_logarithmic_scale() -> None:
    summary = summarise([-1.0, 0.0, 1.0])
    assert summary is not None
    case = Case.of("x", summary, logs=True)
    assert case.value == 1.0
    assert case.low is not None
    assert case.high == pytest.approx(1 / case.low)
