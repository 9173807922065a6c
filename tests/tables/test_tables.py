"""The tables: what must stand in them, and LaTeX that is safe whatever stands in the data."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcost.results import screening
from gradcost.results.statistics import summarise
from gradcost.results.tidy import Tidy
from gradcost.tables import (
    accuracy,
    cost,
    hyperparameters,
    latex,
    learning_rates,
    numbers,
    provenance,
    sentences,
)
from tests.results.synthetic import study

MODULES = [accuracy, cost, hyperparameters, numbers, provenance]


def line_of(text: str, label: str) -> list[str]:
    """The cells of the first line of a table that begins with `label`."""
    line = next(line for line in text.splitlines() if line.startswith(label))
    return [cell.strip().removesuffix(r"\\").strip() for cell in line.split("&")]


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_lines_of_a_table_have_the_same_number_of_cells(
    module: object, data: Tidy, failed: Tidy
) -> None:
    for source in (data, failed):
        text = module.render(source)  # type: ignore[attr-defined]
        assert text == module.render(source)  # type: ignore[attr-defined]
        assert "nan" not in text.lower().replace("finance", "")
        body = text.partition(r"\midrule")[2]
        widths = {
            len(re.findall(r"(?<!\\)&", line))
            for line in body.splitlines()
            if "&" in line and "multicolumn" not in line
        }
        assert len(widths) <= 1


def test_accuracies_stand_with_interval_difference_and_the_papers(data: Tidy) -> None:
    text = accuracy.render(data)
    assert "Reuters topics ($n=3$)" in text
    assert "LLaMA 3.1 (8B)" in text
    cells = line_of(text, "FMAD-Vanilla")
    assert cells[1] == r"60.2\,\textpm\,4.1"
    assert cells[2].startswith("$-16.8$ [$-23.")
    assert cells[-2:] == ["80.5", "60.7"]
    assert line_of(text, "BP-Vanilla")[2] == "---"
    assert line_of(text, "Majority class")[1] == "25.0"


def test_failures_stand_in_their_cells(failed: Tidy) -> None:
    text = accuracy.render(failed)
    assert "2 of 3 diverged" in line_of(text, "FMAD-Vanilla")[1]
    assert "($n=1$)" in line_of(text, "FMAD-Vanilla")[1]
    assert "1 of 3 out-of-memory" in line_of(text, "BP-Vanilla")[1]
    assert "3 of 3 missing" in text
    assert "42 completed" in provenance.render(failed)
    assert "FMAD-Vanilla on Reuters topics, 2 of 3 diverged" in sentences.outcomes(failed)
    assert line_of(hyperparameters.render(failed).partition("20 News")[2], "ZO-Mul")[1] == "no run"


def test_pairs_that_differ_are_counted_with_the_largest_gap(data: Tidy) -> None:
    runs = data.runs.copy()
    one = (runs["method"] == "zo-vanilla") & (runs["task"] == "r8-4") & (runs["seed"] == 0)
    runs.loc[one, "test_accuracy"] += 0.0125
    text = sentences.pairs(Tidy(runs, data.history, data.presentation))
    assert "11 end at exactly the same test accuracy; the largest difference is 1.25" in text


def test_many_tasks_are_stacked(data: Tidy) -> None:
    columns = data.columns
    wide = Tidy(data.runs, data.history, data.presentation)
    wide.__dict__["columns"] = [*columns, *columns]
    assert accuracy.render(wide).count(r"\begin{tabular}") == 2


def test_costs_and_the_common_target(data: Tidy) -> None:
    text = cost.render(data)
    assert r"Reuters topics, target 61\,\% on validation" in text
    cells = line_of(text, "BP-Vanilla")
    assert cells[1:8] == ["768", "61.3~M", "122~M", "1.99", "0.95", "5.26", "15.6"]
    assert cells[8:] == ["3/3", "30", "60", "0.47"]
    assert line_of(text, "ZO-Vanilla")[8:] == ["0/3", "---", "---", "---"]
    assert "No Finetuning" not in text


def test_hyperparameters_are_those_of_the_runs(data: Tidy) -> None:
    text = hyperparameters.render(data)
    assert line_of(text, "ZO-Multiple")[1:] == [
        "SGD", "$10^{-2}$", "16", "300", "$10^{-3}$", "10", "10",
    ]  # fmt: skip
    assert line_of(text, "No Finetuning")[1] == "not trained"


def test_every_candidate_of_the_screening_is_shown(tmp_path: Path) -> None:
    def candidate(setting: str, optimizer: str | None, rate: float | None, **rest: object) -> dict:
        return {
            "task": "r8", "task_label": "Reuters & more", "method": "zo-vanilla",
            "method_label": "ZO-Vanilla", "setting": setting, "optimizer": optimizer,
            "learning_rate": rate, "seeds": "100 101", "outcomes": "completed", "chosen": False,
        } | rest  # fmt: skip

    rows = [
        candidate("adamw-1e-3", "adamw", 1e-3, validation_accuracy=50.0),
        candidate("sgd-1e-3", "sgd", 1e-3, validation_accuracy=40.0),
        candidate("sgd-3e-3", "sgd", 3e-3, validation_accuracy=60.0, chosen=True),
        candidate("sgd-1e-2", "sgd", 1e-2, outcomes="2 of 2 diverged"),
        candidate("sgd-3e-2", None, None, outcomes="2 of 2 missing"),
    ]
    path = tmp_path / "screening.csv"
    pd.DataFrame(rows).to_csv(path, index=False)
    text = learning_rates.render(path)
    assert r"Reuters \& more, seeds 100 and 101" in text
    assert line_of(text, "Method")[2:] == ["$10^{-3}$", r"$3\cdot10^{-3}$", "$10^{-2}$"]
    assert line_of(text, "ZO-Vanilla & AdamW") == ["ZO-Vanilla", "AdamW", "50.0", "", ""]
    assert line_of(text, " & SGD")[2:] == ["40.0", r"\textbf{60.0}", "2 of 2 diverged"]
    assert "sgd-3e-2: 2 of 2 missing" in text


def test_a_screening_without_records_still_renders(tmp_path: Path) -> None:
    gone = {("r8-4", "zo-vanilla", seed): None for seed in (0, 1, 2)}
    empty = study(tmp_path, gone, methods=("zo-vanilla",), tasks=("r8-4",))
    screening.choose(empty).to_csv(tmp_path / "screening.csv", index=False)
    assert "default: 3 of 3 missing" in learning_rates.render(tmp_path / "screening.csv")


def test_provenance_tells_trained_from_kept(data: Tidy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(provenance.STARTED, "2026-11-22T12:01:00+02:00")  # seeds 1 and 2 are later
    assert provenance.trained(data) == (
        "32 by the workflow as started 2026-11-22 10:01 UTC, 16 kept from before"
    )
    assert provenance.trained(data) in provenance.render(data)
    monkeypatch.delenv(provenance.STARTED)
    assert "not known" in provenance.trained(data)


def test_provenance_says_which_runs_had_which_code(data: Tidy) -> None:
    runs = data.runs.copy()
    edited = runs["method"] == "zo-vanilla"
    runs.loc[edited, "code_digest"] = "e" * 64
    text = provenance.render(Tidy(runs, data.history, data.presentation))
    assert "e" * 12 + " (ZO-Vanilla)" in text
    assert text.count("ZO-Vanilla") == 1
    assert "a" * 12 + " (Reuters topics, 20 Newsgroups)" in text


def test_provenance_names_code_packages_and_machine(data: Tidy) -> None:
    text = provenance.render(data)
    for part in ("torch 2.13.0", "0123abc45678", "3.11.2", r"Linux x86\_64", "2 cores"):
        assert part in text


def test_words_follow_the_interval() -> None:
    words = [sentences.verdict("A", summarise(v)) for v in ([1.0, 1.1], [-1.0, -1.1], [-1.0, 1.0])]
    assert words[:2] == ["A is higher", "A is lower"]
    assert words[2] == "not distinguishable at this number of seeds (2)"
    assert sentences.verdict("A", summarise([1.0])) == "a single seed gives no interval"
    assert "no pair" in sentences.verdict("A", None)


def test_sentences_say_what_the_data_say(data: Tidy) -> None:
    found = numbers.results(data)
    assert found["runs"] == "48"
    assert found["say/compared"] == "7 methods and, as a floor, of no training at all"
    assert "12 pairs" in found["say/pairs"]
    assert "directions, all end at exactly the same test accuracy." in found["say/pairs"]
    assert "Of their 6 pairs of runs, all end at exactly" in found["say/checkpointing"]
    for text in found.values():  # a place is named once
        assert not re.search(r"On ([^,.]+), On ", text)
    assert "BP-Vanilla is higher" in found["say/gap"]
    assert found["say/memory"].startswith("On Reuters topics and 20 Newsgroups, ZO-Vanilla needs")
    assert found["accuracy/r8-4/bp-vanilla"] == "77.0"
    assert found["gap/r8-4/zo-vanilla"] == "$+16.8$"


@pytest.mark.parametrize(
    "methods",
    [("bp-vanilla",), ("zo-vanilla",), ("no-finetuning",), ("fmad-vanilla", "zo-multiple")],
)
@pytest.mark.parametrize("seeds", [(0,), (0, 1)])
def test_sentences_hold_for_any_choice_of_methods(
    methods: tuple[str, ...], seeds: tuple[int, ...], tmp_path: Path
) -> None:
    one = study(tmp_path, methods=methods, seeds=seeds)
    for module in MODULES:
        assert "nan" not in module.render(one)
    for text in numbers.results(one).values():
        assert "None" not in text


def test_an_experiment_without_records_still_renders(tmp_path: Path) -> None:
    runs = {(task, "bp-vanilla", seed): None for task in ("r8-4", "ng-4") for seed in (0, 1, 2)}
    empty = study(tmp_path, runs, methods=("bp-vanilla",))
    for module in MODULES:
        assert module.render(empty)
    assert "3 of 3 missing" in accuracy.render(empty)


@given(st.text())
def test_escaped_text_has_no_bare_special(text: str) -> None:
    bare = re.sub(r"\\(text[a-z]+\{\}|[&%$#_{}])", "", latex.escape(text))
    assert not set(bare) & set('\\&%$#_{}~^<>|"')


@pytest.mark.parametrize(
    ("made", "wanted"),
    [
        (latex.number(-0.04), "0.0"),
        (latex.number(-1.26), "$-1.3$"),
        (latex.signed(1.26), "$+1.3$"),
        (latex.signed(0.04), "0.0"),
        (latex.number(float("nan")), "---"),
        (latex.significant(1234.5), r"1\,230"),
        (latex.significant(0.0123456), "0.0123"),
        (latex.significant(9.999, 2), "10"),
        (latex.count(12345), r"12\,345"),
        (latex.scientific(1e-3), "$10^{-3}$"),
        (latex.scientific(3e-3), r"$3\cdot10^{-3}$"),
        (latex.scaled(4_310_000, "B"), "4.31~MB"),
        (latex.scaled(999.9e6, "B"), "1.00~GB"),
        (latex.scaled(0, "B"), "0~B"),
        (latex.listing([]), ""),
        (latex.listing(["a"]), "a"),
        (latex.listing(["a", "b", "c"]), "a, b and c"),
    ],
)
def test_numbers_are_written_as_a_reader_expects(made: str, wanted: str) -> None:
    assert made == wanted
