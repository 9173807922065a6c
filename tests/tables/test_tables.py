"""The tables: what must stand in them, and LaTeX that is safe whatever stands in the data."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcost.results import compare, screening
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
    variance_reductions,
)
from tests.results.synthetic import study

MODULES = [accuracy, cost, hyperparameters, numbers, provenance, variance_reductions]


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
    assert cells[1] == r"60.2\,\textpm\,4.1 (1.7)"
    assert cells[2].startswith("$-16.8$ [$-23.")
    assert cells[-1] == "80.5 ($-13.7$)"
    assert line_of(text, "BP-Vanilla")[2] == "---"
    assert line_of(text, "Majority class")[1] == "25.0"


def test_answers_in_text_stand_with_the_published_score_beside_the_strict_one(data: Tidy) -> None:
    runs = data.runs.copy()
    runs.loc[runs["task"] == "r8-4", "test_accuracy_published"] = 0.987
    text = accuracy.render(Tidy(runs, data.history, data.presentation))
    cells = line_of(text, "FMAD-Vanilla")
    assert cells[1:3] == [r"60.2\,\textpm\,4.1 (1.7)", "98.7"]
    assert cells[3].startswith("$-16.8$")
    # the other task's answers are classes
    assert line_of(text, "Method").count("as published") == 1
    assert r"\multicolumn{3}{c}{Reuters topics ($n=3$)}" in text
    assert r"\multicolumn{2}{c}{20 Newsgroups ($n=3$)}" in text
    assert "model itself finds likeliest" in text
    assert "as published" not in accuracy.render(data).lower()


def test_label_words_are_told_by_their_tokens(data: Tidy) -> None:
    runs = data.runs.copy()
    words = '{"oil": " oil", "tariffs": " tariff"}'
    runs.loc[runs["objective"] == "label-words", "label_words"] = words
    text = hyperparameters.render(Tidy(runs, data.history, data.presentation))
    assert line_of(text, "MeZO")[-1] == "label words oil, tariff"
    untrained = line_of(text, "No Finetuning, words")
    assert (untrained[1], untrained[-1]) == ("not trained", "label words oil, tariff")
    assert line_of(text, "No Finetuning &")[-1] == ""


def test_failures_stand_in_their_cells(failed: Tidy) -> None:
    text = accuracy.render(failed)
    assert "2 of 3 diverged" in line_of(text, "FMAD-Vanilla")[1]
    assert "($n=1$)" in line_of(text, "FMAD-Vanilla")[1]
    assert "1 of 3 out-of-memory" in line_of(text, "BP-Vanilla")[1]
    assert "3 of 3 missing" in text
    assert "108 completed" in provenance.render(failed)
    assert "FMAD-Vanilla on Reuters topics, 2 of 3 diverged" in sentences.outcomes(failed)
    assert line_of(hyperparameters.render(failed).partition("20 News")[2], "ZO-Mul")[1] == "no run"


def test_pairs_that_differ_are_counted_with_the_largest_gap(data: Tidy) -> None:
    runs = data.runs.copy()
    one = (runs["method"] == "zo-vanilla") & (runs["task"] == "r8-4") & (runs["seed"] == 0)
    runs.loc[one, "test_accuracy"] += 0.0125
    text = sentences.pairs(Tidy(runs, data.history, data.presentation))
    assert "35 end at exactly the same test accuracy; the largest difference is 1.25" in text
    assert text.endswith("Those that differ are of Vanilla.")


def test_many_tasks_are_stacked(data: Tidy) -> None:
    columns = data.columns
    wide = Tidy(data.runs, data.history, data.presentation)
    wide.__dict__["columns"] = [*columns, *columns]
    assert accuracy.render(wide).count(r"\begin{tabular}") == 2
    assert variance_reductions.render(wide).count(r"\begin{tabular}") == 2


def test_a_table_that_a_page_cannot_hold_has_parts(data: Tidy) -> None:
    wide = Tidy(data.runs, data.history, data.presentation)
    wide.__dict__["columns"] = data.columns * 4
    for module in (cost, hyperparameters):
        assert module.render(data).count(r"\tablepart") == 1
        parts = module.render(wide).split(r"\tablebreak")
        assert len(parts) > 1
        assert all(part.count(r" \\") <= latex.LINES for part in parts)
        assert sum(part.count(data.columns[0].label) for part in parts) == 4


@given(st.lists(st.integers(), max_size=30), st.integers(1, 12))
def test_parts_hold_everything_and_are_of_a_size(items: list[int], most: int) -> None:
    parts = latex.in_parts(items, most)
    assert [item for part in parts for item in part] == items
    sizes = {len(part) for part in parts} or {0}
    assert max(sizes) <= most
    assert max(sizes) - min(sizes) <= 1


def test_cells_of_fewer_seeds_than_usual_say_so(data: Tidy) -> None:
    runs = data.runs
    left_out = (runs["method"] == "zo-vanilla") & (runs["task"] == "r8-4") & (runs["seed"] == 2)
    text = accuracy.render(Tidy(runs[~left_out], data.history, data.presentation))
    assert "Reuters topics ($n=3$ unless said)" in text
    assert text.count("($n=2$)") == 1
    assert "($n=2$)" in line_of(text, "ZO-Vanilla")[1]


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
        "SGD", "$10^{-2}$", "16", "300", "$10^{-3}$", "10", "10", "",
    ]  # fmt: skip
    assert line_of(text, "No Finetuning")[1] == "not trained"


def test_particulars_tell_methods_apart(data: Tidy) -> None:
    text = hyperparameters.render(data)
    for label, wanted in {
        "BP-Accumulate": "window 10, checkpointing: every layer",
        "FMAD-Adaptive": "calibration 4, momentum 0.9",
        "ZO-SVRG": "snapshot every 5 epochs",
        "FMAD-Sparse": r"1 \% of the weights",
        "MeZO": "label words",
        "ZO-Vanilla": "",
    }.items():
        assert line_of(text, label)[-1] == wanted
    assert line_of(text, "SignZO")[1] == "sign"


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"clip_norm": 1.0}, "norm clipped to 1"),
        ({"trainable": "all"}, "all parameters"),
        ({"frozen_linears": False}, "stock linears"),
        ({"frozen_linears": None}, ""),  # of a record that does not say
        ({"variance_reduction": '{"kind":"published-sparse","share":0.01}'},
         "1 % of the parameters"),
        ({"variance_reduction": '{"kind":"unknown","some_size":3}'}, "some size 3"),
        ({"estimator": '{"kind":"zeroth-order","difference":"one-sided"}'}, "one-sided"),
        ({"estimator": '{"directions":{"distribution":"low-rank","rank":2,"normalise":true}}'},
         "low-rank directions of rank 2, normalised"),
        ({"estimator": '{"kind":"zeroth-order-in-place","directions":{"variance":4.0}}'},
         "in place, of variance 4"),
    ],
)  # fmt: skip
def test_particulars_of_a_run(changes: dict[str, object], wanted: str, data: Tidy) -> None:
    run = data.runs.query("method == 'zo-vanilla'").iloc[0].astype(object)
    assert hyperparameters.particulars(run) == ""
    for key, value in changes.items():
        run[key] = value
    assert hyperparameters.particulars(run) == wanted


def test_families_stand_apart(data: Tidy) -> None:
    for module, rows in ((accuracy, 1), (cost, 2), (hyperparameters, 2)):
        text = module.render(data)
        gaps = text.count(latex.GAP + "\n")
        assert gaps == rows * (2 if module is cost else 3)
        assert f"{latex.GAP}\nZO-Vanilla" in text


def test_a_strategy_stands_beside_its_vanilla(data: Tidy) -> None:
    text = variance_reductions.render(data)
    svrg = line_of(text, "FMAD-SVRG")
    assert svrg[1:3] == [r"\textbf{\boldmath $+2.8$}", "[$+1.5$, $+4.0$]"]
    assert svrg[5:] == ["4.43", "2.2", "2.2", "1.0"]
    assert line_of(text, "MeZO")[1:3] == ["$+5.1$", "[$-2.0$, $+12.2$]"]
    assert "minus BP-Checkpointing" in text.partition("BP-Accumulate")[0]


def test_what_is_bold_is_what_the_interval_carries(data: Tidy) -> None:
    column = data.columns[0]
    for base, rows in compare.departures(data).items():
        for row in rows:
            summary = compare.difference(data, column, row, base)
            assert summary is not None
            assert summary.interval is not None
            low, high = summary.interval
            bold = "textbf" in line_of(variance_reductions.render(data), row.label)[1]
            assert bold == (low > 0 or high < 0)


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
        "76 by the workflow as started 2026-11-22 10:01 UTC, 38 kept from before"
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
    assert found["runs"] == "114"
    assert found["say/compared"] == "17 methods and, as a floor, of no training at all"
    assert "36 pairs" in found["say/pairs"]
    assert "draws, all end at exactly the same test accuracy." in found["say/pairs"]
    assert "Of their 6 pairs of runs, all end at exactly" in found["say/checkpointing"]
    for text in found.values():  # a place is named once
        assert not re.search(r"On ([^,.]+), On ", text)
    assert "BP-Vanilla is higher" in found["say/gap"]
    assert found["say/memory"].startswith("On Reuters topics and 20 Newsgroups, ZO-Vanilla needs")
    assert found["accuracy/r8-4/bp-vanilla"] == "77.0"
    assert found["gap/r8-4/zo-vanilla"] == "$+16.8$"


def test_the_abstract_says_of_many_tasks_how_far_the_gap_reaches(data: Tidy) -> None:
    few = sentences.gap_in_short(data)
    assert all(few.count(f" on {column.label} (ZO-Multiple)") == 1 for column in data.columns)
    wide = Tidy(data.runs, data.history, data.presentation)
    wide.__dict__["columns"] = [*data.columns, *data.columns]
    text = sentences.gap_in_short(wide)
    means = [
        difference.mean
        for column in data.columns
        if (rival := compare.best(data, column, families=("fmad", "zo")))
        and (difference := compare.difference(data, column, compare.reference(data), rival))
    ]
    assert text.startswith("On 4 of 4 tasks BP-Vanilla has a completed rival")
    assert f"{latex.signed(min(means))} to {latex.signed(max(means))} points" in text
    assert sum(int(n) for n in re.findall(r"zero on (\d)", text)) == 4


def test_a_strategy_is_said_to_help_only_where_its_interval_says_so(data: Tidy) -> None:
    places = "On Reuters topics and 20 Newsgroups, the interval of the difference to "
    assert sentences.reductions(data) == (
        f"{places}BP-Checkpointing holds zero for BP-Accumulate~(1.0). "
        f"{places}FMAD-Vanilla lies above zero for FMAD-Multiple~(5.5) and FMAD-SVRG~(2.2); "
        "lies below zero for FMAD-Accumulate~(1.0); holds zero for FMAD-Adaptive~(1.0). "
        f"{places}ZO-Vanilla lies above zero for ZO-Multiple~(10) and ZO-SVRG~(2.2); "
        "lies below zero for ZO-Accumulate~(1.0); holds zero for ZO-Adaptive~(1.0)."
    )
    assert sentences.others(data) == (
        f"{places}FMAD-Vanilla lies below zero for FMAD-Sparse~(1.5). "
        f"{places}ZO-Vanilla lies below zero for ZO-Sparse~(1.0); "
        "holds zero for MeZO~(1.0) and SignZO~(1.0)."
    )


def test_a_strategy_without_an_interval_has_none_claimed(tmp_path: Path) -> None:
    methods = ("zo-vanilla", "zo-svrg", "mezo")
    single = study(tmp_path / "single", methods=methods, tasks=("r8-4",), seeds=(0,))
    assert sentences.reductions(single).endswith("needs more than one seed for ZO-SVRG~(2.2).")
    gone = {("r8-4", "zo-svrg", seed): None for seed in (0, 1, 2)}
    missing = study(tmp_path / "missing", gone, methods=methods, tasks=("r8-4",))
    said = sentences.reductions(missing)
    assert said.endswith("lacks a pair of completed runs for ZO-SVRG~(---).")
    assert "No method is run" in sentences.reductions(
        study(tmp_path / "none", methods=("zo-vanilla",), tasks=("r8-4",))
    )


def test_costs_of_forward_mode_are_said_with_their_strategies(data: Tidy) -> None:
    text = sentences.forward_or_zeroth(data)
    assert "0.55 (Multiple) to 1.5 (Sparse) times the FLOPs" in text


def test_settings_in_the_prose_are_those_of_the_runs(data: Tidy, tmp_path: Path) -> None:
    found = numbers.results(data)
    assert {key: text for key, text in found.items() if key.startswith("setting/")} == {
        "setting/perturbations": "10", "setting/share": "1", "setting/window": "10",
        "setting/steps": "300", "setting/evaluate-every": "10", "setting/snapshots": "1",
        "setting/calibration": "4", "setting/momentum": "0.9", "setting/snapshot-every": "5",
    }  # fmt: skip
    none = numbers.results(study(tmp_path, methods=("bp-vanilla",), seeds=(0,)))
    assert none["setting/window"] == latex.DASH


@pytest.mark.parametrize(
    "methods",
    [
        ("bp-vanilla",),
        ("zo-vanilla",),
        ("no-finetuning",),
        ("fmad-vanilla", "zo-multiple"),
        ("mezo", "signzo"),
    ],
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
