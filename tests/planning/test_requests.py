"""What runs ask a scheduler for follows from the accounting."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from snakemake_executor_plugin_slurm.utils import set_gres_string

from gradcost.planning import requests
from gradcost.planning.requests import Requests
from gradcost.study import config
from gradcost.study.files import write_json
from gradcost.study.pipeline import Pipeline
from gradcost.study.runs import TOO_SMALL, Run

ROOT = Path(__file__).parents[2]


def of_study(folder, **cluster):
    merged = config.read(ROOT / "config.yaml").model_dump()
    merged["cluster"] |= cluster
    return Requests(config.load(merged), folder)


def bp(method="bp-checkpointing", task="agnews", seed=0):
    return Run("llama-3.1-8b", task, method, "default", seed)


def test_snakemake_reads_this_without_torch():
    code = "import gradcost.planning.requests, sys; print(*{'torch', 'pandas'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "", done.stderr


def test_a_run_takes_the_time_of_its_flops(tmp_path):
    asked = of_study(tmp_path)
    one = asked.seconds(bp("zo-vanilla"))
    assert one == asked.seconds(bp("zo-vanilla", seed=2))
    # the steps of ten directions are ten times as long, what is evaluated as long
    ten = asked.seconds(bp("zo-multiple"))
    looking = asked.seconds(bp("zo-vanilla")) - 9000 * 2 * _forward_seconds(asked)
    assert ten - looking == pytest.approx(10 * (one - looking), rel=0.02)
    # the paper: 1112.8 s for 256 steps of 40 x 256 tokens; here they are 350 tokens long
    steps = asked.seconds(bp()) - looking
    assert steps / 9000 == pytest.approx(1112.8 / 256 * 350 / 256, rel=0.25)


def _forward_seconds(asked):
    from gradcost.planning.case import forward_flops

    case, batch = asked._case(bp("zo-vanilla"))
    return forward_flops(case, batch) / (0.5 * 181.05e12)


def test_every_run_of_the_paper_scale_asks_for_time(tmp_path):
    """Those too that the closed form does not describe."""
    asked = of_study(tmp_path)
    for grid in Pipeline(asked.study).grids.values():
        for run in grid:
            assert 15 < asked.minutes(run) <= 72 * 60
            assert 6000 < asked.host_mb(run) < 60_000


def test_an_attempt_asks_for_more_than_the_last_up_to_a_cap(tmp_path):
    asked = of_study(tmp_path, max_hours=40, max_memory=40)
    run = bp("bp-vanilla")
    minutes = [asked.minutes(run, attempt) for attempt in (1, 2, 3, 4)]
    assert minutes[1] == pytest.approx(1.5 * minutes[0], abs=1)
    assert minutes[3] == 40 * 60
    memory = [asked.host_mb(run, attempt) for attempt in (1, 2, 3)]
    assert memory[1] == pytest.approx(1.5 * memory[0], abs=1)
    assert memory[2] == 40_000


def forecast(asked, **peaks):
    path = asked.forecast("llama-3.1-8b", "agnews")
    found = {
        f"{method.replace('_', '-')}/default": {"peak_bytes": peak, "host_bytes": 3e9}
        for method, peak in peaks.items()
    }
    write_json(path, found)


CARDS = {"l4": "l4", "l40": "l40", "a100-80gb": "a100"}


def kind(asked, run):
    return asked.card(run).type


@pytest.mark.parametrize("names", [["l4", "l40", "a100-80gb"], ["a100-80gb", "l4", "l40"]])
def test_a_run_asks_for_the_smallest_card_that_holds_it(tmp_path, names):
    asked = of_study(tmp_path, cards={name: CARDS[name] for name in names})
    with pytest.raises(FileNotFoundError):
        asked.card(bp())  # Snakemake waits for the forecast
    forecast(asked, bp_checkpointing=10.6e9, bp_vanilla=30e9, fmad_multiple=90e9)
    assert asked.gpu_mb(bp()) == 11730
    assert [kind(asked, bp(name)) for name in ("bp-checkpointing", "bp-vanilla")] == ["l4", "l40"]
    # what no card holds is tried on the largest, where that is a result
    assert kind(asked, bp("fmad-multiple")) == "a100"
    assert not asked.grows(bp("fmad-multiple"))
    # and what came after the forecast asks for what its weights take
    assert kind(asked, bp("fmad-svrg")) == "l4"
    # time is of the smallest, whichever is listed first
    assert asked.seconds(bp()) == of_study(tmp_path, cards={"l4": None}).seconds(bp())


@pytest.mark.parametrize("names", [["l4", "l40", "a100-80gb"], ["a100-80gb", "l4", "l40"]])
def test_a_run_that_ran_out_of_memory_asks_for_a_larger_card(tmp_path, names):
    asked = of_study(tmp_path, cards={name: CARDS[name] for name in names})
    forecast(asked, bp_checkpointing=10.6e9)
    tried = tmp_path / bp().path / TOO_SMALL
    tried.parent.mkdir(parents=True)
    for wanted, more in (("l4", True), ("l40", True), ("a100", False), ("a100", False)):
        assert (kind(asked, bp()), asked.grows(bp())) == (wanted, more)
        with tried.open("a") as file:
            file.write("CUDA out of memory\n")


def test_one_kind_of_card_needs_no_name(tmp_path):
    assert not {"gpu_model", "constraint"} & set(of_study(tmp_path).resources())
    named = of_study(tmp_path, cards=CARDS).resources()
    assert "constraint" not in named
    wildcards = SimpleNamespace(**{**vars(bp()), "seed": "0"})
    with pytest.raises(FileNotFoundError):
        named["gpu_model"](wildcards, None)
    assert named["gpu"] == 1


def test_cards_are_asked_for_by_type_by_constraint_or_by_both(tmp_path):
    """As Slurm's plugin takes the resources, without those that are None, as Snakemake does."""
    cards = {
        "l4": "nvidia_l4.1",
        "l40": {"constraint": "l40|l40s"},
        "a100-80gb": {"type": "a100", "constraint": "gpu80gb"},
    }
    asked = of_study(tmp_path, cards=cards)
    forecast(asked, bp_checkpointing=10.6e9, bp_vanilla=30e9, fmad_multiple=70e9)
    found = asked.resources()

    def options(method):
        wildcards = SimpleNamespace(**{**vars(bp(method)), "seed": "0"})
        given = {key: found[key](wildcards, None) for key in ("gpu_model", "constraint")}
        given = {key: value for key, value in given.items() if value is not None}
        job = SimpleNamespace(resources={"gpu": found["gpu"], **given})
        return set_gres_string(job).split(), given.get("constraint")

    assert options("bp-checkpointing") == (["--gpus=nvidia_l4.1:1"], None)
    assert options("bp-vanilla") == (["--gpus=1"], "l40|l40s")
    assert options("fmad-multiple") == (["--gpus=a100:1"], "gpu80gb")


@pytest.mark.parametrize(
    ("cards", "said"),
    [
        ({"l41": None}, "no card 'l41'"),
        ({"l40": None, "h100": "h100"}, "of several cards each needs the scheduler's name"),
        (
            {"a100-80gb": "nvidia_a100-sxm4-80gb"},
            r"cluster.cards.a100-80gb = 'nvidia_a100-sxm4-80gb': .* takes GPU types of .*: "
            r"a100-80gb: \{constraint: FEATURE\}",
        ),
        ({"l40": {"type": "gpu:l40"}}, "cluster.cards.l40 = 'gpu:l40': .* takes GPU types of"),
        ({"l40": ""}, "cluster.cards.l40 = '': .* takes GPU types of"),
        ({"l40": {"constraint": ""}}, "cluster.cards.l40.constraint = '': .* at least 1 character"),
        ({"l40": {"constrain": "l40"}}, "cards.l40.constrain = .*did you mean 'constraint'"),
        ({"l40": 40}, "cluster.cards.l40 = 40: "),
        (
            {"v100-32gb": None},
            "cluster.cards.v100-32gb: the .*V100.* has no products of bfloat16; it has those of "
            "float32, and bfloat16 is the dtype of llama-3.1-8b, ",
        ),
        ({"l40": "l40", "t4": "t4"}, "cluster.cards.t4: the .*T4 has no products of bfloat16"),
    ],
)
def test_cards_that_cannot_be_asked_for_are_faults(tmp_path, cards, said):
    with pytest.raises(config.ConfigError, match=said):
        of_study(tmp_path, cards=cards)


def test_a_card_needs_rates_of_what_it_trains_alone(tmp_path):
    merged = config.read(ROOT / "config.yaml").model_dump()
    merged["cluster"]["cards"] = {"v100-32gb": None}
    # where nothing is trained on a card, none is held against the study
    on_cpu = merged | {"hardware": {"device": "cpu"}}
    assert config.load(on_cpu).cluster.cards
    encoders = {"encoders": merged["experiments"]["encoders"]}
    of_encoders = merged | {"experiments": encoders, "report": ["encoders"]}
    for name in encoders["encoders"]["models"]:
        of_encoders["models"][name]["dtype"] = "float32"
    assert Requests(config.load(of_encoders), tmp_path).seconds(
        Run("bert-base", "agnews", "bp-vanilla", "default", 0)
    )


def test_the_cards_of_an_overlay_are_all_the_cards(tmp_path):
    """Snakemake merges mappings before they are read, so `config.yaml` must have none."""
    overlay = tmp_path / "mine.yaml"
    overlay.write_text("cluster: {cards: {a100-80gb: a100}}\n")
    study = config.read(ROOT / "config.yaml", overlay)
    assert study.cluster.cards == {"a100-80gb": config.Card(type="a100")}
    assert study.cluster.max_hours == 72
    assert list(config.read(ROOT / "config.yaml").cluster.cards) == ["l40"]


def test_what_is_offloaded_is_asked_of_the_host(tmp_path):
    asked = of_study(tmp_path)
    before = asked.host_mb(bp())
    forecast(asked, bp_checkpointing=10.6e9)
    assert asked.host_mb(bp()) == before + 3000


def test_a_forecast_is_what_the_meter_counts(tmp_path, llama_folder):
    from gradcost.planning.case import Case
    from gradcost.planning.price import price
    from gradcost.study.files import read_json
    from tests.runs import small_spec

    spec = {key: small_spec("bp-vanilla")[key] for key in ("model", "method", "hyperparameters")}
    case = Case(read_json(llama_folder / "config.json"), spec, length=8)
    step = {"step": "bp-vanilla/default", "batch": 3, "case": vars(case)}
    peak = price(case).cost(3).peak
    found = requests.make([step], 1)
    assert found == {"bp-vanilla/default": {"peak_bytes": peak.total, "host_bytes": peak.host}}


def test_what_runs_ask_for_in_all_is_said_in_a_line(tmp_path):
    asked = of_study(tmp_path)
    assert asked.summary() is None
    minutes = asked.gpu_minutes(bp()) + asked.gpu_minutes(bp("zo-vanilla", seed=1))
    assert asked.summary().startswith(f"2 runs to train: {minutes / 60:,.0f} GPU hours")


def test_runs_that_need_more_than_all_attempts_are_counted(tmp_path):
    asked = of_study(tmp_path)
    asked.asked = {bp(): 60 * 72, bp("zo-vanilla"): 60 * 72 * 2 + 1, bp("mezo"): 60 * 72 * 9}
    assert (
        asked.summary(retries=1)
        .splitlines()[1]
        .startswith("More than 2 jobs of 72 hours are needed by 2 of them, up to 9: ")
    )
    assert "3 jobs of 72 hours are needed by 1 of them" in asked.summary(retries=2)
    assert len(asked.summary(retries=8).splitlines()) == 1
