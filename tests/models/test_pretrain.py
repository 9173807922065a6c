"""The small base model: made of steps and a seed, twice the same."""

from __future__ import annotations

import sys
import types

import pytest

from gradcost.models import pretrain, store
from gradcost.study.files import read_json

SPEC = {
    "architecture": "llama",
    "corpora": ["made"],
    "labelled": ["made"],
    "vocabulary": 300,
    "hidden": 8,
    "intermediate": 16,
    "layers": 1,
    "heads": 1,
    "length": 12,
    "batch_labelled": 3,
    "batch_plain": 2,
    "steps": 30,
    "learning_rate": 1e-2,
    "threads": 1,
    "seed": 0,
}


@pytest.fixture(autouse=True)
def corpus(monkeypatch):
    module = types.ModuleType("gradcost.tasks.made")
    pairs = [(f"the price of oil rose {n} points", "crude oil") for n in range(20)]
    pairs += [(f"the team won game {n} of the year", "sport") for n in range(20)]
    module.corpus = lambda source: pairs
    monkeypatch.setitem(sys.modules, "gradcost.tasks.made", module)
    return {"made": {"dataset": "made", "source": {}}}


def test_the_same_spec_gives_the_same_files(tmp_path, corpus, capsys):
    for name in ("one", "two"):
        store.prepare({"pretraining": SPEC}, corpus, tmp_path / name)
    one, two = (read_json(tmp_path / name / "manifest.json") for name in ("one", "two"))
    assert one == two
    assert {"model.safetensors", "tokenizer.json", "config.json"} <= set(one["identity"])
    assert "step 30/30" in capsys.readouterr().out


def test_another_seed_gives_other_weights(tmp_path, corpus):
    for seed in (0, 1):
        store.prepare({"pretraining": SPEC | {"seed": seed}}, corpus, tmp_path / str(seed))
    found = [
        read_json(tmp_path / str(seed) / "manifest.json")["identity"]["model.safetensors"]
        for seed in (0, 1)
    ]
    assert found[0] != found[1]


def test_labelled_documents_end_with_the_topic_and_fit(tmp_path, corpus):
    store.prepare({"pretraining": SPEC}, corpus, tmp_path)
    tokenizer = store.tokenizer(tmp_path)
    texts = {"made": sys.modules["gradcost.tasks.made"].corpus({})}
    batches = pretrain._Batches(texts, tokenizer, SPEC)
    rows = batches.draw()
    assert rows.shape == (5, 12)
    topic = tokenizer.convert_tokens_to_ids(pretrain.TOPIC)
    assert (rows[:3] == topic).any(1).all()
    decoded = tokenizer.decode(batches.labelled[0])
    assert decoded.endswith("crude oil<end>")
