"""The transcription of the paper's numbers: counts, spot checks, and its own consistency.

The paper itself is not at hand here; what can be checked is what the numbers say of each other.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gradcost.results import paper
from gradcost.study import config

UNITS = {
    "", "%", "points", "TFLOP", "FLOP", "iterations", "epochs", "GB", "s", "s/iter", "minutes",
    "times", "inputs", "examples", "tokens", "directions", "runs", "bits",
    "billion parameters", "million parameters",
}  # fmt: skip
# methods, of which two share a row of Table 3; MeZO has three of seven cells
GAPS = 14 * 7 - 4


def value(table: str, row: str, column: str) -> float:
    """A number that is there."""
    found = paper.number(table, row, column)
    assert found is not None, (table, row, column)
    return found


def gains(method: str, over: str, datasets: tuple[str, ...] = tuple(paper.DATASETS)) -> list[float]:
    """Differences of accuracies in Table 3, rounded as there."""
    return [round(value("3", method, one) - value("3", over, one), 1) for one in datasets]


def test_every_cell_of_the_tables_is_there_once() -> None:
    numbers = paper.table()
    assert not numbers.duplicated(["table", "row", "column"]).any()
    assert numbers[numbers["table"].str.fullmatch(r"\d+")].groupby("table").size().to_dict() == {
        "1": 7 * 4 + 10, "2": 6 * 3, "3": 17 * 7 + GAPS, "4": 6 * 3, "5": 3 * 7, "6": 3 * 7,
        "7": 4 * 7, "8": 3 * 7, "9": 16 * 7, "10": 3 * 3, "11": 3 * 3, "12": 5 * 4,
    }  # fmt: skip
    tables = numbers[numbers["table"].str.fullmatch(r"\d+")]
    assert (tables["source"] == "Table " + tables["table"]).all()
    assert (tables[["row_label", "column_label"]] != "").all(axis=None)
    printed = {
        key: len(of_table.groupby(["row_label", "column_label"]))
        for key, of_table in tables.groupby("table")
    }
    assert printed == {  # a cell that has a gap, or that stands for two methods, counts once
        "1": 28, "2": 18, "3": 16 * 7, "4": 18, "5": 21, "6": 21,
        "7": 28, "8": 21, "9": 112, "10": 9, "11": 9, "12": 20,
    }  # fmt: skip


def test_every_section_with_numbers_is_there() -> None:
    text = paper.table().query("not table.str.fullmatch('[0-9]+')")
    assert set(text["table"]) == {
        "abstract", "introduction", "background", "4.1", "4.2", "4.3", "4.4", "4.5", "4.6", "A",
        "B", "C", "F.1", "F.2", "F.3", "F.4", "F.5.1", "F.5.2", "F.5.3", "F.7", "F.8", "H.2",
        "H.4", "I.4",
    }  # fmt: skip
    blank = text[text["value"].isna()]
    assert blank["printed"].to_list() == ["out of memory (OOM)"]
    for _, line in text.iterrows():
        assert line["printed"], line["column"]
        assert re.match("Abstract|Section|Appendix|Caption of Figure", line["source"])


def test_values_are_numbers_with_units_wherever_the_cell_is_one() -> None:
    numbers = paper.table()
    assert set(numbers["unit"]) <= UNITS
    blank = numbers[numbers["value"].isna()]
    assert blank.groupby("table").size().to_dict() == {
        "1": 7, "2": 18, "3": 4, "4.4": 1, "5": 7, "6": 7, "7": 7, "8": 7, "9": 4, "11": 2,
    }  # fmt: skip
    assert set(blank.loc[blank["table"].isin(["3", "9"]), "printed"]) == {"—"}
    assert set(blank.loc[blank["table"].isin(["3", "9"]), "row"]) == {"mezo"}
    assert set(blank.loc[blank["table"] == "11", "printed"]) == {"jvp = NaN"}
    assert (blank.loc[blank["table"] == "1", "note"] != "").all()
    assert (numbers.loc[numbers["column"] != "contribution", "printed"] != "").all()


def test_ranges_have_two_ends_in_order() -> None:
    numbers = paper.table()
    ends = numbers[numbers["column"].str.endswith("-least")]
    assert len(ends) > 30
    for _, end in ends.iterrows():
        column = end["column"].removesuffix("-least") + "-most"
        assert end["value"] < value(end["table"], end["row"], column), end["column"]


@pytest.mark.parametrize(
    ("table", "row", "column", "expected"),
    [
        ("1", "zosparse", "convergence-time", 1),
        ("1", "spry", "contribution-accuracy-above-zo-most", 13),
        ("3", "no-finetuning", "agnews", 23.5),
        ("3", "bp-vanilla", "boolq", 88.3),
        ("3", "bp-checkpointing", "textvqa", 98.5),
        ("3", "bp-accumulate", "gsm8k", 33.1),
        ("3", "bp-accumulate", "gsm8k-gap", -21.1),
        ("3", "zo-vanilla", "agnews", 73.6),
        ("3", "zo-svrg", "multirc", 61.2),
        ("3", "mezo", "multirc", 60.4),
        ("3", "fmad-multiple", "gsm8k", 40.5),
        ("3", "fmad-sparse", "textvqa", 77.0),
        ("4", "zo-multiple", "tflops-until-convergence", 24_250_000),
        ("4", "zo-accumulate", "iterations-until-convergence", 75_000),
        ("4", "fmad-vanilla", "tflops-per-iteration", 432.0),
        ("5", "batch-size", "mmlu", 6),
        ("7", "perturbation-step-size", "mmlu", 1e-4),
        ("8", "learning-rate", "agnews", 1e-3),
        ("9", "bp-vanilla", "vqav2", 1.49),
        ("9", "zo-sparse", "textvqa", 0.9),
        ("9", "fmad-sparse", "agnews", 0.93),
        ("10", "fmad-vanilla", "opt-13b", 77.07),
        ("11", "bp-checkpointing", "rank-32", 85.54),
        ("12", "bp-checkpointing", "memory", 11.66),
        ("12", "signzo", "convergence-time", 56_892),
        ("4.3", "fmad-accumulate", "time-over-no-accumulation", 14.8),
        ("4.4", "zo-vanilla", "activations", 1.26),
        ("4.4", "bp-checkpointing", "memory-below-fmad-most", 1.3),
        ("4.5", "fmad-multiple", "computation-over-bp", 20),
        ("F.8", "zo-multiple", "convergence-time-n-50", 6500),
    ],
)
def test_spot_checks(table: str, row: str, column: str, expected: float) -> None:
    assert paper.number(table, row, column) == expected


def test_a_reader_of_the_paper_finds_each_cell_as_it_stands_there() -> None:
    numbers = paper.table().set_index(["table", "row", "column"])

    def cell(table: str, row: str, column: str) -> tuple[str, str, str]:
        found = numbers.loc[(table, row, column)]
        return found["row_label"], found["column_label"], found["printed"]

    for column in ("agnews", "agnews-gap"):
        assert cell("3", "zo-vanilla", column) == ("ZO-VANILLA", "AGNews", "73.6 (-20.6)")
    assert cell("3", "bp-checkpointing", "mmlu") == ("BP-VANILLA/CHKPT", "MMLU", "60.3")
    assert cell("4", "zo-vanilla", "tflops-until-convergence")[2] == r"$251.2 \times 10^4$"
    assert cell("7", "optimizer", "gsm8k") == ("Optimizer", "GSM8K", "SGD Nesterov Mmtm 0.9")
    assert cell("10", "bp-checkpointing", "opt-13b") == ("BP-CHKPT", "13.0B", "94.51")
    assert cell("12", "zo-vanilla", "convergence-time")[::2] == ("ZO", "21,074")


def test_what_the_paper_does_not_have_is_none() -> None:
    assert paper.accuracy("mezo", "mmlu") is None
    assert paper.accuracy("signzo", "boolq") is None
    assert paper.accuracy("bp-vanilla", "r8") is None
    assert paper.variation("no-finetuning", "agnews") is None
    assert paper.number("11", "fmad-vanilla", "rank-16") is None
    assert paper.number("2", "bp", "memory") is None


def test_signzo_is_from_another_table() -> None:
    assert paper.number("3", "signzo", "agnews") is None
    assert paper.accuracy("signzo", "agnews") == 82.6
    assert paper.accuracy("bp-checkpointing", "agnews") == 94.2


@pytest.fixture(scope="module")
def study() -> config.Study:
    """The configuration at the paper's scale."""
    return config.read(Path(__file__).parents[2] / "config.yaml")


def test_rows_are_called_as_the_methods_of_the_configuration(study: config.Study) -> None:
    # which is the study's own
    names = set(study.experiments["accuracy"].methods) - {"no-finetuning-words"}
    for name in names:
        assert paper.accuracy(name, "agnews") is not None, name
    numbers = paper.table()
    assert set(numbers.loc[numbers["table"].isin(["3", "4", "9", "12"]), "row"]) == names
    assert set(numbers.loc[numbers["table"] == "10", "column"]) <= set(study.models)
    assert {one.removesuffix("-gap") for one in numbers.loc[numbers["table"] == "3", "column"]} == {
        *paper.DATASETS
    }


@pytest.mark.parametrize(
    ("table", "group"), [("5", "bp-vanilla"), ("6", "bp-checkpointing"), ("7", "zo"), ("8", "fmad")]
)
def test_the_configuration_has_the_hyperparameters_of_the_paper(
    study: config.Study, table: str, group: str
) -> None:
    """All of them; AdamW's weight decay, which the paper does not give, is PyTorch's default."""
    printed = paper.table().query("table == @table").set_index(["row", "column"])["printed"]
    assert set(study.hyperparameters[group]) == set(paper.DATASETS)
    for dataset, ours in study.hyperparameters[group].items():
        assert ours.batch_size == value(table, "batch-size", dataset)
        assert ours.learning_rate == value(table, "learning-rate", dataset)
        name, *more = printed["optimizer", dataset].split()
        assert ours.optimizer == name.lower()
        assert ours.nesterov == ("Nesterov" in more)
        assert ours.momentum == (float(more[-1]) if more else 0.0)
        assert ours.weight_decay == (0.01 if name == "ADAMW" else 0.0)
        step = paper.number(table, "perturbation-step-size", dataset)
        assert ours.estimator == ({} if step is None else {"epsilon": step})
        assert ours.clip_norm is None


def test_the_configuration_has_the_settings_of_appendix_c(study: config.Study) -> None:
    for family in ("bp", "zo", "fmad"):
        reduction = study.methods[f"{family}-accumulate"].variance_reduction
        assert reduction is not None
        assert reduction["window"] == value("C", f"{family}-accumulate", "window")
    for family in ("zo", "fmad"):
        multiple = study.methods[f"{family}-multiple"].estimator
        adaptive = study.methods[f"{family}-adaptive"].variance_reduction
        svrg = study.methods[f"{family}-svrg"].variance_reduction
        assert multiple is not None
        assert adaptive is not None
        assert svrg is not None
        assert multiple["perturbations"] == value("C", f"{family}-multiple", "perturbations")
        several = value("C", f"{family}-adaptive", "perturbations-of-calibration")
        assert adaptive["calibration"] == several
        every = value("C", f"{family}-svrg", "epochs-between-full-gradients")
        assert svrg["snapshot_every"] == every
        share = study.methods[f"{family}-sparse"].sparse
        assert share == value("C", f"{family}-sparse", "share-of-parameters") / 100
    for name, task in study.tasks.items():
        if name in paper.DATASETS:
            assert task.length == value("B", name, "length")
    assert list(study.seeds) == [value("4.1", "study", f"seed-{i}") for i in range(3)]


def test_gaps_are_differences_to_bp_but_for_one() -> None:
    """Within a digit of the last place, for accuracies and gaps are rounded each."""
    numbers = paper.table().query("table == '3' and column.str.endswith('-gap')")
    assert len(numbers) == GAPS
    off = []
    for _, gap in numbers.iterrows():
        dataset = gap["column"].removesuffix("-gap")
        ours = value("3", gap["row"], dataset) - value("3", "bp-vanilla", dataset)
        if abs(round(ours - gap["value"], 1)) > 0.1:
            off.append((gap["row"], dataset))
    assert off == [("fmad-sparse", "boolq")]
    assert paper.inconsistencies()[0].name == "gap-of-fmad-sparse"


def test_iterations_times_cost_is_the_total_of_table_4() -> None:
    numbers = (
        paper.table().query("table == '4'").pivot(index="row", columns="column", values="value")
    )
    product = numbers["tflops-per-iteration"] * numbers["iterations-until-convergence"]
    assert (product / numbers["tflops-until-convergence"]).between(0.99, 1.01).all()


def test_numbers_that_stand_twice_are_the_same() -> None:
    for row in ("bp-checkpointing", "zo-vanilla", "zo-accumulate", "zo-multiple"):
        assert value("12", row, "computation") == value("4", row, "tflops-until-convergence")
    for row in ("zo-vanilla", "zo-accumulate", "zo-multiple"):
        assert value("12", row, "accuracy") == value("3", row, "agnews")
    for row in ("bp-checkpointing", "zo-vanilla", "fmad-vanilla"):
        assert value("11", row, "rank-1") == value("10", row, "opt-6.7b")
    assert value("F.8", "zo-vanilla", "accuracy-n-1") == value("10", "zo-vanilla", "opt-13b")


def test_memory_agrees_with_the_ratios_in_the_text() -> None:
    """To the digits that they are given with."""
    assert paper.memory("mezo") is None
    peak, zeroth = paper.memory("bp-checkpointing"), paper.memory("zo-vanilla")
    assert peak is not None
    assert zeroth is not None
    assert round(peak / zeroth, 1) == paper.number("4.4", "bp-checkpointing", "memory-over-zo-most")
    forward, two = (value("4.4", one, "activations") for one in ("fmad-vanilla", "zo-vanilla"))
    assert round(forward / two, 1) == value("4.4", "fmad-vanilla", "activations-over-zo-most")


def test_inconsistencies_are_told_apart_and_complete() -> None:
    found = paper.inconsistencies()
    assert len({one.name for one in found}) == len(found) > 30
    for one in found:
        assert all((one.where, one.says, one.but, one.source)), one.name
        assert one.says != one.but
        assert "nan" not in (one.where, one.says, one.but, one.source)


def _of_table_3() -> dict[str, list[float]]:
    sparse = gains("zo-sparse", "zo-vanilla")
    rows = {
        row for row in paper.table().query("table == '3'")["row"] if row.startswith(("zo", "fmad"))
    }
    gaps = [
        value("3", row, f"{one}-gap") for row in rows | {"mezo"} for one in paper.DATASETS
        if row != "mezo" or one in ("agnews", "boolq", "multirc")
    ]  # fmt: skip
    new = {
        name: [gain for family in ("zo", "fmad")
               for gain in gains(f"{family}-{name}", f"{family}-vanilla")]
        for name in ("accumulate", "adaptive")
    }  # fmt: skip
    return {
        "gap-of-fmad-sparse": gains("fmad-sparse", "bp-vanilla", ("boolq",)),
        "accuracy-over-variants": [-max(gaps), -min(gaps)],
        "accuracy-over-zo": [
            -max(value("3", "zo-vanilla", f"{one}-gap") for one in paper.DATASETS)
        ],
        "largest-gap-of-fmad-vanilla": [-min(gains("fmad-vanilla", "bp-vanilla"))],
        "gains-of-new-variance-reductions": [end(new[name]) for name in new for end in (min, max)],
        "least-gain-of-zo-multiple": [
            min(gain for gain in gains("zo-multiple", "zo-vanilla") if gain > 0)
        ],
        "zo-sparse-on-images": sparse[-2:],
        "fmad-under-adamw": [
            -max(gains("fmad-vanilla", "bp-vanilla")),
            *(-gap for gap in gains("fmad-vanilla", "bp-vanilla", ("gsm8k",))),
        ],
        "accuracy-of-bp": [value("3", "bp-checkpointing", "agnews")],
        "best-of-all": [
            value("3", row, task) for task in ("gsm8k", "mmlu")
            for row in ("bp-accumulate", "zo-vanilla", "fmad-vanilla")
        ],
    }  # fmt: skip


def _of_costs() -> dict[str, list[float]]:
    def cost(row: str, column: str = "tflops-until-convergence") -> float:
        return value("4", row, column)

    def ratio(row: str, to: str, column: str = "tflops-until-convergence") -> float:
        return round(cost(row, column) / cost(to, column), 1)

    bp, step = "bp-checkpointing", "tflops-per-iteration"
    time = {row: value("12", row, "convergence-time") for row in
            (bp, "zo-vanilla", "signzo", "zo-accumulate", "zo-multiple")}  # fmt: skip
    epoch = {row: value("4.3", row, "time-batch-40") for row in (bp, "zo-vanilla")}
    steps = {row: cost(row, "iterations-until-convergence") for row in (bp, "zo-vanilla")}
    variants = [ratio(row, bp) for row in ("zo-accumulate", "zo-multiple", "fmad-multiple")]
    saved = {row: round(100 * (1 - time[bp] / time[row]), 1) for row in time if row != bp}
    pair, ranks = (bp, "zo-vanilla"), ("rank-1", "rank-16", "rank-32")
    speed = steps["zo-vanilla"] * epoch["zo-vanilla"] / (steps[bp] * epoch[bp])
    fmad, zeroth = (value("4.4", row, "activations") for row in ("fmad-vanilla", "zo-vanilla"))
    signs = value("12", "signzo", "computation") / value("12", "zo-vanilla", "computation")
    return {
        "total-of-zo-vanilla": [round(cost("zo-vanilla") / cost(bp), 2), ratio("zo-vanilla", bp)],
        "totals-of-variants": [min(variants), max(variants)],
        "cost-of-an-iteration": [cost(row, step) for row in ("zo-vanilla", "fmad-vanilla", bp)],
        "time-of-zo-accumulate": [round(time["zo-accumulate"] / time["zo-vanilla"], 1)],
        "time-of-sequential-perturbations": [
            value("F.8", row, f"convergence-time-n-{n}")
            for row, n in (("zo-vanilla", 1), ("zo-multiple", 10), ("zo-multiple", 50))
        ],
        "zo-against-rank": [
            round(value("11", bp, rank) - value("11", "zo-vanilla", rank), 2) for rank in ranks
        ],
        "bp-against-rank": [value("11", bp, rank) for rank in ranks],
        "order-of-magnitude": [ratio("zo-vanilla", bp), ratio("fmad-vanilla", bp)],
        "cost-of-zo-multiple": [ratio("zo-multiple", "zo-vanilla", step)],
        "cost-of-fmad-multiple": [
            ratio("fmad-multiple", bp, step),
            ratio("fmad-multiple", bp),
            ratio("fmad-multiple", "fmad-vanilla"),
        ],
        "cost-of-zo-accumulate": [ratio("zo-accumulate", "zo-vanilla")],
        "convergence-faster": [saved["zo-vanilla"], min(list(saved.values())[1:]),
                               max(saved.values())],
        "time-of-an-iteration": [
            *(round(time[row] / steps[row], 1) for row in pair),
            *(round(time[row] / epoch[row], 1) for row in pair),
        ],
        "iterations-and-epochs": [round(steps[row] / (time[row] / epoch[row])) for row in pair],
        "time-of-zo": [round(speed, 1), round(time["zo-vanilla"] / time[bp], 1)],
        "iterations-of-signzo": [round(signs, 3)],
        "comparable-memory": [value("12", row, "memory") for row in pair],
        "memory-of-fmad": [round(fmad - zeroth, 2)],
        "smoothing-radius": [round(steps_ ** -0.25, 2) for steps_ in (100, 1000)],
    }  # fmt: skip


@pytest.mark.parametrize("name", [*_of_table_3(), *_of_costs()])
def test_inconsistencies_say_what_follows_from_the_numbers(name: str) -> None:
    but = next(one.but for one in paper.inconsistencies() if one.name == name)
    stated = [float(text.replace(",", "")) for text in re.findall(r"-?\d[\d,]*\.?\d*", but)]
    for number in (_of_table_3() | _of_costs())[name]:
        assert number in stated, (number, but)
