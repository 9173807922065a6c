"""The tables of what was verified: what must stand in them, and what if much is missing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gradcost.results.theory import Theory
from gradcost.tables.theory import convergence, lemmas, numbers, sentences, theorems
from gradcost.tables.theory.cells import value
from tests.results.synthetic_theory import check, theory

MODULES = [lemmas, theorems, convergence, numbers]


@pytest.fixture(params=["all", "one", "none"])
def any_data(request: pytest.FixtureRequest, tmp_path: Path) -> Theory:
    """All checks, one, or none."""
    if request.param == "all":
        return theory(tmp_path)
    some = [check("theorem-i8/floor-epsilon")] if request.param == "one" else []
    return theory(tmp_path, checks=some, series=[])


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_tables_hold_for_any_choice_of_checks(module: object, any_data: Theory) -> None:
    text = module.render(any_data)  # type: ignore[attr-defined]
    assert not re.search(r"\b(nan|None|inf)\b", text)
    widths = {
        len(re.findall(r"(?<!\\)&", line))
        for line in text.partition(r"\midrule")[2].splitlines()
        if "&" in line and "multicolumn" not in line
    }
    assert len(widths) <= 1
    for line in text.splitlines():
        assert line.count("{") == line.count("}")
        assert line.count("$") % 2 == 0


def test_a_line_has_what_is_printed_right_and_measured(tmp_path: Path) -> None:
    text = lemmas.render(theory(tmp_path))
    line = next(line for line in text.splitlines() if "0.01" in line and "2.20" in line)
    assert "1.00 & 2.20 & 2.05 & [1.95, 2.15] & corrected" in line
    assert "--- & $5\\cdot10^{-9}$" in text
    assert "as predicted" in text


def test_theorems_show_bounds_as_such(tmp_path: Path) -> None:
    assert r"$\le$\,2.00 & $\le$\,2.00 & 2.05" in theorems.render(theory(tmp_path))


def test_of_a_statement_with_many_checks_the_ends_are_shown(tmp_path: Path) -> None:
    many = [check(f"theorem-i8/x/{d}", statement="s", parameters={"d": d}) for d in (2, 4, 8, 16)]
    text = theorems.render(theory(tmp_path, checks=many))
    assert re.findall(r"d=(\d+)", text) == ["2", "16"]


def test_convergence_joins_both_estimators_and_says_what_is_right(tmp_path: Path) -> None:
    both = [
        check(f"theorem-i{i}/x", statement="the limit", holds=kind)
        for i, kind in ((8, "as printed"), (9, "with a correction"))
    ]
    text = convergence.render(theory(tmp_path, checks=both))
    assert text.count("the limit") == 1
    assert "corrected & \\raggedright\\arraybackslash it is two" in text


def test_verdicts_are_counted_by_statement(tmp_path: Path) -> None:
    kinds = ["as printed", "as printed", "not"]
    data = theory(
        tmp_path,
        checks=[check(f"c{i}", holds=kind) for i, kind in enumerate(kinds)]
        + [check("d", statement="$x$ is one, says c0", holds="as printed")],
    )
    assert sentences.verdicts(data) == "Of 3 statements 2 hold as printed and 1 do not hold."


def test_what_is_not_explained_is_said(tmp_path: Path) -> None:
    good = theory(tmp_path, checks=[check("a"), check("b", predicted=9.0)])
    assert "Of 2 intervals 1 hold" in sentences.chance(good)
    assert "No measurement is further" in sentences.chance(good)
    odd = theory(tmp_path, checks=[check("a"), check("b_c", explained=False)])
    assert r"is not what was found in b\_c." in sentences.chance(odd)


def test_the_best_epsilon_is_found_in_each_precision(tmp_path: Path) -> None:
    said = sentences.rounding(theory(tmp_path))
    assert re.findall(r"in (\w+) about ([^,]+),", said) == [
        ("float64", r"$10^{-4}$"),
        ("float32", "0.001"),
        ("bfloat16", "0.1"),
    ]


def test_numbers_of_all_sizes() -> None:
    shown = [value(x) for x in (None, 0.0, 2.0, -20.154, 4.79e-9, -3e7, 0.00123)]
    assert shown == [
        "---", "0", "2.00", "$-20.2$", r"$4.79\cdot10^{-9}$", r"$-3\cdot10^{7}$", "0.00123",
    ]  # fmt: skip
