"""Tasks whose answer is text: from a dataset's files to a scored record."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch.nn.functional import cross_entropy

from gradcost.models import store
from gradcost.models.answers import AnswerModel
from gradcost.study.record import RunName
from gradcost.tasks import prepare, tokens
from gradcost.training import answers
from gradcost.training.run import Job, train
from tests.runs import small_spec

pytestmark = pytest.mark.xdist_group("answers")

LENGTH = 24
THINGS = ["eggs", "cats", "dogs", "cows"]
WORDS = ["Question", "Answer", ":", "how", "many", "and", "are", "there", "?", *THINGS]


@pytest.fixture(scope="module")
def problems(tmp_path_factory) -> Path:
    """The files of GSM8K, in small: of each thing there is a number of its own."""
    import pandas as pd

    folder = tmp_path_factory.mktemp("gsm8k")
    for split, count in (("train", 40), ("test", 8)):
        rows = [
            {
                "question": f"{split} {index} how many {THINGS[index % 4]} are there ?",
                "answer": f"There are <<{index % 4}+0={index % 4}>>.\n#### {index % 4}",
            }
            for index in range(count)
        ]
        pd.DataFrame(rows).to_parquet(folder / f"{split}.parquet")
    return folder


def save(folder: Path, kind: str) -> None:
    """A random language model of two layers with a tokenizer of whole words."""
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers
    from transformers import (
        LlamaConfig,
        LlamaForCausalLM,
        OPTConfig,
        OPTForCausalLM,
        PreTrainedTokenizerFast,
    )

    names = ["<pad>", "<unk>", "<end>", "train", "test", *WORDS, *map(str, range(40))]
    vocabulary = {word: index for index, word in enumerate(names)}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Split(Regex(r"\s+|(?=[:?])"), "removed")
    PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="<pad>", unk_token="<unk>", eos_token="<end>"
    ).save_pretrained(folder)
    torch.manual_seed(0)
    common = {
        "vocab_size": len(names), "hidden_size": 32, "num_hidden_layers": 2,
        "num_attention_heads": 2, "pad_token_id": 0, "bos_token_id": None, "eos_token_id": 2,
    }  # fmt: skip
    if kind == "llama":
        LlamaForCausalLM(LlamaConfig(**common, intermediate_size=64)).save_pretrained(folder)
    else:
        config = OPTConfig(**common, ffn_dim=64, word_embed_proj_dim=32, dropout=0.0)
        OPTForCausalLM(config).save_pretrained(folder)


@pytest.fixture(scope="module", params=["llama", "opt"])
def inputs(request, problems, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("answers")
    (folder / "weights").mkdir()
    save(folder / "weights", request.param)
    store.prepare({"source": {"folder": str(folder / "weights")}}, {}, folder / "model")
    spec = {
        "dataset": "gsm8k",
        "source": {"folder": str(problems)},
        "examples": {"train": None, "validation": 8, "test": None},
    }
    prepare.prepare(spec, folder / "data")
    tokenizer = store.tokenizer(folder / "model")
    tokens.tokenise(
        folder / "data", tokenizer, {"length": LENGTH, "suffix": None}, folder / "tokens"
    )
    return folder


def job(inputs: Path, out: Path, method: str, **changes) -> Job:
    spec = small_spec(method, **changes)
    spec["method"]["objective"] = "answer"
    name = RunName(model="llama", task="gsm8k", method=method, setting="default", seed=0)
    return Job(
        name=name, spec=spec, tokens=inputs / "tokens", model=inputs / "model", out=out,
        checkpoints=out / "checkpoints", code={"a.py": "0"}, packages={"torch": "2"},
    )  # fmt: skip


def language_model(inputs: Path):
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(inputs / "weights", dtype=torch.float64).eval()


def test_prompt_and_answer_stand_at_the_end_of_the_row(inputs):
    found = tokens.load(inputs / "tokens")
    assert found.classes == 0
    assert found.answers is not None
    assert (found.answers.scorer, found.answers.length) == ("number", 2)
    split, tokenizer = found.splits["test"], store.tokenizer(inputs / "model")
    assert split.ids.shape == (8, LENGTH)
    for index in range(8):
        row = split.ids[index][split.mask[index]]
        assert tokenizer.decode(row) == (
            f"Question : test {index} how many {THINGS[index % 4]} are there ? "
            f"Answer : {index % 4} <end>"
        )
        assert bool(split.mask[index, -1])
        assert found.answers.references["test"][index] == [str(index % 4)]
    assert split.labels.tolist() == [2] * 8


def test_the_loss_is_that_of_the_answers_tokens_and_of_no_other(inputs):
    found = tokens.load(inputs / "tokens")
    batch = found.splits["train"][:6]
    model = language_model(inputs)
    # one answer shorter than the others: its first token belongs to the prompt
    batch = tokens.Split(batch.ids, batch.mask, batch.labels.clone())
    batch.labels[0] = 1
    whole = model(input_ids=batch.ids, attention_mask=batch.mask).logits
    expected = [
        cross_entropy(whole[row, LENGTH - back - 1].float(), batch.ids[row, LENGTH - back])
        for row in range(6)
        for back in range(1, int(batch.labels[row]) + 1)
    ]
    logits = AnswerModel(model, 2)(**batch.inputs()).logits
    assert logits.shape[1] == 3
    loss = answers.answer_loss(logits, batch)
    torch.testing.assert_close(loss, torch.stack(expected).mean(), rtol=1e-6, atol=0)
    assert len(expected) == 11


def test_answers_are_what_the_model_finds_likeliest_token_by_token(inputs):
    found, tokenizer = tokens.load(inputs / "tokens"), store.tokenizer(inputs / "model")
    model = language_model(inputs)
    batch = found.splits["test"][:4]
    # answers of different lengths, so that prompts are of different lengths too
    batch = tokens.Split(batch.ids, batch.mask, torch.tensor([2, 3, 2, 4]))
    texts = answers._answered(AnswerModel(model, 4), batch, 5, tokenizer)
    for row in range(4):
        ids = batch.ids[row][batch.mask[row]][: -int(batch.labels[row])]
        start = len(ids)
        while len(ids) < start + 5 and (len(ids) == start or ids[-1] != 2):
            ids = torch.cat([ids, model(input_ids=ids[None]).logits[0, -1].argmax()[None]])
        assert texts[row] == tokenizer.decode(ids[start:], skip_special_tokens=True)


@pytest.mark.parametrize("method", ["bp-vanilla", "bp-checkpointing", "zo-vanilla", "fmad-vanilla",
                                    "fmad-multiple", "zo-sparse", "no-finetuning"])  # fmt: skip
def test_every_kind_of_method_trains_and_is_scored(inputs, tmp_path, method):
    found = train(job(inputs, tmp_path, method))
    assert found.outcome == "completed"
    assert found.test is not None
    assert found.test.examples == 8
    # who always says the same is right for two of eight
    assert found.test.majority == 0.25
    assert found.test.accuracy_published is not None
    assert found.test.accuracy <= found.test.accuracy_published


def test_a_model_that_learns_the_answers_is_right(inputs, tmp_path):
    spec = {"trainable": "all"}
    done = train(job(inputs, tmp_path, "bp-vanilla", steps=150, evaluate_every=150, model=spec))
    assert done.test is not None
    assert done.test.accuracy == done.test.accuracy_published == 1


def test_a_long_prompt_loses_its_beginning_and_is_counted(inputs, tmp_path):
    tokenizer = store.tokenizer(inputs / "model")
    tokens.tokenise(inputs / "data", tokenizer, {"length": 8, "suffix": None}, tmp_path)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["cut"] == {"train": 32, "validation": 8, "test": 8}
    row = tokens.load(tmp_path).splits["test"].ids[5]
    assert tokenizer.decode(row) == "cats are there ? Answer : 1 <end>"


def test_an_answer_that_leaves_no_room_is_an_error(inputs, tmp_path):
    tokenizer = store.tokenizer(inputs / "model")
    with pytest.raises(ValueError, match="leaves no room for its prompt in 2"):
        tokens.tokenise(inputs / "data", tokenizer, {"length": 2, "suffix": None}, tmp_path)


def test_references_that_changed_are_refused(inputs, tmp_path):
    import shutil

    shutil.copytree(inputs / "tokens", tmp_path / "tokens")
    (tmp_path / "tokens" / tokens.REFERENCES).write_text("{}")
    with pytest.raises(ValueError, match=r"references\.json is not the file"):
        tokens.load(tmp_path / "tokens")
