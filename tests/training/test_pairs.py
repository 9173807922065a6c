"""Every model-task pair of the paper, with a small stand-in of the architecture.

From the dataset's files, through tokens and a model that is loaded as the paper's is (in 4 bits
where it is), to a record. Images go through the real image processor of Qwen2-VL.
"""

from __future__ import annotations

import io
from pathlib import Path

import PIL.Image
import pytest

from gradcost.models import store, vision
from gradcost.planning.case import Case, closed_form_flops, forward_flops, image_tokens
from gradcost.planning.price import price
from gradcost.study import architectures, config
from gradcost.study.record import Record, RunName
from gradcost.tasks import prepare, tokens
from gradcost.training.run import Job, train
from tests.runs import small_spec
from tests.stand_ins import DECODERS, ENCODERS, weights

LENGTH = 64
IMAGE_SIZE = 64  # two by two tokens of 28 by 28 pixels
CLASSES, TEXT = ("agnews", "boolq", "multirc"), ("gsm8k", "mmlu")
PAIRS = [(model, task) for model in DECODERS for task in (*CLASSES, *TEXT)]
PAIRS += [(model, task) for model in ENCODERS for task in CLASSES]
IMAGES = ("vqav2", "textvqa")
# those of the configuration
TARGETS = {
    **{model: ["q_proj", "v_proj"] for model in DECODERS},
    **{model: ["query", "value"] for model in ENCODERS},
    "qwen2_vl": ["q_proj", "k_proj", "v_proj", "o_proj"],
}
PAIRS += [("qwen2_vl", task) for task in IMAGES]


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
        elif task in IMAGES:
            made.append(question(task, name, index))
        elif task == "gsm8k":
            made.append({"question": f"How many {name}?", "answer": f"One.\n#### {index}"})
        else:
            made.append({"question": name, "choices": list("1234"), "answer": index % 4})
    return made


def question(task: str, name: str, index: int) -> dict:
    """About one of four images."""
    split = name.split()[0]
    number = f"{split}{index // 2}"
    picture = io.BytesIO()
    # of its split alone, or it would not be trained on
    colour = (60 * (index // 2), 100, 30 + len(split))
    PIL.Image.new("RGB", (40 + index // 2, 30), colour).save(picture, "png")
    answers = ["red", "Red", *["blue"] * 8]
    row = {"question": f"Which colour, {name}?", "image_id": number,
           "image": {"bytes": picture.getvalue(), "path": f"{number}.png"}}  # fmt: skip
    if task == "textvqa":
        return row | {"answers": answers}
    return row | {
        "answers": [{"answer": one, "answer_id": place} for place, one in enumerate(answers)],
        "multiple_choice_answer": "blue",
    }


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """A folder for each task: its files as on the hub, and as prepared."""
    import pandas as pd

    splits = {
        "agnews": ("train", "test"), "gsm8k": ("train", "test"),
        "boolq": ("train", "validation"), "multirc": ("train", "validation"),
        "mmlu": ("auxiliary_train", "validation", "test"),
        "vqav2": ("train", "validation"), "textvqa": ("train", "validation"),
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


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    for kind in (*DECODERS, *ENCODERS, "qwen2_vl"):
        (folder / kind / "weights").mkdir(parents=True)
        weights(kind, folder / kind / "weights")
        source = {"folder": str(folder / kind / "weights")}
        store.prepare({"source": source}, {}, folder / kind / "manifest")
    return folder


def trained(data, models, folder, model, task, method) -> Record:
    """Tokenise, train two steps, evaluate."""
    tokenizer = store.tokenizer(models / model / "manifest")
    spec = {"length": LENGTH, "suffix": None}
    manifest = models / model / "manifest"
    sees = task in IMAGES
    placeholder = (
        vision.ImageProcessor(store.locate(manifest), IMAGE_SIZE).placeholder if sees else None
    )
    tokens.tokenise(data / task / "prepared", tokenizer, spec, folder / "tokens", placeholder)
    targets = TARGETS[model]
    # the paper's large models are in 4 bits, the BERT family is not
    bits = {} if model in ENCODERS else {"quantisation": "nf4"}
    if sees:
        bits["image_size"] = IMAGE_SIZE
    lora = {"rank": 1, "alpha": 1.0, "targets": targets}
    run = small_spec(
        method, model={"lora": lora, **bits}, hyperparameters={"batch_size": 4},
        **({} if method == "no-finetuning" else {"steps": 2}),
    )  # fmt: skip
    run["method"]["objective"] = "answer" if task in (*TEXT, *IMAGES) else "head"
    return train(
        Job(
            name=RunName(model=model, task=task, method=method, setting="default", seed=0),
            spec=run, tokens=folder / "tokens", model=manifest,
            out=folder / "out", checkpoints=folder / "checkpoints", code={}, packages={},
        )
    )  # fmt: skip


@pytest.mark.xdist_group("pairs")
@pytest.mark.parametrize("method", ["no-finetuning", "bp-vanilla", "zo-vanilla", "fmad-vanilla"])
@pytest.mark.parametrize(("model", "task"), PAIRS)
def test_every_pair_takes_a_step_and_is_evaluated(data, models, tmp_path, model, task, method):
    found = trained(data, models, tmp_path, model, task, method)
    assert found.outcome == "completed"
    assert found.steps == (0 if method == "no-finetuning" else 2)
    assert found.cost is not None
    assert found.test is not None
    assert found.test.loss is not None
    assert (found.test.accuracy_published is not None) is (task in (*TEXT, *IMAGES))


@pytest.mark.xdist_group("pairs")
@pytest.mark.parametrize("method", ["bp-vanilla", "bp-checkpointing", "zo-vanilla", "zo-multiple",
                                    "fmad-vanilla", "fmad-multiple", "zo-sparse"])  # fmt: skip
def test_a_step_about_images_costs_what_was_planned(data, models, tmp_path, method):
    found = trained(data, models, tmp_path, "qwen2_vl", "textvqa", method)
    shape = architectures.load(str(models / "qwen2_vl" / "weights" / "config.json"))
    answer = tokens.load(tmp_path / "tokens").answers.length
    length = LENGTH + image_tokens(shape.config, IMAGE_SIZE)
    case = Case(shape.config, found.spec, length, 0, answer, IMAGE_SIZE)
    batch = 4
    planned = price(case).cost(batch)
    assert planned.step_flops == found.cost.step_flops
    assert planned.forward_flops == found.cost.forward_flops
    assert planned.model_bytes == found.cost.model_bytes
    if method != "zo-sparse":
        assert closed_form_flops(case, batch) == found.cost.step_flops
        assert forward_flops(case, batch) == found.cost.forward_flops


def test_adapters_are_where_the_study_has_them():
    study = config.read(Path(__file__).parents[2] / "config.yaml")
    kinds = {
        "llama-3.1-8b": "llama", "opt-1.3b": "opt", "opt-1.3b-dense": "opt", "opt-6.7b": "opt",
        "opt-13b": "opt",
        "bert-base": "bert", "bert-large": "bert", "roberta-base": "roberta",
        "roberta-large": "roberta", "qwen2-vl-7b": "qwen2_vl", "qwen2-vl-7b-gptq": "qwen2_vl",
    }  # fmt: skip
    assert {name: model.lora.targets for name, model in study.models.items()} == {
        name: TARGETS[kind] for name, kind in kinds.items()
    }
