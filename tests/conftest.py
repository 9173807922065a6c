"""What tests share: a small model with a tokenizer and a small dataset, both made here."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

TOPICS = {
    "acq": "shares stake offer merger bid company holding buy",
    "crude": "oil barrel opec petroleum crude energy output field",
    "earn": "profit net dividend quarter earnings loss revenue year",
    "trade": "tariff export import deficit surplus japan goods minister",
}


@pytest.fixture(scope="session")
def news_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files of AG News, in small: made-up texts on four topics."""
    import pandas as pd

    folder = tmp_path_factory.mktemp("news")
    rng = random.Random(1)
    words = [topic.split() for topic in TOPICS.values()]
    noise = "the of a in to and said on for it".split()
    for split, count in (("train", 160), ("test", 80)):
        # both the even and the odd rows have all classes: the test split is halved so
        labels = [index // 2 % 4 for index in range(count)]
        texts = [
            " ".join(rng.choice(words[label] + noise) for _ in range(rng.randint(4, 14)))
            + f" {split} {index}"
            for index, label in enumerate(labels)
        ]
        pd.DataFrame({"text": texts, "label": labels}).to_parquet(folder / f"{split}.parquet")
    return folder


@pytest.fixture(scope="session")
def llama_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Llama of two layers with a word-level tokenizer, saved as Hugging Face does."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("llama")
    known = sorted({word for topic in TOPICS.values() for word in topic.split()})
    vocabulary = {word: index for index, word in enumerate(["<pad>", "<unk>", *known])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", unk_token="<unk>"
    ).save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        pad_token_id=0,
        bos_token_id=None,
        eos_token_id=None,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def inputs(news_folder, llama_folder, tmp_path_factory) -> Path:
    """A folder with the manifests `model` and `tokens`."""
    from gradcost.models import store
    from gradcost.tasks import prepare, tokens

    folder = tmp_path_factory.mktemp("inputs")
    spec = {
        "dataset": "agnews",
        "source": {"folder": str(news_folder)},
        "examples": {"train": 100, "validation": 24, "test": 24},
    }
    prepare.prepare(spec, folder / "data")
    store.prepare({"source": {"folder": str(llama_folder)}}, {}, folder / "model")
    tokenizer = store.tokenizer(folder / "model")
    spec = {"length": 8, "suffix": None}
    tokens.tokenise(folder / "data", tokenizer, spec, folder / "tokens")
    return folder


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory):
    """The tidy tables of a made-up study in which every run completed."""
    from tests.results.synthetic import study

    return study(tmp_path_factory.mktemp("good"))


@pytest.fixture(scope="session")
def failed(tmp_path_factory: pytest.TempPathFactory):
    """The same with runs that diverged, ran out of memory or are missing."""
    from tests.results.synthetic import FAILURES, study

    return study(tmp_path_factory.mktemp("failed"), FAILURES)
