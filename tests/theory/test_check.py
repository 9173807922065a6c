"""Verdicts follow from measurements."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gradcost.theory.check import Check
from gradcost.theory.sampling import Measured

CHECK = Check("x", "s", "t", "q", 2.0, Measured(2.0, 1.9, 2.1, 50), 1.0, correction="two")


def test_what_is_printed_is_refuted_and_the_right_one_is_found() -> None:
    assert CHECK.holds == "with a correction"
    assert CHECK.as_json()["correction"] == "two"
    assert replace(CHECK, repairable=False).holds == "not"
    assert replace(CHECK, correction=None).holds == "not"


@pytest.mark.parametrize(
    ("measured", "verdict", "explained"),
    [
        (Measured(1.02, 0.9, 1.14, 50), "as printed", False),
        (Measured(1.5, 1.49, 1.51, 50), "not", False),
        (Measured(1.5), "not", False),
        (Measured(2.15, 2.05, 2.25, 50), "with a correction", True),
    ],
)
def test_a_verdict_turns_at_four_standard_errors(
    measured: Measured, verdict: str, explained: bool
) -> None:
    found = replace(CHECK, measured=measured).as_json()
    assert (found["holds"], found["explained"]) == (verdict, explained)


def test_what_holds_needs_no_correction() -> None:
    found = replace(CHECK, printed=2.0).as_json()
    assert (found["holds"], found["correction"]) == ("as printed", None)
    assert replace(CHECK, printed=None).holds == "as printed"


@pytest.mark.parametrize(
    ("value", "verdict"),
    [(0.3, "as printed"), (1.0, "as printed"), (1.4, "with a correction"), (2.1, "not")],
)
def test_a_bound_holds_of_all_that_is_less(value: float, verdict: str) -> None:
    assert replace(CHECK, bound=True, measured=Measured(value)).holds == verdict


def test_a_tolerance_is_for_what_is_not_chance() -> None:
    near = replace(CHECK, measured=Measured(2.04))
    assert near.holds == "not"
    assert replace(near, tolerance=0.05).holds == "with a correction"
