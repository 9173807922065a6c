"""The small model that sees: made of steps and a seed, and it learns what it is shown."""

from __future__ import annotations

import io
import sys
import types

import PIL.Image
import pytest
import torch

from gradcost.models import pretrain_vision, store, vision
from gradcost.models.build import build
from gradcost.study import small
from gradcost.study.files import read_json
from gradcost.tasks import images, visual
from gradcost.tasks.tokens import Rows
from tests.runs import small_spec

COLOURS = ("red", "blue", "green")
SPEC = {
    "architecture": "llama", "corpora": ["made"], "labelled": [], "vocabulary": 300,
    "hidden": 32, "intermediate": 64, "layers": 1, "heads": 2, "length": 60,
    "batch_labelled": 6, "batch_plain": 0, "steps": 200, "learning_rate": 5e-3,
    "threads": 1, "seed": 0,
    "vision": {"image_size": 16, "patch": 4, "layers": 1, "hidden": 32, "heads": 2},
}  # fmt: skip


@pytest.fixture(autouse=True)
def corpus(monkeypatch):
    """Images of one colour, and which it is."""
    module = types.ModuleType("gradcost.tasks.made")
    module.corpus = lambda source: pairs()
    monkeypatch.setitem(sys.modules, "gradcost.tasks.made", module)
    return {"made": {"dataset": "made", "source": {}}}


def pairs():
    found = []
    for colour in COLOURS:
        file = io.BytesIO()
        PIL.Image.new("RGB", (16, 16), colour).save(file, "png")
        found.append(
            (visual.example("which colour?", [colour], f"{colour}.png", "here"), file.getvalue())
        )
    return found


def test_the_same_spec_gives_the_same_files(tmp_path, corpus):
    few = SPEC | {"steps": 3}
    for name in ("one", "two"):
        store.prepare({"pretraining": few}, corpus, tmp_path / name)
    one, two = (read_json(tmp_path / name / "manifest.json") for name in ("one", "two"))
    assert one == two
    assert {"model.safetensors", "preprocessor_config.json"} <= set(one["identity"])
    saved = read_json(tmp_path / "one" / "config.json")
    # what is planned is what is made
    planned = small.config(SPEC)
    for part in ("text_config", "vision_config"):
        same = {key: saved[part][key] for key in planned[part] if key in saved[part]}
        wanted = {key: value for key, value in planned[part].items() if key in saved[part]}
        assert same | {"vocab_size": 0} == wanted | {"vocab_size": 0}


def test_it_learns_to_answer_by_the_image_and_can_be_finetuned(tmp_path, corpus):
    store.prepare({"pretraining": SPEC}, corpus, tmp_path)
    images.write(tmp_path / images.FILE, [(str(one.image), found) for one, found in pairs()])
    made = small_spec("bp-vanilla", model={"image_size": 16})
    made["method"]["objective"] = "answer"
    processor = vision.ImageProcessor(store.locate(tmp_path), 16)
    assert processor.placeholder.count == 4
    tokenizer = store.tokenizer(tmp_path)
    rows = Rows(tokenizer, {"length": 60, "suffix": None}, processor.placeholder)
    split = rows.answered({
        "prompt": [one.prompt for one, _ in pairs()],
        "answer": list(COLOURS), "image": [0, 1, 2],
    })  # fmt: skip
    assert rows.cut == 0
    answer = int(split.labels.max())
    ready = build(made, tmp_path, 0, answer, tmp_path / images.FILE)
    with torch.no_grad():
        found = ready.model(**ready.inputs(split)).logits.argmax(-1)
    for row, count in enumerate(split.labels.tolist()):
        expected = split.ids[row, -count:]
        assert torch.equal(found[row, -count - 1 : -1], expected), COLOURS[row]


def test_the_questions_of_a_batch_follow_from_the_seed(tmp_path, corpus):
    store.prepare({"pretraining": SPEC | {"steps": 1}}, corpus, tmp_path)
    where = store.locate(tmp_path)
    processor, tokenizer = vision.ImageProcessor(where, 16), store.tokenizer(tmp_path)
    drawn = []
    for seed in (0, 0, 1):
        batches = pretrain_vision._Batches(pairs(), tokenizer, processor, SPEC | {"seed": seed})
        drawn.append(torch.randint(3, (20,), generator=batches.rng).tolist())
    assert drawn[0] == drawn[1] != drawn[2]
