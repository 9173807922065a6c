"""Every model-task pair of the paper's text tasks, with a small stand-in of the architecture.

From the dataset's files, through tokens and a model that is loaded as the paper's is (in 4 bits
where it is), to a record. Pairs with images wait for their tasks.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from gradcost.models import store
from gradcost.study.record import RunName
from gradcost.tasks import prepare, tokens
from gradcost.training.run import Job, train
from tests.runs import small_spec

CHARACTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.:?-#\n "
DECODERS, ENCODERS = ("llama", "opt"), ("bert", "roberta")
CLASSES, TEXT = ("agnews", "boolq", "multirc"), ("gsm8k", "mmlu")
PAIRS = [(model, task) for model in DECODERS for task in (*CLASSES, *TEXT)]
PAIRS += [(model, task) for model in ENCODERS for task in CLASSES]


def rows(task: str, split: str) -> list[dict]:
    """Eight examples of a split, in the schema of the dataset on the hub."""
    made: list[dict] = []
    for index in range(8):
        name = f"{split} {index}"
        if task == "agnews":
            made.append({"text": f"news {name}", "label": index // 2 % 4})
        elif task == "boolq":
            made.append({"question": f"is {name}", "passage": "It is.", "answer": index // 2 % 2})
        elif task == "multirc":
            made.append({"paragraph": f"P {name}", "question": "Who?", "answer": "A",
                         "label": index // 2 % 2})  # fmt: skip
        elif task == "gsm8k":
            made.append({"question": f"How many {name}?", "answer": f"One.\n#### {index}"})
        else:
            made.append({"question": name, "choices": list("1234"), "answer": index % 4})
    return made


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """A folder for each task: its files as on the hub, and as prepared."""
    import pandas as pd

    splits = {
        "agnews": ("train", "test"), "gsm8k": ("train", "test"),
        "boolq": ("train", "validation"), "multirc": ("train", "validation"),
        "mmlu": ("auxiliary_train", "validation", "test"),
    }  # fmt: skip
    folder = tmp_path_factory.mktemp("data")
    for task, names in splits.items():
        (folder / task / "files").mkdir(parents=True)
        for name in names:
            pd.DataFrame(rows(task, name)).to_parquet(folder / task / "files" / f"{name}.parquet")
        wanted = {"train": None, "validation": 4 if task == "gsm8k" else None, "test": None}
        source = {"folder": str(folder / task / "files")}
        spec = {"dataset": task, "source": source, "examples": wanted}
        prepare.prepare(spec, folder / task / "prepared")
    return folder


def weights(kind: str, folder: Path) -> None:
    """A random model of two layers, and a tokenizer of characters."""
    import transformers
    from tokenizers import Tokenizer, models, pre_tokenizers

    names = ["<pad>", "<unk>", "<end>", *CHARACTERS]
    vocabulary = {name: index for index, name in enumerate(names)}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="<pad>", unk_token="<unk>", eos_token="<end>"
    ).save_pretrained(folder)
    torch.manual_seed(0)
    common = {
        "vocab_size": len(names), "hidden_size": 64, "num_hidden_layers": 2,
        "num_attention_heads": 2, "max_position_embeddings": 128, "pad_token_id": 0,
        "bos_token_id": None, "eos_token_id": 2,
    }  # fmt: skip
    own = {"ffn_dim": 64, "word_embed_proj_dim": 64} if kind == "opt" else {"intermediate_size": 64}
    config = transformers.AutoConfig.for_model(kind, **common, **own)
    auto = transformers.AutoModelForCausalLM if kind in DECODERS else transformers.AutoModel
    auto.from_config(config).save_pretrained(folder)


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    for kind in (*DECODERS, *ENCODERS):
        (folder / kind / "weights").mkdir(parents=True)
        weights(kind, folder / kind / "weights")
        source = {"folder": str(folder / kind / "weights")}
        store.prepare({"source": source}, {}, folder / kind / "manifest")
    return folder


@pytest.mark.xdist_group("pairs")
@pytest.mark.parametrize("method", ["no-finetuning", "bp-vanilla", "zo-vanilla", "fmad-vanilla"])
@pytest.mark.parametrize(("model", "task"), PAIRS)
def test_every_pair_takes_a_step_and_is_evaluated(data, models, tmp_path, model, task, method):
    tokenizer = store.tokenizer(models / model / "manifest")
    spec = {"length": 64, "suffix": None}
    tokens.tokenise(data / task / "prepared", tokenizer, spec, tmp_path / "tokens")
    targets = ["q_proj", "v_proj"] if model in DECODERS else ["query", "value"]
    # the paper's large models are in 4 bits, the BERT family is not
    bits = {"quantisation": "nf4"} if model in DECODERS else {}
    lora = {"rank": 1, "alpha": 1.0, "targets": targets}
    run = small_spec(
        method, model={"lora": lora, **bits}, hyperparameters={"batch_size": 4},
        **({} if method == "no-finetuning" else {"steps": 2}),
    )  # fmt: skip
    run["method"]["objective"] = "answer" if task in TEXT else "head"
    found = train(
        Job(
            name=RunName(model=model, task=task, method=method, setting="default", seed=0),
            spec=run, tokens=tmp_path / "tokens", model=models / model / "manifest",
            out=tmp_path / "out", checkpoints=tmp_path / "checkpoints", code={}, packages={},
        )
    )  # fmt: skip
    assert found.outcome == "completed"
    assert found.steps == (0 if method == "no-finetuning" else 2)
    assert found.cost is not None
    assert found.test is not None
    assert found.test.loss is not None
    assert (found.test.accuracy_published is not None) is (task in TEXT)
