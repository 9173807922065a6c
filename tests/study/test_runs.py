"""From experiments to runs and their specs."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from gradcost.study import config, runs
from gradcost.study.files import canonical_json, digest
from gradcost.study.seeds import derive

ROOT = Path(__file__).parents[2]
CONFIG = yaml.safe_load((ROOT / "config.yaml").read_text())


def specs(merged: dict) -> dict[runs.Run, str]:
    study = config.load(merged)
    return {run: canonical_json(runs.spec(study, run)) for run in runs.plan(study)["accuracy"]}


def altered(**changes) -> set[str]:
    """The methods whose specs differ from the study's when paths change to values."""
    new, old = changed(changes), specs(CONFIG)
    return {run.method for run, text in specs(new).items() if old.get(run) != text}


def changed(changes):
    """The configuration with values at paths such as `methods__bp_vanilla__label`."""
    new = copy.deepcopy(CONFIG)
    for path, value in changes.items():
        *parents, last = path.split("__")
        node = new
        for key in parents:
            node = node[key.replace("_", "-") if key not in node else key]
        node[last] = value
    return new


def test_a_run_is_named_by_its_place_in_the_grid():
    study = config.load(CONFIG)
    first = runs.plan(study)["accuracy"][0]
    assert first.path == "runs/llama-3.1-8b/agnews/no-finetuning/default/seed0"


def test_labels_and_colours_are_no_part_of_a_spec():
    assert altered(methods__bp_vanilla__label="Backprop", tasks__agnews__label="News") == set()
    assert altered(methods__bp_vanilla__family="zo", tasks__agnews__paper=None) == set()


def test_one_method_s_settings_change_that_method_s_specs():
    variants = ("vanilla", "accumulate", "multiple", "adaptive", "svrg", "sparse")
    zo = {"mezo", *(f"zo-{name}" for name in variants)}
    assert altered(hyperparameters__zo__agnews__learning_rate=0.5) == zo
    assert altered(methods__zo_multiple__estimator__perturbations=3) == {"zo-multiple"}
    assert altered(methods__zo_svrg__variance_reduction__snapshot_every=3) == {"zo-svrg"}
    assert altered(tasks__agnews__label_words=["a", "b", "c", "d"]) == {
        "mezo", "no-finetuning-words",
    }  # fmt: skip
    assert altered(methods__fmad_sparse__sparse=0.02) == {"fmad-sparse"}


def test_a_setting_may_train_all_parameters_in_place_of_adapters():
    new = copy.deepcopy(CONFIG)
    new["models"]["llama-3.1-8b"]["quantisation"] = None
    new["settings"]["full"] = {"trainable": "all", "variance_reduction": {"window": 7}}
    study = config.load(new)
    full, default = (
        runs.spec(study, runs.Run("llama-3.1-8b", "agnews", "zo-accumulate", setting, 0))
        for setting in ("full", "default")
    )
    assert full["model"]["trainable"] == "all"
    assert "lora" not in full["model"]
    assert default["model"]["lora"]["rank"] == 1
    assert full["method"]["variance_reduction"] == {"kind": "accumulate", "window": 7}
    sparse = runs.Run("llama-3.1-8b", "agnews", "zo-sparse", "full", 0)
    assert runs.spec(study, sparse)["model"]["trainable"] == "sparse"


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("methods__zo_vanilla__checkpointing", "every-layer", "for kind: backprop without svrg"),
        ("hardware__device", "cpu", "models.llama-3.1-8b.dtype = 'bfloat16': is for"),
        ("tasks__agnews__label_words", None, "tasks.agnews.label_words: is missing"),
        (
            "methods__bp_vanilla__variance_reduction",
            {"kind": "adaptive"},
            "goes by directions, and backprop has none",
        ),
        (
            "methods__zo_vanilla__estimator",
            {"kind": "zeroth-order-in-place"},
            "zeroth-order-in-place is itself the update",
        ),
        ("models__llama_3.1_8b__trainable", "all", "a weight in 4 bits cannot be trained"),
        (
            "methods__zo_svrg__variance_reduction",
            {"kind": "svgr"},
            "no such variance reduction; did you mean 'svrg'?",
        ),
    ],
)
def test_settings_that_do_not_go_together_are_found_before_any_run(path, value, expected):
    with pytest.raises(config.ConfigError, match=re.escape(expected)):
        runs.plan(config.load(changed({path: value})))


def test_the_task_s_estimator_settings_go_over_the_method_s():
    study = config.load(CONFIG)
    found = {
        run.task: runs.spec(study, run)["method"]["estimator"]["epsilon"]
        for run in runs.plan(study)["accuracy"]
        if run.method == "zo-vanilla"
    }
    # Table 7
    assert found == {"agnews": 1e-3, "boolq": 1e-2, "multirc": 1e-2, "gsm8k": 1e-3, "mmlu": 1e-4,
                     "vqav2": 1e-3, "textvqa": 1e-3}  # fmt: skip


def test_answers_in_text_have_an_objective_of_their_own_and_no_label_words():
    study = config.load(CONFIG)
    grid = runs.plan(study)["accuracy"]
    objectives = {
        (run.task, run.method): runs.spec(study, run)["method"]["objective"]
        for run in grid
        if run.method in ("zo-vanilla", "mezo", "no-finetuning-words")
    }
    assert objectives == {
        **{(task, "zo-vanilla"): "head" for task in ("agnews", "boolq", "multirc")},
        **{
            (task, method): "label-words"
            for task in ("agnews", "boolq", "multirc")
            for method in ("mezo", "no-finetuning-words")
        },
        **{(task, "zo-vanilla"): "answer" for task in ("gsm8k", "mmlu", "vqav2", "textvqa")},
    }


def test_tasks_about_images_are_for_the_models_that_see():
    study = config.load(CONFIG)
    grid = runs.plan(study)["accuracy"]
    tasks = {"vqav2", "textvqa"}
    assert {run.task for run in grid if run.model == "qwen2-vl-7b"} == tasks
    assert {run.task for run in grid if run.model == "llama-3.1-8b"} == set(study.tasks) - tasks
    assert runs.token_spec(study, "qwen2-vl-7b", "vqav2")["image_size"] == 512
    assert "image_size" not in runs.token_spec(study, "llama-3.1-8b", "gsm8k")


def test_a_setting_changes_what_it_names_and_no_more():
    changed = copy.deepcopy(CONFIG)
    changed["settings"]["rank-16"] = {"lora": {"rank": 16}}
    changed["experiments"]["accuracy"]["settings"] = ["default", "rank-16"]
    study = config.load(changed)
    run = runs.Run("llama-3.1-8b", "agnews", "bp-vanilla", "default", 0)
    default, high = (
        runs.spec(study, run),
        runs.spec(study, runs.Run(*run.path.split("/")[1:4], "rank-16", 0)),
    )
    assert high["model"]["lora"].pop("rank") == 16
    assert default["model"]["lora"].pop("rank") == 1
    assert default == high


def test_a_setting_changes_the_steps_of_a_task_and_never_its_data():
    """Tokens are made once for all settings: another length would not reach them."""
    changed = copy.deepcopy(CONFIG)
    changed["settings"]["short"] = {"task": {"steps": 7}}
    study = config.load(changed)
    run = runs.Run("llama-3.1-8b", "agnews", "bp-vanilla", "short", 0)
    assert runs.spec(study, run)["steps"] == 7
    changed["settings"]["short"]["task"]["length"] = 64
    with pytest.raises(
        config.ConfigError, match=r"settings\.short\.task\.length = 64: no such key"
    ):
        config.load(changed)


@pytest.mark.parametrize(
    ("method", "words"),
    [
        ("no-finetuning", None),
        ("no-finetuning-words", ["World", "Sports", "Business", "Technology"]),
    ],
)
def test_no_finetuning_takes_no_steps(method, words):
    study = config.load(CONFIG)
    spec = runs.spec(study, runs.Run("llama-3.1-8b", "agnews", method, "default", 0))
    assert spec["steps"] == 0
    assert spec["task"].get("label_words") == words


def test_label_words_are_missed_where_nothing_is_trained_too():
    new = changed({"tasks__agnews__label_words": None})
    new["experiments"]["accuracy"]["methods"] = ["no-finetuning-words"]
    message = r"tasks\.agnews\.label_words: is missing; method 'no-finetuning-words'"
    with pytest.raises(config.ConfigError, match=message):
        runs.plan(config.load(new))


@pytest.mark.parametrize(
    ("model", "task", "longest"),
    [("bert-base", "boolq", 512), ("roberta-large", "multirc", 512), ("opt-13b", "long", 2048)],
)
def test_a_task_that_is_longer_than_a_model_has_positions_for_is_named(model, task, longest):
    new = copy.deepcopy(CONFIG)
    # as the prompt of label words, which takes the place of the end of a text, is within it
    new["tasks"]["long"] = new["tasks"]["agnews"] | {"length": 2049}
    new["hyperparameters"]["zo"]["long"] = new["hyperparameters"]["zo"]["agnews"]
    new["experiments"]["encoders"] |= {
        "models": [model], "tasks": ["agnews", task], "methods": ["zo-vanilla"],
    }  # fmt: skip
    length = new["tasks"][task]["length"]
    message = f"tasks.{task}.length = {length}: models.{model} has positions for {longest} tokens"
    with pytest.raises(config.ConfigError, match=re.escape(message)) as caught:
        runs.plan(config.load(new))
    assert "agnews.length" not in str(caught.value)
    assert "1 fault" in str(caught.value)


def test_the_positions_of_a_model_that_is_not_known_here_are_not_asked_for(monkeypatch):
    """No configuration is validated over a network."""
    from gradcost.study import architectures

    monkeypatch.setattr(architectures, "_of_hub", None)
    for entry in ({"architecture": "else/where"}, {}):
        new = copy.deepcopy(CONFIG)
        new["models"]["bert-base"] |= {"source": {"hub": "else/where", "revision": "abc"}, **entry}
        runs.plan(config.load(new))


def test_the_lengths_of_tasks_are_those_of_appendix_b():
    study = config.load(CONFIG)
    found = {name: study.tasks[name].length for name in config.PAPER_TASKS}
    assert found == {"agnews": 350, "boolq": 1200, "multirc": 1500, "gsm8k": 800, "mmlu": 1500,
                     "vqav2": 100, "textvqa": 100}  # fmt: skip


def test_every_model_is_in_an_experiment():
    study = config.load(CONFIG)
    assert set(study.models) == {
        model for one in study.experiments.values() for model in one.models
    }


def test_experiments_that_share_a_run_share_it():
    changed = copy.deepcopy(CONFIG)
    changed["experiments"]["more"] = {**changed["experiments"]["accuracy"], "title": "again"}
    grids = runs.plan(config.load(changed))
    assert grids["more"] == grids["accuracy"]


@given(st.integers(0, 2**31), st.text(max_size=5), st.integers(0, 10**6))
def test_derived_seeds_depend_on_all_parts(seed, purpose, step):
    found = derive(seed, purpose, step)
    assert 0 <= found < 2**63
    assert found == derive(seed, purpose, step)
    assert len({found, derive(seed + 1, purpose, step), derive(seed, purpose, step + 1)}) == 3


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), json_values))
def test_the_digest_of_a_mapping_does_not_depend_on_its_order(value):
    turned = dict(reversed(list(value.items())))
    assert digest(value) == digest(turned)
    assert json.loads(canonical_json(value)) == value


def test_what_is_not_json_is_refused():
    with pytest.raises(ValueError, match="JSON"):
        canonical_json(float("nan"))


@pytest.mark.parametrize(
    ("group", "task", "expected"),
    [
        # Tables 5 to 8 of the paper, a cell of each kind
        ("bp-vanilla", "boolq", (4, 1e-3, "adamw", 0.0, False)),
        ("bp-vanilla", "mmlu", (6, 1e-4, "sgd", 0.9, True)),
        ("bp-checkpointing", "gsm8k", (6, 1e-5, "adamw", 0.0, False)),
        ("bp-checkpointing", "vqav2", (8, 1e-4, "sgd", 0.0, False)),
        ("zo", "multirc", (40, 1e-3, "sgd", 0.0, False)),
        ("zo", "textvqa", (8, 1e-4, "sgd", 0.0, False)),
        ("fmad", "agnews", (40, 1e-3, "adamw", 0.0, False)),
        ("fmad", "gsm8k", (6, 1e-5, "sgd", 0.9, True)),
    ],
)
def test_hyperparameters_are_those_of_the_paper_s_tables(group, task, expected):
    columns = config.load(CONFIG).hyperparameters[group]
    assert tuple(columns) == config.PAPER_TASKS
    found = columns[task]
    keys = ("batch_size", "learning_rate", "optimizer", "momentum", "nesterov")
    assert tuple(getattr(found, key) for key in keys) == expected


def test_the_step_sizes_of_zeroth_order_are_those_of_table_7():
    columns = config.load(CONFIG).hyperparameters["zo"].values()
    found = [column.estimator["epsilon"] for column in columns]
    assert found == [1e-3, 1e-2, 1e-2, 1e-3, 1e-4, 1e-3, 1e-3]


def test_a_sheet_prices_directions_in_turn_and_together():
    study = config.load(CONFIG)
    spec = runs.sheet_spec(study, "directions")
    ways = [
        (entry["name"], entry["method"]["estimator"]["perturbations"],
         entry["method"]["estimator"]["at_once"])
        for entry in spec["methods"]
    ]  # fmt: skip
    assert ways == [
        (name, directions, at_once)
        for name in ("zo-multiple", "fmad-multiple")
        for directions in (1, 2, 4, 8)
        for at_once in dict.fromkeys([1, directions])
    ]


def test_a_sheet_says_what_the_shape_of_its_model_is():
    spec = runs.sheet_spec(config.load(CONFIG), "opt-13b")
    assert spec["layers"] == [40]
    assert spec["targets"] == ["q_proj", "v_proj"]
    assert spec["config"]["hidden_size"] == 5120
    deep = runs.sheet_spec(config.load(CONFIG), "depth")
    assert deep["layers"] == [4, 9, 16, 25]


def test_a_sheet_may_set_the_policy_of_all_backprop():
    study = config.load(CONFIG)
    sheet = study.accounting["opt-13b"].model_copy(update={"checkpointing": "nested"})
    found = {
        entry["name"]: entry["method"]["checkpointing"]
        for entry in runs.sheet_spec(study, "opt-13b", sheet)["methods"]
    }
    assert found == {name: "nested" if name.startswith("bp-") else "none" for name in sheet.methods}


def priced(**changes) -> list[dict]:
    """The methods of a sheet of OPT 13B with other settings."""
    study = config.load(CONFIG)
    sheet = study.accounting["opt-13b"].model_copy(update=changes)
    return runs.sheet_spec(study, "x", sheet)["methods"]


def test_a_sheet_evaluates_no_more_directions_at_once_than_there_are():
    found = [
        entry["method"]["estimator"]
        for entry in priced(methods=["zo-multiple"], directions=[2, 8], at_once=4)
    ]
    assert [(one["perturbations"], one["at_once"]) for one in found] == [(2, 2), (8, 4)]


def test_a_published_method_is_priced_as_it_is_published():
    (entry,) = priced(methods=["fmad-multiple-published"], directions=[2, 8], at_once=4)
    assert entry["published"]
    assert entry["method"]["estimator"] == CONFIG["methods"][entry["name"]]["estimator"]
    assert entry["method"]["frozen_linears"] is False


def test_a_model_without_a_classifier_is_priced_with_label_words():
    for name, words in (("qwen2-vl-7b", "label-words"), ("opt-13b", "head")):
        (entry,) = priced(architecture=name, methods=["zo-vanilla"])
        assert entry["method"]["objective"] == words


def test_a_sparse_method_is_priced_with_its_share():
    found = {entry["name"]: entry["sparse"] for entry in priced(methods=["zo-sparse", "mezo"])}
    assert found == {"zo-sparse": CONFIG["methods"]["zo-sparse"]["sparse"], "mezo": None}


def test_a_method_is_priced_with_the_optimiser_that_it_needs():
    study = config.load(CONFIG)
    methods = ["signzo", "zo-in-place", "zo-vanilla"]
    sheet = study.accounting["opt-13b"].model_copy(update={"methods": methods})
    found = [entry["optimizer"] for entry in runs.sheet_spec(study, "x", sheet)["methods"]]
    assert found == ["sign", "sgd", "adamw"]


def test_the_shape_of_a_model_of_the_study_is_known_before_it_is_made():
    assert runs.architecture(config.load(CONFIG), "llama-3.1-8b").config["hidden_size"] == 4096
    for name in ("opt-1.3b", "opt-6.7b", "opt-13b", "bert-large", "roberta-base"):
        assert runs.architecture(config.load(CONFIG), name).name == name
    laptop = config.read(ROOT / "config.yaml", ROOT / "workflow/scales/laptop.yaml")
    assert runs.architecture(laptop, "smollm2").depth == 30
    demo = config.read(ROOT / "config.yaml", ROOT / "workflow/scales/demo.yaml")
    found = runs.architecture(demo, "small-llama")
    assert found.depth == 2
    assert found.config["vocab_size"] == 2048
