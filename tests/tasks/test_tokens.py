"""Tokens of one length, ended by the suffix, refused when they are not as described."""

from __future__ import annotations

import json

import pyarrow.parquet as pq
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


def test_texts_that_are_cut_are_counted(news_folder, made):
    """Also where the answer is a class; and it is printed."""
    folder, tokenizer = made
    manifest = json.loads((folder / "plain" / "manifest.json").read_text())
    ended = json.loads((folder / "ended" / "manifest.json").read_text())
    longer = {"plain": 8, "ended": 7}
    for name, found in (("plain", manifest), ("ended", ended)):
        for split in prepare.SPLITS:
            table = pq.read_table(folder / "data" / f"{split}.parquet").to_pydict()
            lengths = [len(row) for row in tokenizer(table["text"])["input_ids"]]
            assert found["cut"][split] == sum(length > longer[name] for length in lengths)
    assert 0 < manifest["cut"]["train"] < ended["cut"]["train"]


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


def test_a_prompt_follows_each_text_and_takes_its_end_if_there_is_no_room(capsys):
    ids = torch.tensor([[1, 2, 0, 0, 0], [1, 2, 3, 4, 5], [0, 0, 0, 0, 0]])
    split = Split(ids, ids > 0, torch.tensor([0, 1, 2]))
    found = split.followed_by([7, 8], pad=9)
    assert found.ids.tolist() == [[1, 2, 7, 8, 9], [1, 2, 3, 7, 8], [7, 8, 9, 9, 9]]
    assert found.mask.tolist() == [[True] * 4 + [False], [True] * 5, [True] * 2 + [False] * 3]
    assert torch.equal(found.labels, split.labels)
    # one of three lost its end, and the log says so
    assert capsys.readouterr().out == "1 of 3 texts are cut to make room for the prompt\n"
    split.followed_by([], pad=9)
    assert capsys.readouterr().out == ""
    with pytest.raises(ValueError, match="6 tokens does not fit into rows of 5"):
        split.followed_by(range(6), pad=0)


class Chatting:
    """A tokenizer of words, whose chat template puts the image first."""

    eos_token_id, pad_token_id, bos_token_id = 1, 0, None
    image = 9

    def apply_chat_template(self, messages, tokenize, add_generation_prompt):
        assert add_generation_prompt
        assert not tokenize
        parts = messages[0]["content"]
        return "user " + " ".join("<image>" if p["type"] == "image" else p["text"] for p in parts)

    def __call__(self, text, add_special_tokens=True):
        known = {"user": 2, "<image>": self.image}
        return {"input_ids": [known.get(word, 10 + len(word)) for word in text.split()]}


def about_images(folder, rows):
    """Prepared questions about images of which the first splits have all."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from gradcost.study.files import sha256_file, write_json
    from gradcost.tasks import images

    folder.mkdir()
    splits = {}
    for name in prepare.SPLITS:
        pq.write_table(pa.Table.from_pylist(rows), folder / f"{name}.parquet")
        splits[name] = {"sha256": sha256_file(folder / f"{name}.parquet")}
    (folder / images.FILE).write_bytes(b"all images")
    write_json(folder / "manifest.json", {
        "splits": splits, "scorer": "vqa", "new_tokens": 4, "images": {"count": 2, "bytes": 10},
    })  # fmt: skip


def test_an_image_stands_in_a_row_as_its_tokens_and_is_never_cut(tmp_path):
    question = {"prompt": "a bb ccc dddd", "answer": "no", "references": ["no"], "image": 1}
    short = question | {"prompt": "a", "image": 0}
    about_images(tmp_path / "data", [question, short])
    spec = {"length": 5, "suffix": None, "image_size": 8}
    tokens.tokenise(tmp_path / "data", Chatting(), spec, tmp_path / "out", tokens.Placeholder(9, 3))
    found = tokens.load(tmp_path / "out")
    split = found.splits["train"]
    # beside the image five tokens: `user`, the end of the question, the answer and the end
    assert split.ids.tolist() == [[2, 9, 9, 9, 13, 14, 12, 1], [0, 2, 9, 9, 9, 11, 12, 1]]
    assert split.mask.tolist() == [[True] * 8, [False] + [True] * 7]
    assert split.labels.tolist() == [2, 2]
    assert split.images.tolist() == [1, 0]
    assert split[torch.tensor([1])].images.tolist() == [0]
    assert found.images.read_bytes() == b"all images"
    # the images are where the tokens are, whatever becomes of the data
    found.images.unlink()
    with pytest.raises(ValueError, match=r"images\.arrow is not the file that"):
        tokens.load(tmp_path / "out")


def test_a_chat_template_without_an_image_is_told(tmp_path):
    row = {"prompt": "a", "answer": "no", "references": ["no"], "image": 0}
    about_images(tmp_path / "data", [row])
    spec = {"length": 5, "suffix": None, "image_size": 8}
    with pytest.raises(ValueError, match="has its image token 0 times, not once"):
        tokens.tokenise(
            tmp_path / "data", Chatting(), spec, tmp_path / "out", tokens.Placeholder(8, 3)
        )
