"""The tables of prices: what must stand in them, and what follows when rows are missing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gradcost.results import paper
from gradcost.results.accounting import Accounting
from gradcost.tables.accounting import bounds, computation, memory_breakdown, numbers, sentences
from tests.results.synthetic_accounting import accounting, sheet, step
from tests.tables.test_tables import line_of

MODULES = [computation, memory_breakdown, bounds, numbers]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Accounting:
    """All sheets."""
    return accounting(tmp_path_factory.mktemp("sheets"))


@pytest.fixture(params=["all", "one", "none"])
def any_data(request: pytest.FixtureRequest, data: Accounting, tmp_path: Path) -> Accounting:
    """All sheets, a single row, or nothing."""
    if request.param == "all":
        return data
    if request.param == "one":
        return accounting(tmp_path, sheet("llama-3.1-8b", "LLaMA", [step("zo-vanilla")]))
    return Accounting.load([])


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_tables_hold_for_any_choice_of_rows(module: object, any_data: Accounting) -> None:
    text = module.render(any_data)  # type: ignore[attr-defined]
    assert text == module.render(any_data)  # type: ignore[attr-defined]
    assert not re.search(r"\b(nan|None|inf)\b", text)
    widths = {
        len(re.findall(r"(?<!\\)&", line))
        for line in text.partition(r"\midrule")[2].splitlines()
        if "&" in line and "multicolumn" not in line
    }
    assert len(widths) <= 1
    for line in text.splitlines():
        assert line.count("{") == line.count("}")


def test_labels_are_escaped(tmp_path: Path) -> None:
    rows = [step(method) | {"label": "50%_&co"} for method in ("zo-vanilla", "bp-vanilla")]
    awkward = accounting(tmp_path, sheet("llama-3.1-8b", "a#b", rows), sheet("depth", "x", rows))
    for module in MODULES:
        assert not re.search(r"(?<!\\)[%#]|50%|a#b|(?<!\\)_&", module.render(awkward))
    assert r"50\%\_\&co" in memory_breakdown.render(awkward)


def test_computation_has_the_papers_ours_as_published_and_the_least(data: Accounting) -> None:
    text = computation.render(data)
    assert line_of(text, "FMAD-Multiple (10 together)") == [
        "FMAD-Multiple (10 together)",
        "4320.3", "4320.0", "1.000", "1584.0", "0.37", "11.00", r"9\,600", "4147.5", "1520.6",
    ]  # fmt: skip
    assert line_of(text, "BP-Checkpointing")[1:5] == ["434.4", "432.0", "0.994", "396.0"]
    assert len([line for line in text.splitlines() if re.match("(BP|ZO|FMAD)-", line)]) == 6


def test_totals_that_are_not_products_are_marked(
    data: Accounting, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "dagger" not in computation.render(data)
    assert "for every method" in sentences.totals(data)
    real = paper.number

    def wrong(table: str, row: str, column: str) -> float | None:
        found = real(table, row, column)
        twice = (row, column) == ("zo-vanilla", "tflops-until-convergence")
        return 2 * found if found and twice else found

    monkeypatch.setattr(paper, "number", wrong)
    assert "dagger" in line_of(computation.render(data), "ZO-Vanilla")[8]
    assert "dagger" not in line_of(computation.render(data), "ZO-Accumulate")[8]
    assert sentences.totals(data).endswith("times its costs for ZO-Vanilla.")


def test_memory_stands_by_category_beside_the_papers(data: Accounting) -> None:
    text = memory_breakdown.render(data)
    assert line_of(text, "ZO-Vanilla") == [
        "ZO-Vanilla",
        "4.90", "0.00", "1.00", "0.00", "0.00", "5.90", "1.26", "5.99", "162", "325",
    ]  # fmt: skip
    assert "+\\,3.20 host" in line_of(text, "BP-Offload")[0]
    assert line_of(text, "BP-Checkpointing, as published")[5] == "2.00"
    # the paper's are of directions in turn, and of one model
    assert line_of(text, "ZO-Multiple (10 in turn)")[8] == "5.99"
    assert line_of(text, "ZO-Multiple (10 together)")[8] == "---"
    assert line_of(text.partition("OPT")[2], "BP-Checkpointing")[8] == "---"


def test_verdicts_follow_the_laws(data: Accounting) -> None:
    parts = bounds.render(data).split(r"\emph{")
    memory, against_n, flops, flops_n, flops_d = parts[1:]
    methods = ("BP-V", "BP-C", "BP-S", "BP-N", "ZO", "FMAD")
    assert [line_of(memory, method)[-1] for method in methods] == [
        "as stated", "grows more", "as stated", "as stated", "as stated", "as stated",
    ]  # fmt: skip
    assert line_of(memory, "BP-C")[4:7] == ["0.24", "$p$", "100~MB"]
    assert line_of(memory, "BP-S")[5] == r"$\sqrt{p}$"
    assert line_of(against_n, "FMAD-Multiple together")[5:] == ["$n$", "1.00~GB", "as stated"]
    assert line_of(against_n, "ZO-Multiple in turn")[4:6] == ["0.00", "$1$"]
    assert line_of(flops, "BP-N")[-1] == "grows less"  # no factor log p
    assert line_of(flops_n, "FMAD-Multiple together")[5] == "$n$"
    assert {line.rsplit("& ", 1)[1] for line in flops_d.splitlines() if " & " in line} == {
        r"grows less \\"
    }


def test_methods_that_are_not_priced_have_no_line(tmp_path: Path) -> None:
    one = accounting(tmp_path, sheet("depth", "LLaMA", [step("bp-vanilla", p) for p in (4, 9)]))
    text = bounds.render(one)
    assert line_of(text, "BP-Vanilla")[-1] == "not known"  # two depths tell no law
    assert "ZO" not in text
    assert "nothing is varied" in bounds.render(Accounting.load([]))


def test_sentences_say_what_the_data_say(data: Accounting) -> None:
    found = numbers.results(data)
    assert "Of 6 methods priced as the public code runs them, 6 agree" in found["say/agreement"]
    assert "0.55\\,\\% (BP-Checkpointing)" in found["say/agreement"]
    assert "FMAD-Vanilla from 432.0 to 288.0~TFLOP" in found["say/least"]
    assert "ZO-Vanilla 0.73 (0.66)" in found["say/relative"]
    assert (
        "BP-Checkpointing takes 12.10~GB, 4\\,\\% more than the paper's 11.66" in found["say/near"]
    )
    assert "the paper has 3.3 to 4.3" in found["say/forward"]
    assert "takes 5.20~GB more than FMAD-Vanilla" in found["say/forward"]
    assert found["say/forward"].endswith("the order of the two is the opposite.")
    assert "become 10.14, less than the 11.66" in found["say/own"]
    assert "another 2.1 to 2.8~GB" in found["say/own"]
    assert "grow as stated" in found["say/stated"]
    assert found["say/deepest"].startswith("At 36~layers, memory above the weights is: BP-Nested")


def test_the_order_of_forward_mode_and_checkpointing_is_not_presumed(tmp_path: Path) -> None:
    rows = [step(method) for method in ("zo-vanilla", "bp-checkpointing", "fmad-vanilla")]
    more = 20_000_000_000
    rows[2]["peak"]["directions"] += more
    rows[2]["peak_bytes"] += more
    text = sentences.forward(accounting(tmp_path, sheet("llama-3.1-8b", "LLaMA", rows)))
    assert "GB less than FMAD-Vanilla" in text
    assert text.endswith("the order of the two is the same.")


def test_zeros_and_the_frontier_are_counted(data: Accounting, tmp_path: Path) -> None:
    found = numbers.results(data)
    assert found["zero-share"] == "33"
    assert found["say/frontier"] == (
        "Of memory on the accelerator and FLOPs, of both, some policy of backpropagation takes no "
        "more than ZO-Multiple (10 together) and FMAD-Multiple (10 together); none takes as "
        "little as the other 5 of 7 methods without it."
    )
    both = [step("bp-vanilla"), step("zo-vanilla")]
    assert sentences.frontier(accounting(tmp_path, sheet("llama-3.1-8b", "LLaMA", both))).endswith(
        "no policy of backpropagation takes as little as any of 1 methods without it."
    )
    assert "nothing to compare" in sentences.frontier(Accounting.load([]))
