"""Shapes of models: those that ship, and those that a config.json describes."""

from __future__ import annotations

import json

import pytest

from gradcost.accounting import closed_form
from gradcost.study import architectures
from gradcost.study.architectures import UnknownArchitecture

# numbers that their publications or model cards give
PARAMETERS = {
    "llama-3.1-8b": 8.03e9,
    "opt-1.3b": 1.316e9,
    "opt-6.7b": 6.658e9,
    "opt-13b": 12.85e9,
    "bert-base": 110e6,
    "bert-large": 335e6,
    "roberta-base": 125e6,
    "roberta-large": 355e6,
    "qwen2-vl-7b": 8.29e9,
    "smollm2-135m": 134.5e6,
    "minilm-l6": 22.7e6,
}
LLAMA = {
    "model_type": "llama", "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2,
    "vocab_size": 16, "intermediate_size": 24,
}  # fmt: skip


MADE_UP = ("llama-deep", "llama-wide")  # of no repository: tests/tables/accounting/test_shape.py


def test_the_architectures_of_the_paper_and_of_the_laptop_scale_ship():
    assert architectures.names() == sorted([*PARAMETERS, *MADE_UP])


@pytest.mark.parametrize("name", sorted(PARAMETERS))
def test_a_shipped_architecture_has_the_size_of_the_published_model(name):
    """With a language model's head, as it is published."""
    shape = architectures.load(name)
    model = closed_form.describe(
        shape.config, closed_form.Batch(1, 1), closed_form.Head("language-model"),
        closed_form.Adapters(1, tuple(shape.targets)),
    )  # fmt: skip
    count = sum(one.count for one in model.parameters if ".lora_" not in one.name)
    assert count == pytest.approx(PARAMETERS[name], rel=0.01)


@pytest.mark.parametrize("name", sorted(PARAMETERS))
def test_a_shipped_architecture_says_where_its_numbers_are_from(name):
    found = json.loads((architectures._FOLDER / f"{name}.json").read_text())
    repository = found["source"].removeprefix("https://huggingface.co/").partition("/blob/")[0]
    assert architectures.of_repository(repository) == architectures.load(name)


@pytest.mark.parametrize(
    ("name", "longest"),
    [("llama-3.1-8b", 131072), ("opt-13b", 2048), ("bert-base", 512), ("roberta-base", 512)],
)
def test_the_longest_input_is_known(name, longest):
    assert architectures.load(name).longest() == longest


def test_another_depth_changes_the_text_tower_alone():
    shape = architectures.load("qwen2-vl-7b").with_depth(3)
    assert shape.depth == 3
    whole = architectures.load("qwen2-vl-7b")
    assert whole.depth == 28
    assert shape.config["vision_config"] == whole.config["vision_config"]
    assert {**whole.config["text_config"], "num_hidden_layers": 3} == shape.config["text_config"]


def test_adapters_are_on_queries_and_values():
    assert architectures.load("opt-13b").targets == ["q_proj", "v_proj"]
    assert architectures.load("roberta-base").targets == ["query", "value"]


def test_any_config_can_be_named(tmp_path):
    path = tmp_path / "own" / "config.json"
    path.parent.mkdir()
    path.write_text(json.dumps(LLAMA))
    for name in (path, path.parent):
        found = architectures.load(str(name))
        assert found.config == LLAMA
        assert found.depth == 2
        assert found.longest() is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": None}, "the field model_type is missing"),
        ({"hidden_size": None}, "the field hidden_size is missing (llama needs it)"),
        ({"intermediate_size": None}, "the field intermediate_size is missing"),
        ({"vocab_size": 0}, "vocab_size = 0: must be a whole number above 0"),
        ({"vocab_size": True}, "vocab_size = True: must be"),
        ({"num_hidden_layers": 2.5}, "num_hidden_layers = 2.5: must be"),
        ({"model_type": "qwen2_vl"}, "the field text_config is missing"),
        ({"model_type": []}, "model_type = []: must be a name"),
        ({"hidden_size": {}}, "hidden_size = {}: must be"),
        ({"max_position_embeddings": "x"}, "max_position_embeddings = 'x': must be"),
    ],
)
def test_a_config_that_says_too_little_names_file_and_field(tmp_path, changes, message):
    path = tmp_path / "config.json"
    fields = {name: value for name, value in (LLAMA | changes).items() if value is not None}
    path.write_text(json.dumps(fields))
    with pytest.raises(UnknownArchitecture) as caught:
        architectures.load(str(path))
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_tower_that_says_too_little_names_its_field(tmp_path):
    config = dict(architectures.load("qwen2-vl-7b").config)
    config["vision_config"] = {"depth": 2, "embed_dim": 8, "num_heads": 2}
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config))
    with pytest.raises(UnknownArchitecture, match=r"vision_config\.patch_size is missing"):
        architectures.load(str(path))


@pytest.mark.parametrize(
    ("tower", "field", "value"),
    [("text_config", "hidden_size", 0), ("text_config", "num_hidden_layers", 2.5),
     ("vision_config", "depth", "x")],
)  # fmt: skip
def test_a_tower_of_no_size_is_an_error(tmp_path, tower, field, value):
    config = dict(architectures.load("qwen2-vl-7b").config)
    config[tower] = config[tower] | {field: value}
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config))
    with pytest.raises(UnknownArchitecture, match=rf"{tower}\.{field} = .*must be"):
        architectures.load(str(path))


@pytest.mark.parametrize("text", [None, b"{", b"[]", b"\xff\xfe"])
def test_a_file_that_is_no_config_is_named(tmp_path, text):
    path = tmp_path / "config.json"
    if text is not None:
        path.write_bytes(text)
    with pytest.raises(UnknownArchitecture, match=str(path)):
        architectures.load(str(path))


def test_a_misspelt_name_is_met_with_the_nearest():
    with pytest.raises(UnknownArchitecture, match="did you mean 'opt-13b'"):
        architectures.load("opt-13")


def test_a_hub_that_cannot_be_reached_is_said(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(UnknownArchitecture, match="the config of nobody/nothing could not be had"):
        architectures.load("nobody/nothing")
