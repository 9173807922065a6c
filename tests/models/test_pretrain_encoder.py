"""The small encoders: made of steps and a seed, and what they are asked for."""

from __future__ import annotations

import sys
import types

import pytest
import torch

from gradcost.models import pretrain_encoder, store
from gradcost.models.build import build
from gradcost.study import small
from gradcost.study.architectures import Architecture
from gradcost.study.files import read_json
from gradcost.tasks.tokens import Rows
from tests.runs import small_spec

SPEC = {
    "architecture": "bert", "corpora": ["made"], "labelled": ["made"], "vocabulary": 300,
    "hidden": 16, "intermediate": 32, "layers": 1, "heads": 2, "length": 16,
    "batch_labelled": 6, "batch_plain": 6, "steps": 3, "learning_rate": 1e-2, "threads": 1,
    "seed": 0,
}  # fmt: skip
BOTH = pytest.mark.parametrize("architecture", ["bert", "roberta"])
PAIRS = [
    (f"the price of oil rose {n} points for the first time in the year", "crude oil")
    for n in range(20)
]
PAIRS += [(f"the team won game {n}", "sport") for n in range(20)]
TEXTS = {"made": PAIRS}


@pytest.fixture(autouse=True)
def corpus(monkeypatch):
    module = types.ModuleType("gradcost.tasks.made")
    module.corpus = lambda source: PAIRS
    monkeypatch.setitem(sys.modules, "gradcost.tasks.made", module)
    return {"made": {"dataset": "made", "source": {}}}


def batches(architecture, **changes):
    spec = SPEC | {"architecture": architecture, **changes}
    tokenizer = pretrain_encoder.encoder_tokenizer(TEXTS, spec)
    return pretrain_encoder._Batches(TEXTS, tokenizer, spec)


@BOTH
def test_the_same_spec_gives_the_same_files_of_the_planned_shape(tmp_path, corpus, architecture):
    spec = SPEC | {"architecture": architecture}
    for name, seed in (("one", 0), ("two", 0), ("three", 1)):
        store.prepare({"pretraining": spec | {"seed": seed}}, corpus, tmp_path / name)
    one, two, three = (
        read_json(tmp_path / name / "manifest.json")["identity"] for name in ("one", "two", "three")
    )
    assert one == two
    assert one["model.safetensors"] != three["model.safetensors"]
    saved, planned = read_json(tmp_path / "one" / "config.json"), small.config(spec)
    assert {name: saved[name] for name in planned} == planned | {"vocab_size": saved["vocab_size"]}


@BOTH
def test_a_label_is_one_masked_token_after_the_text(architecture):
    made = batches(architecture)
    tokenizer, rows = made.tokenizer, made.draw()
    assert {name: tuple(part.shape) for name, part in rows.items()} == dict.fromkeys(
        ("input_ids", "attention_mask", "token_type_ids", "labels"), (12, 16)
    )
    frame = {"bert": "[CLS] the team won game 3[SEP][MASK][SEP]",
             "roberta": "<s> the team won game 3</s></s><mask></s>"}  # fmt: skip
    short, long = made.labelled["input_ids"][23], made.labelled["input_ids"][0]
    mask = made.labelled["attention_mask"][23].bool()
    assert tokenizer.decode(short[mask]) == frame[architecture]
    assert (short[~mask] == tokenizer.pad_token_id).all()
    # a long text is cut, not its label
    assert tokenizer.decode(long[-2:]) == tokenizer.mask_token + tokenizer.sep_token
    asked = made.labelled["labels"] != -100
    assert torch.equal(asked, made.labelled["input_ids"] == tokenizer.mask_token_id)
    assert tokenizer.decode(made.labelled["labels"][asked][19:21]) == "<crude oil><sport>"
    types = made.labelled["token_type_ids"]
    assert torch.equal(types[asked], torch.full((40,), int(architecture == "bert")))
    assert types[:, 0].sum() == 0


@BOTH
def test_of_plain_text_about_one_token_in_seven_is_asked_for(architecture):
    made = batches(architecture, batch_plain=4000, batch_labelled=0)
    rows = made.draw()
    asked = rows["labels"] != -100
    inside = rows["input_ids"][:, 1:-1]
    assert not asked[:, 0].any()
    assert not asked[:, -1].any()
    ends = (inside == made.tokenizer.sep_token_id).float().mean()
    assert asked[:, 1:-1].float().mean() == pytest.approx(0.15 * (1 - ends), abs=0.005)
    shown, right = rows["input_ids"][asked], rows["labels"][asked]
    masked = shown == made.tokenizer.mask_token_id
    assert masked.float().mean() == pytest.approx(0.8, abs=0.02)
    assert (shown == right).float().mean() == pytest.approx(0.1, abs=0.02)
    # masked anew, though windows come again
    assert not torch.equal(made.draw()["labels"], rows["labels"])


@BOTH
def test_what_is_left_out_of_the_loss_is_not_asked_for(architecture):
    """Against the loss of the whole model, which forms all logits."""
    from transformers import AutoConfig, AutoModelForMaskedLM

    fields = small.config(SPEC | {"architecture": architecture})
    torch.manual_seed(0)
    config = AutoConfig.for_model(fields.pop("model_type"), **fields)
    model = AutoModelForMaskedLM.from_config(config).eval()
    whole = model(**batches(architecture).draw()).loss
    torch.testing.assert_close(batches(architecture).loss(model), whole)


@BOTH
def test_it_learns_labels_and_can_be_finetuned_on_rows_as_long_as_planned(
    tmp_path, corpus, architecture
):
    spec = SPEC | {"architecture": architecture, "steps": 60, "batch_labelled": 12}
    store.prepare({"pretraining": spec}, corpus, tmp_path)
    tokenizer = store.tokenizer(tmp_path)
    made = pretrain_encoder._Batches(TEXTS, tokenizer, spec)
    from transformers import AutoModelForMaskedLM

    model = AutoModelForMaskedLM.from_pretrained(tmp_path)
    rows = dict(made.labelled)
    labels = rows.pop("labels")
    asked = labels != -100
    with torch.no_grad():
        found = model(**rows).logits.argmax(-1)[asked]
    assert (found == labels[asked]).float().mean() > 0.9

    longest = Architecture("small", "small", small.config(spec)).longest()
    split = Rows(tokenizer, {"length": longest, "suffix": None}, None).classified(
        {"text": ["the price of oil " * 100, "the team"], "label": [0, 1]}
    )
    first, last = tokenizer.cls_token_id, tokenizer.sep_token_id
    assert split.ids[0, 0] == first
    assert split.ids[0, -1] == last == split.ids[1][split.mask[1]][-1]
    job = small_spec("fmad-vanilla", model={"lora": {"rank": 1, "alpha": 1.0,
                                                     "targets": ["query", "value"]}})  # fmt: skip
    ready = build(job, tmp_path, 2)
    assert ready.model(**ready.inputs(split)).logits.shape == (2, 2)
