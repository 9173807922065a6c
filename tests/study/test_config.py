"""A bad configuration is stopped, and the message says what would be valid."""

from __future__ import annotations

import copy
import json
from importlib import import_module
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from gradcost.accounting import closed_form
from gradcost.study import config, runs
from gradcost.study.pipeline import Pipeline
from gradcost.study.runs import Run

ROOT = Path(__file__).parents[2]
SCALES = sorted((ROOT / "workflow/scales").glob("*.yaml"))


@pytest.fixture
def valid() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "config.yaml").read_text())


def change(valid: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    *parents, last = path.replace("3.1", "3_1").split(".")
    changed = copy.deepcopy(valid)
    node = changed
    for key in parents:
        node = node[key.replace("3_1", "3.1")]
    if value is KeyError:
        del node[last]
    else:
        node[last] = value
    return changed


def fault(changed: dict[str, Any]) -> str:
    with pytest.raises(config.ConfigError) as caught:
        runs.plan(config.load(changed))
    return str(caught.value)


def test_every_scale_is_valid():
    assert config.read(ROOT / "config.yaml").scale == "paper"
    assert SCALES
    for overlay in SCALES:
        # the whole of a scale's experiments is laid over the scale
        whole = overlay.stem.startswith("full-")
        below = [overlay.with_stem(overlay.stem.removeprefix("full-"))] if whole else []
        study = config.read(ROOT / "config.yaml", *below, overlay)
        assert study.scale == overlay.stem.removeprefix("full-")
        assert runs.plan(study)
        if whole:
            screenings = {name for name in study.experiments if name.startswith("learning-rates")}
            assert set(study.experiments) - set(study.standing) == screenings


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        # YAML's trap: 1e-5 without a point is text
        (
            "hyperparameters.zo.agnews.learning_rate",
            "1e-5",
            ["hyperparameters.zo.agnews.learning_rate = '1e-5'", "is text", "write 1.0e-5"],
        ),
        # a misspelt key, at several depths
        ("sedes", [0], ["sedes = [0]: no such key", "did you mean 'seeds'?"]),
        (
            "methods.zo-vanilla.labell",
            "x",
            ["methods.zo-vanilla.labell", "did you mean 'label'?", "checkpointing"],
        ),
        (
            "models.llama-3.1-8b.lora.rnak",
            2,
            ["models.llama-3.1-8b.lora.rnak = 2", "did you mean 'rank'?"],
        ),
        # an estimator's settings, read from its file
        (
            "methods.zo-multiple.estimator.perturbation",
            10,
            ["methods.zo-multiple.estimator.perturbation", "did you mean 'perturbations'?"],
        ),
        (
            "methods.zo-multiple.estimator.kind",
            "zeroth-ordre",
            ["= 'zeroth-ordre': no such estimator", "did you mean 'zeroth-order'?", "backprop"],
        ),
        (
            "methods.zo-multiple.estimator.perturbations",
            0,
            ["methods.zo-multiple.estimator.perturbations = 0", "greater than or equal to 1"],
        ),
        # a misspelt name
        (
            "experiments.accuracy.methods",
            ["bp-vanila"],
            ["experiments.accuracy.methods.0 = 'bp-vanila'", "did you mean 'bp-vanilla'?"],
        ),
        ("report", ["accurracy"], ["report.0 = 'accurracy'", "did you mean 'accuracy'?"]),
        ("experiments.accuracy.tasks", ["agnew"], ["did you mean 'agnews'?"]),
        ("experiments.accuracy.figures", ["costs"], ["no such figure", "did you mean 'cost'?"]),
        ("tasks.boolq.dataset", "bolq", ["no such dataset", "did you mean 'boolq'?"]),
        # a wrong choice, a wrong type, a wrong range
        (
            "hyperparameters.zo.agnews.optimizer",
            "adam",
            [
                "optimizer = 'adam'",
                "'adamw', 'sgd', 'adagrad', 'rmsprop' or 'sign'",
                "did you mean 'adamw'?",
            ],
        ),
        ("seeds", ["0"], ["seeds.0 = '0'", "is text, not a number"]),
        ("seeds", [], ["seeds = []", "at least 1 item"]),
        ("tasks.agnews.length", 350.5, ["tasks.agnews.length = 350.5", "integer"]),
        ("hardware.threads", True, ["hardware.threads = True", "integer"]),
        ("hyperparameters.zo.agnews.batch_size", -4, ["batch_size = -4", "greater than 0"]),
        # what is to be priced
        ("accounting.opt-13b.architecture", "opt-13", ["= 'opt-13'", "did you mean 'opt-13b'?"]),
        ("accounting.opt-13b.length", 4096, ["length = 4096", "has positions for 2048 tokens"]),
        ("accounting.opt-13b.batch", 0, ["accounting.opt-13b.batch = 0", "greater than 0"]),
        ("accounting.opt-13b.layers", [4, 0], ["layers.1 = 0", "greater than 0"]),
        ("accounting.opt-13b.quantisation", "nf3", ["'nf3': must be 'nf4'"]),
        ("accounting.opt-13b.trainable", "all", ["quantisation = 'nf4'", "cannot be trained"]),
        ("accounting.opt-13b.architecture", "no/config.json", ["= 'no/config.json'", "No such"]),
        ("accounting.opt-13b.ranks", [], ["accounting.opt-13b.ranks = []", "at least 1 item"]),
        ("accounting.opt-13b.ranks", [1, 0], ["ranks.1 = 0", "greater than 0"]),
        ("accounting.opt-13b.directions", [-2], ["directions.0 = -2", "greater than 0"]),
        ("accounting.opt-13b.at_once", 0, ["accounting.opt-13b.at_once = 0", "greater than 0"]),
        ("accounting.opt-13b.targets", [], ["accounting.opt-13b.targets = []", "at least 1 item"]),
        (
            "accounting.opt-13b.checkpointing",
            "every-layers",
            ["accounting.opt-13b.checkpointing = 'every-layers'", "did you mean 'every-layer'?"],
        ),
        ("accounting.opt-13b.lenght", 8, ["did you mean 'length'?"]),
        (
            "accounting.opt-13b.methods",
            ["zo-vanila"],
            ["accounting.opt-13b.methods.0 = 'zo-vanila'", "did you mean 'zo-vanilla'?"],
        ),
        ("accounting.opt-13b.methods", ["no-finetuning"], ["takes no step that could be priced"]),
        ("methods.bp-vanilla.checkpointing", "nest", ["= 'nest'", "did you mean 'nested'?"]),
        # what is missing, and what contradicts itself
        ("seeds", KeyError, ["seeds: is missing"]),
        ("hyperparameters.zo.boolq", KeyError, ["hyperparameters.zo.boolq: is missing"]),
        ("hyperparameters.fmad.boolq.nesterov", True, ["nesterov needs a momentum above 0"]),
        ("hyperparameters.zo.agnews.momentum", 0.9, ["momentum and nesterov are for"]),
        ("tasks.agnews.source", {"hub": "x/y"}, ["hub and revision go together"]),
        ("tasks.agnews.source", {}, ["exactly one of hub, folder, wheel and urls"]),
        (
            "tasks.agnews.source",
            {"hub": "x/y", "revision": "abc", "wheel": "z==1", "sha256": "0" * 64},
            ["not hub and wheel: set what is replaced to null"],
        ),
        ("methods.bp-vanilla.hyperparameters", KeyError, ["go together"]),
    ],
)
def test_a_fault_is_named_with_its_path_its_value_and_what_is_valid(valid, path, value, expected):
    message = fault(change(valid, path, value))
    for part in expected:
        assert part in message


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"architecture": "berd"}, ["architecture = 'berd'", "did you mean 'bert'?"]),
        (
            {"architecture": "bert", "vision": {"image_size": 8, "patch": 4, "layers": 1,
                                                "hidden": 8, "heads": 1}},
            ["vision is of a Qwen2-VL", "leave out architecture, or vision"],
        ),
        ({"labelled": []}, ["batch_labelled needs corpora in labelled"]),
        ({"corpora": ["r9"]}, ["pretraining.corpora.0 = 'r9': no such task"]),
    ],
)  # fmt: skip
def test_a_small_model_that_cannot_be_trained_is_named(changes, expected):
    demo = yaml.safe_load((ROOT / "workflow/scales/demo.yaml").read_text())
    merged = config.merge(yaml.safe_load((ROOT / "config.yaml").read_text()), demo)
    message = fault(config.merge(merged, {"models": {"small-llama": {"pretraining": changes}}}))
    assert "models.small-llama.pretraining" in message
    for part in expected:
        assert part in message


def test_the_policies_of_checkpointing_are_those_that_the_closed_form_knows():
    known = set(get_args(closed_form.Checkpointing))
    assert set(get_args(config.Checkpointing)) == known | {"none"}


@pytest.mark.parametrize("folder", ["accounting", "theory"])
@pytest.mark.parametrize(("kind", "function"), [("tables", "render"), ("figures", "draw")])
def test_tables_and_figures_in_folders_are_found_by_the_names_of_their_files(
    kind, function, folder
):
    found = config.modules_of(kind, folder)
    assert found
    for name in found:
        module = import_module(f"gradcost.{kind}.{folder}.{name.replace('-', '_')}")
        assert callable(getattr(module, function))


def test_all_faults_are_told_at_once(valid):
    message = fault(change(change(valid, "seeds", "zero"), "hardware.threads", 0))
    assert "2 faults" in message
    assert "seeds" in message
    assert "hardware.threads" in message


def test_a_setting_that_does_not_fit_is_found_before_any_run(valid):
    bad = change(valid, "settings.high", {"lora": {"rank": 0}})
    bad["experiments"]["accuracy"]["settings"] = ["default", "high"]
    assert "settings.high.lora.rank = 0" in fault(bad)


def test_a_file_that_is_no_mapping_or_no_yaml_is_named(tmp_path):
    path = tmp_path / "mine.yaml"
    for text in ("- a\n", "a: [\n"):
        path.write_text(text)
        with pytest.raises(config.ConfigError, match=r"mine\.yaml"):
            config.read(path)


def test_merging_is_deep_for_mappings_and_replaces_the_rest():
    base = {"a": {"b": 1, "c": [1, 2]}, "d": 1}
    assert config.merge(base, {"a": {"c": [3]}, "e": 2}) == {
        "a": {"b": 1, "c": [3]},
        "d": 1,
        "e": 2,
    }
    assert base["a"]["c"] == [1, 2]


@pytest.mark.parametrize("what", ["config", "overlay", "record"])
def test_the_schemas_for_editors_are_up_to_date(what):
    from typer.testing import CliRunner

    from gradcost.cli import app

    printed = CliRunner().invoke(app, ["schema", what]).output
    path = ROOT / f"workflow/{what}.schema.json"
    assert json.loads(path.read_text()) == json.loads(printed), "run `make schemas`"


def test_the_schema_for_editors_accepts_the_study_and_refuses_a_misspelt_key(valid):
    import jsonschema

    schema = config.json_schema()
    jsonschema.validate(valid, schema)
    for path in ("methods.zo-multiple.estimator.perturbation", "seds"):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(change(valid, path, 1), schema)
    for overlay in SCALES:
        jsonschema.validate(yaml.safe_load(overlay.read_text()), config.json_schema(overlay=True))


def test_a_pipeline_lists_what_the_report_needs(tmp_path, monkeypatch, valid):
    monkeypatch.chdir(tmp_path)
    pipeline = Pipeline.load(valid)
    assert len(pipeline.records("accuracy")) == (19 * 7 - 2 * 4) * 3
    assert "reports/paper/accuracy/cost.tex" in pipeline.artefacts("accuracy")


def test_a_run_depends_on_the_code_that_it_uses_and_on_no_other_method_s(
    tmp_path, monkeypatch, valid
):
    monkeypatch.chdir(tmp_path)
    pipeline = Pipeline.load(valid)

    def code(method: str) -> set[str]:
        plan = pipeline.train_plan(Run("llama-3.1-8b", "agnews", method, "default", 0))
        return set(json.loads(Path(plan).read_text())["code"])

    own = {
        "bp-vanilla": {"estimators/backprop.py"},
        "zo-svrg": {"estimators/zeroth_order.py", "estimators/svrg.py"},
        "fmad-adaptive": {"estimators/forward_mode.py", "estimators/adaptive.py"},
        "zo-sparse": {"estimators/zeroth_order.py", "models/sparse.py"},
        "mezo": {"estimators/zeroth_order.py", "models/label_words.py"},
        "zo-svrg-published": {
            *("estimators/published_svrg_zeroth_order.py", "estimators/svrg.py"),
            *("estimators/published_zeroth_order.py", "estimators/zeroth_order.py"),
        },
    }
    everything = set().union(*own.values())
    for method, files in own.items():
        assert code(method) & everything == files, method


@pytest.mark.parametrize("task", ["agnews", "multirc", "vqav2"])
def test_a_folder_in_an_overlay_takes_the_place_of_the_hub_or_a_website(task):
    """As the error without a network advises, whoever merges: this package or Snakemake."""
    from snakemake.utils import update_config

    base = yaml.safe_load((ROOT / "config.yaml").read_text())
    overlay = {"tasks": {task: {"source": {"folder": "copies/of/it"}}}}
    ours = config.merge(base, overlay)
    update_config(base, overlay)
    for merged in (base, ours):
        found = config.load(merged).tasks[task].source
        assert found.model_dump(exclude_none=True, exclude={"gigabytes"}) == {
            "folder": "copies/of/it"
        }
    assert "sourc = 1: no such key" in fault(change(base, f"tasks.{task}.source.sourc", 1))
