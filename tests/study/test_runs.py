"""From experiments to runs and their specs."""

from __future__ import annotations

import copy
import json
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


def specs(changed: dict) -> dict[runs.Run, str]:
    study = config.load(changed)
    return {run: canonical_json(runs.spec(study, run)) for run in runs.plan(study)["accuracy"]}


def altered(**changes) -> set[str]:
    """The methods whose specs differ from the study's when paths change to values."""
    new = copy.deepcopy(CONFIG)
    for path, value in changes.items():
        *parents, last = path.split("__")
        node = new
        for key in parents:
            node = node[key.replace("_", "-") if key not in node else key]
        node[last] = value
    old = specs(CONFIG)
    return {run.method for run, text in specs(new).items() if old.get(run) != text}


def test_a_run_is_named_by_its_place_in_the_grid():
    study = config.load(CONFIG)
    first = runs.plan(study)["accuracy"][0]
    assert first.path == "runs/llama-3.1-8b/agnews/no-finetuning/default/seed0"


def test_labels_and_colours_are_no_part_of_a_spec():
    assert altered(methods__bp_vanilla__label="Backprop", tasks__agnews__label="News") == set()
    assert altered(methods__bp_vanilla__family="zo", tasks__agnews__paper=None) == set()


def test_one_method_s_settings_change_that_method_s_specs():
    zo = {"zo-vanilla", "zo-multiple"}
    assert altered(hyperparameters__zo__agnews__learning_rate=0.5) == zo
    assert altered(methods__zo_multiple__estimator__perturbations=3) == {"zo-multiple"}


def test_the_task_s_estimator_settings_go_over_the_method_s():
    study = config.load(CONFIG)
    found = {
        run.task: runs.spec(study, run)["method"]["estimator"]["epsilon"]
        for run in runs.plan(study)["accuracy"]
        if run.method == "zo-vanilla"
    }
    assert found == {"agnews": 1e-3, "boolq": 1e-2}  # Table 7


def test_a_setting_changes_what_it_names_and_no_more():
    changed = copy.deepcopy(CONFIG)
    changed["settings"] = {"default": {}, "rank-16": {"lora": {"rank": 16}}}
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
    changed["settings"] = {"default": {}, "short": {"task": {"steps": 7}}}
    study = config.load(changed)
    run = runs.Run("llama-3.1-8b", "agnews", "bp-vanilla", "short", 0)
    assert runs.spec(study, run)["steps"] == 7
    changed["settings"]["short"]["task"]["length"] = 64
    with pytest.raises(
        config.ConfigError, match=r"settings\.short\.task\.length = 64: no such key"
    ):
        config.load(changed)


def test_no_finetuning_takes_no_steps():
    study = config.load(CONFIG)
    run = runs.Run("llama-3.1-8b", "agnews", "no-finetuning", "default", 0)
    assert runs.spec(study, run)["steps"] == 0


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
