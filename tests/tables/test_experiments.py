"""The tables of the experiments: exact cells, failures in them, and no claim without seeds."""

from __future__ import annotations

import importlib
import re
from types import ModuleType

import pytest

from gradcost.results import paper
from gradcost.results.statistics import Summary
from gradcost.results.tidy import Column, Tidy
from gradcost.tables import (
    accumulation,
    accuracy_variance,
    answers,
    convergence_cost,
    direction_variance,
    encoders,
    forward_optimizers,
    full_parameter,
    latex,
    lora_rank,
    model_size,
    optimizers,
    paper_accuracies,
    paper_settings,
    perturbation_budget,
    perturbations,
    say,
    settings,
    signzo,
    svrg,
    width_depth,
)
from tests.tables import experiments

TABLES = [
    "accumulation", "accuracy-variance", "audit", "convergence-cost", "direction-distributions",
    "direction-variance", "encoders", "forward-optimizers", "full-parameter", "lora-rank",
    "model-size", "optimizers", "perturbation-budget", "perturbations", "signzo",
    "structured-directions", "svrg", "width-depth",
]  # fmt: skip


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Tidy:
    return experiments.one_model(tmp_path_factory.mktemp("one"))


@pytest.fixture(scope="module")
def made(one: Tidy, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Tidy]:
    three = experiments.three_models(tmp_path_factory.mktemp("three"))
    return experiments.everything(one, three)


def module(name: str) -> ModuleType:
    return importlib.import_module(f"gradcost.tables.{name.replace('-', '_')}")


def lines(text: str, label: str) -> list[list[str]]:
    """The cells of all lines whose first cell is `label`."""
    found = [line.removesuffix(r" \\").split(" & ") for line in text.splitlines()]
    return [[cell.strip() for cell in line] for line in found if line[0].strip() == label]


def line(text: str, label: str) -> list[str]:
    return lines(text, label)[0]


def widths(text: str) -> set[int]:
    """How many columns the lines of each tabular's body take, and its preamble has."""
    found = set()
    for block in text.split(r"\begin{tabular}")[1:]:
        body = block.partition(r"\midrule")[2].partition(r"\bottomrule")[0]
        counts = set()
        for row in body.splitlines():
            if not row.endswith(r"\\"):
                continue
            spans = [int(n) for n in re.findall(r"\\multicolumn\{(\d+)\}", row)]
            cells = len(re.findall(r"(?<!\\)&", row)) + 1
            counts.add(cells + sum(spans) - len(spans))
        head = re.sub(
            r"@\{\}|>\{[^}]*\}|p\{[^}]*\}\}?",
            lambda m: "p" * m[0].startswith("p"),
            block.splitlines()[0],
        )
        assert len(counts) == 1, counts
        assert len(re.findall("[lrcp]", head.replace("linewidth", ""))) >= counts.copy().pop()
        found |= counts
    return found


@pytest.mark.parametrize("name", TABLES)
def test_a_table_has_lines_of_one_width_and_no_nan(name: str, made: dict[str, Tidy]) -> None:
    data = made[name]
    text = module(name).render(data)
    assert widths(text)
    assert "nan" not in re.sub("NaN|[Ff]inance", "", text).lower()


@pytest.mark.parametrize("outcome", ["missing", "diverged"])
@pytest.mark.parametrize("name", TABLES)
def test_a_table_of_failures_alone_says_so(name: str, outcome: str, made: dict[str, Tidy]) -> None:
    reason = None if outcome == "missing" else "step 7: the loss & all, at 100 %"
    data = experiments.ended(made[name], "family != 'nothing'", outcome, reason)
    text = module(name).render(data)
    assert widths(text)
    seeds = 1 if name == "perturbation-budget" else 3
    assert f"{seeds} of {seeds} {outcome}" in text
    if reason:
        assert r"(step 7: the loss \& all, at 100 \%)" in text
    assert "nan" not in text.replace("NaN", "").lower()
    assert " 0.0 [" not in text
    for key, words in say.results(data).items():
        assert not re.search(r"\b(gains|loses|holds zero|a single seed)\b", words), key


@pytest.mark.parametrize("name", TABLES)
def test_a_single_seed_has_no_interval_and_no_claim(name: str, made: dict[str, Tidy]) -> None:
    data = made[name]
    single = Tidy(data.runs.query("seed == 0"), data.history, data.presentation)
    text = module(name).render(single)
    assert r"\textbf" not in text
    assert not re.search(r"\d\]", text)  # of an interval
    for words in say.results(single).values():
        assert not re.search(r"\b(gains|loses)\b|holds zero|\d\]", words)


def test_every_experiment_has_its_sentence(made: dict[str, Tidy]) -> None:
    for data in made.values():
        name = data.presentation["experiment"]
        found = say.results(data)
        assert {f"say/{name}/title", f"say/{name}/setup", f"say/{name}/outcomes"} <= set(found)
        assert all(key.startswith(f"say/{name}") and words for key, words in found.items())
        assert not any("nan" in words.lower() for words in found.values())
        assert say.NOTHING not in found.values()
        assert say.render(data).count(r"\defresult{") == len(found)


def test_an_experiment_without_sentences_of_its_own_still_says_what_was_run(one: Tidy) -> None:
    other = experiments.part(one, "tuning", "method == 'zo-vanilla' and setting == 'default'")
    assert say.results(other) == {
        "say/tuning/title": "Accuracy and cost",
        "say/tuning/setup": "3 runs of tiny Llama on Reuters topics, seeds 0, 1 and 2",
        "say/tuning/outcomes": "All 3 runs completed.",
    }


def test_more_directions(made: dict[str, Tidy]) -> None:
    text = perturbations.render(made["perturbations"])
    assert line(text, "FMAD-Multiple") == [
        "FMAD-Multiple", r"66.7\,\textpm\,7.4", "3.0", "3",
        r"\textbf{\boldmath $+6.4$} [$+0.7$, $+12.1$]", "---", "$+5.7$", "11.05", "6.90~MB", "26",
    ]  # fmt: skip
    fifty = lines(text, r"\quad n = 50")
    assert [cells[6] for cells in fifty] == ["$+14.0$", "$+7.7$"]
    assert fifty[1][5] == r"\textbf{\boldmath $+3.0$} [$+3.0$, $+3.0$]"
    words = perturbations.say(made["perturbations"])
    assert "FMAD-Multiple gains 6.4 points [0.7, 12.1]" in words
    assert "FMAD-Multiple (n = 50) gains 9.4 points [3.7, 15.1]" in words


def test_a_window_that_loses_and_one_that_cannot_be_told(made: dict[str, Tidy]) -> None:
    text = accumulation.render(made["accumulation"])
    assert line(text, "ZO-Accumulate")[4] == r"\textbf{\boldmath $-3.4$} [$-4.7$, $-2.1$]"
    assert lines(text, r"\quad window of 200")[1][4:7] == [
        "$-0.4$ [$-1.7$, $+0.9$]", r"\textbf{\boldmath $+3.0$} [$+3.0$, $+3.0$]", "$+7.6$",
    ]  # fmt: skip
    assert accumulation.say(made["accumulation"]).startswith(
        "On Reuters topics, against ZO-Vanilla, ZO-Accumulate loses 3.4 points [2.1, 4.7], the "
        "interval holds zero for ZO-Accumulate (window of 200) ($-0.4$ [$-1.7$, $+0.9$]);"
    )


def test_models_stand_under_each_other(made: dict[str, Tidy]) -> None:
    text = encoders.render(made["encoders"])
    assert text.index("Reuters topics, BERT") < text.index("Reuters topics, RoBERTa")
    assert [cells[1] for cells in lines(text, "ZO-Vanilla")] == [
        r"60.2\,\textpm\,4.1", r"62.2\,\textpm\,4.1",
    ]  # fmt: skip
    assert [cells[5] for cells in lines(text, "FMAD-Vanilla")] == [
        "$-0.74$ to $-1.66$ (BERT Base)", "$-6.76$ to $-7.62$ (RoBERTa Base)",
    ]  # fmt: skip
    assert line(text, "BP-Vanilla")[4:6] == ["---", "---"]
    assert encoders.say(made["encoders"]).startswith("On BERT and RoBERTa, against BP-Vanilla, ")


def test_variance_of_directions_against_the_papers_best(made: dict[str, Tidy]) -> None:
    text = direction_variance.render(made["direction-variance"])
    assert line(text, r"\quad variance 0.0001")[4:7] == [
        r"\textbf{\boldmath $-1.0$} [$-1.0$, $-1.0$]",
        r"\textbf{\boldmath $+3.0$} [$+3.0$, $+3.0$]",  # 0.001, the paper's best of ZO, loses 4
        "$-13.8$",
    ]
    assert line(text, r"\quad step 0.0001")[5:7] == [
        r"\textbf{\boldmath $+1.0$} [$+1.0$, $+1.0$]", "$-13.8$",
    ]  # fmt: skip
    assert lines(text, r"\quad variance 0.1")[1][6] == "$-0.9$"


def test_sizes_stand_beside_those_of_the_paper_in_order(made: dict[str, Tidy]) -> None:
    text = model_size.render(made["model-size"])
    assert [cells[5] for cells in lines(text, "FMAD-Vanilla")] == [
        "88.28 (1.3B)", "87.50 (6.7B)", "77.07 (13B)",
    ]  # fmt: skip
    two = experiments.part(made["model-size"], "model-size", "model != 'large'")
    assert {cells[5] for cells in lines(model_size.render(two), "FMAD-Vanilla")} == {"---"}
    named = experiments.part(
        two, "model-size", "model == 'tiny'", model={"tiny": ("opt-13b", "OPT (13B)")}
    )
    assert line(model_size.render(named), "FMAD-Vanilla")[5] == "77.07 (13B)"


def test_a_gap_that_grows_with_the_model(made: dict[str, Tidy]) -> None:
    data = made["model-size"]
    assert "changes for ZO-Vanilla by 0.0 [0.0, 0.0] and FMAD" in model_size.say(data)
    runs = data.runs.copy()
    later = (runs["model"] == "large") & (runs["method"] == "fmad-vanilla")
    runs.loc[later, "test_accuracy"] -= 0.05
    words = model_size.say(Tidy(runs, data.history, data.presentation))
    assert words.endswith(
        "From tiny Llama to large Llama the difference to backpropagation changes for ZO-Vanilla "
        r"by 0.0 [0.0, 0.0] and FMAD-Vanilla by \textbf{\boldmath $-5.0$} [$-5.0$, $-5.0$] points."
    )


def test_a_rank_that_diverges_stands_beside_the_papers(made: dict[str, Tidy]) -> None:
    which = "method == 'fmad-vanilla' and setting == 'rank-16'"
    data = experiments.ended(made["lora-rank"], which, "diverged", "step 57: loss = nan")
    text = lora_rank.render(data)
    failed = lines(text, r"\quad rank 16")[2]
    assert failed[1] == r"\multicolumn{5}{l}{3 of 3 diverged (step 57: loss = nan)}"
    assert failed[2] == "jvp = NaN"
    assert lines(text, r"\quad rank 32")[2][6] == "jvp = NaN"
    assert line(text, "FMAD-Vanilla")[6] == "87.50"
    # backpropagation of the same rank: both are 4 points below the default
    assert lines(text, r"\quad rank 32")[1][5].startswith(r"\textbf{\boldmath $-16.8$}")
    assert "FMAD-Vanilla (rank 16) has no pair of completed runs" in lora_rank.say(data)


def test_some_seeds_that_failed_are_counted_below(made: dict[str, Tidy]) -> None:
    data = experiments.ended(
        made["lora-rank"],
        "method == 'zo-vanilla' and setting == 'default' and seed < 2",
        "out-of-memory",
        "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 44 GiB",
    )
    text = lora_rank.render(data)
    assert line(text, "ZO-Vanilla")[1:4] == ["62.0", "---", "1 of 3"]
    assert "& \\multicolumn{9}{l}{2 of 3 out-of-memory (CUDA out of memory)}" in text


def test_signzo_beside_all_columns_of_the_papers_table(made: dict[str, Tidy]) -> None:
    cells = line(signzo.render(made["signzo"]), "SignZO")
    assert cells[4:6] == ["$+0.8$ [$-3.1$, $+4.7$]", "610~kB"]
    assert cells[8:] == ["82.6", "5.99~GB", r"2\,520~P", r"56\,892"]
    assert "6.9 [5.6, 8.6] for ZO-Multiple" in signzo.say(made["signzo"])


def test_slopes_under_both_optimisers(made: dict[str, Tidy]) -> None:
    data = made["optimizers"]
    text = optimizers.render(data)
    assert "paper: 8 to 10" in text
    assert "paper: 4 to 6" in text
    adamw, sgd = lines(text, r"\quad AdamW"), lines(text, r"\quad SGD")
    assert adamw[1][6:] == [r"\textbf{6.0} [6.0, 6.0]", r"\textbf{36} [36, 36]"]
    assert sgd[1][6:] == ["---", "---"]
    assert adamw[0][5] == "---"  # backpropagation has no slopes
    assert float(adamw[1][5]) == pytest.approx(6 * float(sgd[1][5]), rel=0.1)
    assert "6.0 [6.0, 6.0] for FMAD-Vanilla (AdamW)" in optimizers.say(data)
    assert line(text, "FMAD-Vanilla")[1:] == [""] * 7  # no setting is the method as such


def test_slopes_of_runs_that_ended_early_count(made: dict[str, Tidy]) -> None:
    which = "method == 'fmad-vanilla' and setting == 'adamw'"
    data = experiments.ended(made["optimizers"], which, "diverged", "step 9: projection 0 = inf")
    cells = lines(optimizers.render(data), r"\quad AdamW")[1]
    assert cells[1].startswith(r"\multicolumn{4}{l}{3 of 3 diverged")
    assert cells[3] == r"\textbf{6.0} [6.0, 6.0]"


def test_a_stabilised_estimate_against_the_plain_one(made: dict[str, Tidy]) -> None:
    data = made["forward-optimizers"]
    cells = lines(forward_optimizers.render(data), r"\quad SGD")
    assert cells[0][4:6] == ["---", "---"]
    assert cells[1][5] == "0.0 [$-4.4$, $+4.4$]"
    words = forward_optimizers.say(data)
    assert "against the plain estimate under the same optimiser, the interval holds" in words


def test_what_svrg_is_made_of(made: dict[str, Tidy]) -> None:
    data = made["svrg"]
    cells = line(svrg.render(data), "FMAD-SVRG")
    slope, _, difference, share, batch, full, norms = map(float, cells[5:])
    assert share == pytest.approx(difference / slope, rel=0.1)
    assert full == 90
    assert norms == pytest.approx(full / batch, rel=0.1)
    assert line(svrg.render(data), "FMAD-Vanilla")[5:] == ["---"] * 7
    assert f"{cells[8]} of the median slope" in svrg.say(data)


def test_svrgs_components_are_those_of_its_history(made: dict[str, Tidy]) -> None:
    data = made["svrg"]
    column, row = data.columns[0], data.rows[1]
    found = svrg.components(data, column, row)
    run = data.curves(column, row).query("seed == 1").dropna(subset=["snapshot_projections"])
    gaps = [
        abs(a[0] - b[0])
        for a, b in zip(run["projections"], run["snapshot_projections"], strict=True)
    ]
    assert found.loc[1, "difference"] == pytest.approx(sorted(gaps)[len(gaps) // 2], rel=0.05)


def test_one_seed_of_the_largest_model(made: dict[str, Tidy]) -> None:
    text = perturbation_budget.render(made["perturbation-budget"])
    assert line(text, r"\quad n = 50")[1:5] == ["72.0", "---", "1", "$+12.0$"]
    assert line(text, r"\quad n = 50")[-2:] == ["75.5", r"6\,500"]
    assert line(text, "ZO-Vanilla")[-2:] == ["71.0", r"5\,000"]
    assert "a single seed gives no interval for ZO-Multiple ($+9.0$)" in perturbation_budget.say(
        made["perturbation-budget"]
    )


def test_all_parameters_are_compared_with_backpropagation_of_all(made: dict[str, Tidy]) -> None:
    data = made["full-parameter"]
    runs = data.runs.copy()
    runs.loc[runs["setting"] != "default", "trainable"] = "all"
    whole = lines(
        full_parameter.render(Tidy(runs, data.history, data.presentation)), r"\quad all parameters"
    )
    assert whole[0][4].startswith(r"\textbf{\boldmath $+3.0$}")
    assert whole[1][4].startswith(r"\textbf{\boldmath $-4.0$}")
    assert whole[1][5].startswith(r"\textbf{\boldmath $-23.8$}")  # 16.8, 4 and 3


def test_memory_as_a_share_of_backpropagations(made: dict[str, Tidy]) -> None:
    text = width_depth.render(made["width-depth"])
    assert line(text, "BP-Checkpointing")[5:9] == ["1.72~MB", "0.40", "171~M", "1.4"]
    assert line(text, "BP-Vanilla")[6] == "---"
    assert "On wide Llama and deep Llama, BP-Checkpointing takes 0.40, " in width_depth.say(
        made["width-depth"]
    )


def test_variance_is_the_square_of_the_deviation(made: dict[str, Tidy]) -> None:
    text = accuracy_variance.render(made["accuracy-variance"])
    cells = line(text, "FMAD-Vanilla")
    assert cells[1:4] == ["3", "1.66", "2.76"]
    assert cells[5] == latex.number(paper.variation("fmad-vanilla", "agnews"), 2) == "0.81"
    assert line(text, "No Finetuning")[4:] == ["---", "---"]
    assert "reaches from 0.52 to 6.3 times it." in text


def test_computation_until_plateau_and_target(made: dict[str, Tidy]) -> None:
    text = convergence_cost.render(made["convergence-cost"])
    assert r"Reuters topics, target 61\,\% on validation" in text
    cells = line(text, "BP-Checkpointing")
    assert cells[1:] == [
        "171~M", "3/3", "80", "13.7~G", "3/3", "30", "5.13~G", "434~T", r"1\,500", "652~P",
    ]  # fmt: skip
    assert line(text, "ZO-Vanilla")[5:8] == ["0/3", "---", "---"]
    assert "No Finetuning" not in text
    assert "[1.5, 3.1] for ZO-Vanilla" in convergence_cost.say(made["convergence-cost"])


def test_other_encoders_stand_beside_those_of_their_family_in_the_order_of_size(
    made: dict[str, Tidy],
) -> None:
    data = made["encoders"]
    names = ["little-bert", "big-bert", "little-roberta", "big-roberta"]
    columns = [Column(name, "r8-4", name, name, None) for name in names]
    four = Tidy(data.runs, data.history, data.presentation)
    four.__dict__["columns"] = columns
    theirs = [encoders.stands_for(four, column) for column in columns]
    assert theirs == list(encoders.PAPER)
    four.__dict__["columns"] = columns[1:]  # of one BERT alone no one knows which it is
    assert [encoders.stands_for(four, column) for column in columns[1:]] == [None, *theirs[2:]]


def test_an_answer_counts_what_intervals_tell_apart(made: dict[str, Tidy]) -> None:
    found = {
        "A": Summary(6.0, 1.0, 2.0, 3),
        "B": Summary(-4.0, 1.0, 5.0, 3),
        "C": Summary(1.0, 1.0, 5.0, 3),
        "D": Summary(9.0, None, None, 1),
        "E": None,
    }
    assert answers.told(found, "is higher for", "is lower for", answers.size) == (
        "is higher for A ($+6.0$ points [$+4.0$, $+8.0$], $n=3$), is not told apart from it for "
        "2 of 3 (from $-4.0$ points [$-9.0$, $+1.0$] to $+1.0$ points [$-4.0$, $+6.0$], $n=3$) and "
        "has no interval for 1, of a single seed"
    )
    text = answers.full_parameter(made["full-parameter"])
    assert text.startswith("On Reuters topics, the accuracy with all parameters, against that ")


def test_only_what_is_set_otherwise_is_listed(one: Tidy, made: dict[str, Tidy]) -> None:
    assert settings.write([one, one]).count(r"\begin{tabular}") == 1  # settings of its own
    default = experiments.part(one, "again", "setting == 'default'")
    assert settings.write([default, default]) == "No experiment sets anything otherwise.\n"
    faster = Tidy(default.runs.copy(), default.history, default.presentation)
    faster.runs.loc[faster.runs["method"] == "zo-vanilla", "learning_rate"] = 0.5
    assert line(settings.write([default, faster]), "ZO-Vanilla")[2] == r"$5\cdot10^{-1}$"


def test_every_cell_of_the_papers_table_stands_somewhere(one: Tidy) -> None:
    rest = paper_accuracies.render(one)
    assert "AGNews" in rest  # of methods that are not run
    assert line(rest, "FMAD-Sparse")[1:3] == ["70.4 ($-23.8$)", "56.9 ($-29.4$)"]
    assert line(rest, "FMAD-Vanilla")[1:3] == ["", "60.7 ($-27.6$)"]


def test_the_papers_hyperparameters_stand_beside_ours(one: Tidy) -> None:
    found = lines(paper_settings.render(one), "AGNews")
    assert [cells[1:5] for cells in found] == [
        ["AdamW", "$10^{-3}$", "8", "---"],
        ["AdamW", "$10^{-3}$", "40", "---"],
        ["AdamW", "$10^{-4}$", "40", "$10^{-3}$"],
        ["AdamW", "$10^{-3}$", "40", "---"],
    ]
    assert [cells[6] for cells in found] == [
        "BP-Vanilla", "BP-Checkpointing", "ZO-Vanilla", "FMAD-Vanilla",
    ]  # fmt: skip
    assert lines(paper_settings.render(one), "MMLU")[0][1] == "SGD, Nesterov momentum 0.9"
