"""Tokens of one length, ended by the suffix, refused when they are not as described."""

from __future__ import annotations

import pytest
import torch

from gradcost.models import store
from gradcost.tasks import prepare, tokens
from gradcost.tasks.tokens import Split


@pytest.fixture
def made(news_folder, llama_folder, tmp_path):
    spec = {
        "dataset": "agnews",
        "source": {"folder": str(news_folder)},
        "examples": {"train": 40, "validation": 8, "test": 8},
    }
    prepare.prepare(spec, tmp_path / "data")
    store.prepare({"source": {"folder": str(llama_folder)}}, {}, tmp_path / "model")
    tokenizer = store.tokenizer(tmp_path / "model")
    for name, suffix in (("plain", None), ("ended", "oil")):
        spec = {"length": 8, "suffix": suffix}
        tokens.tokenise(tmp_path / "data", tokenizer, spec, tmp_path / name)
    return tmp_path, tokenizer


def test_every_input_has_the_task_s_length_and_is_padded_on_the_right(made):
    folder, tokenizer = made
    found = tokens.load(folder / "plain")
    splits, classes = found.splits, found.classes
    assert classes == 4
    assert {name: len(split) for name, split in splits.items()} == {
        "train": 40,
        "validation": 8,
        "test": 8,
    }
    for split in splits.values():
        assert split.ids.shape == split.mask.shape == (len(split), 8)
        assert (split.ids[~split.mask] == tokenizer.pad_token_id).all()
        # a mask of ones, then zeros
        assert (split.mask.int().diff(dim=1) <= 0).all()


def test_a_suffix_ends_every_input_even_a_long_one(made):
    folder, tokenizer = made
    split = tokens.load(folder / "ended").splits["train"]
    last = split.ids[torch.arange(len(split)), split.mask.sum(1) - 1]
    assert (last == tokenizer.convert_tokens_to_ids("oil")).all()
    assert (split.mask.sum(1) == 8).any()


def test_files_that_are_not_as_described_are_refused(made):
    folder, tokenizer = made
    path = folder / "plain" / "tokens.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"delete .*manifest\.json and start Snakemake again"):
        tokens.load(folder / "plain")
    path.unlink()
    with pytest.raises(ValueError, match="is not the file that"):
        tokens.load(folder / "plain")
    (folder / "data" / "train.parquet").unlink()
    with pytest.raises(ValueError, match=r"train\.parquet is not the file"):
        tokens.tokenise(folder / "data", tokenizer, {"length": 8, "suffix": None}, folder / "x")


def test_a_prompt_follows_each_text_and_takes_its_end_if_there_is_no_room():
    ids = torch.tensor([[1, 2, 0, 0, 0], [1, 2, 3, 4, 5], [0, 0, 0, 0, 0]])
    split = Split(ids, ids > 0, torch.tensor([0, 1, 2]))
    found = split.followed_by([7, 8], pad=9)
    assert found.ids.tolist() == [[1, 2, 7, 8, 9], [1, 2, 3, 7, 8], [7, 8, 9, 9, 9]]
    assert found.mask.tolist() == [[True] * 4 + [False], [True] * 5, [True] * 2 + [False] * 3]
    assert torch.equal(found.labels, split.labels)
    with pytest.raises(ValueError, match="6 tokens does not fit into rows of 5"):
        split.followed_by(range(6), pad=0)
