"""A step that is to be priced, and what a closed form knows of it."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from gradcost.accounting import closed_form
from gradcost.study import runs
from gradcost.study.architectures import Architecture
from gradcost.study.config import Study
from gradcost.study.files import read_json
from gradcost.study.runs import Run


@dataclass(frozen=True)
class Case:
    """A step to be priced.

    Attributes:
        config: of the model, as Hugging Face has it.
        spec: a run's spec, of which `model`, `method` and `hyperparameters` count here.
        length: tokens of an input, those of an image included.
        classes: of the task.
        answer: tokens of the longest answer, where the objective is `answer`.
        image: pixels of a side of the image that each input has, if any.
    """

    config: dict[str, Any]
    spec: dict[str, Any]
    length: int
    classes: int = 4
    answer: int = 0
    image: int = 0

    @property
    def once(self) -> bool:
        """Whether images are seen once for a batch, however often its loss is evaluated.

        They are where all that is trained is above the vision tower.
        """
        return bool(self.image) and self.spec["model"]["trainable"] != "all"


def of_run(study: Study, shape: Architecture, run: Run) -> tuple[Case, int]:
    """The step of a run, and the size of its batch.

    Args:
        shape: of the run's model.
    """
    spec = runs.spec(study, run)
    kept = {key: spec[key] for key in ("model", "method", "steps", "evaluate_every")}
    kept["hyperparameters"] = spec.get("hyperparameters")
    if kept["model"].get("quantisation"):
        # to count FLOPs, which no way of packing changes
        kept["model"] |= {"quantisation": "nf4"}
    batch = spec["hyperparameters"]["batch_size"] if spec["steps"] else 1
    task = study.tasks[run.task]
    module = import_module(f"gradcost.tasks.{task.dataset.replace('-', '_')}")
    classes = len(getattr(module, "LABELS", ()))
    # until answers are tokenised, as long as they may be generated
    answer = getattr(module, "NEW_TOKENS", 0)
    image = study.models[run.model].image_size or 0
    length = task.length + (image_tokens(shape.config, image) if image else 0)
    return Case(shape.config, kept, length, classes, answer, image), batch


def split_sizes(study: Study, results: Path, task: str) -> dict[str, int] | None:
    """The sizes of a task's splits: those prepared, or those that the configuration says."""
    manifest = results / "data" / task / "manifest.json"
    if manifest.exists():
        splits = read_json(manifest)["splits"]
        return {name: split["examples"] for name, split in splits.items()}
    limits: dict[str, int] = study.tasks[task].examples.model_dump()
    return None if None in limits.values() else limits


def evaluated_examples(study: Study, results: Path, run: Run) -> int | None:
    """How many examples a run evaluates; None if the splits are not known."""
    sizes = split_sizes(study, results, run.task)
    if sizes is None:
        return None
    spec = runs.spec(study, run)
    # before the first step, every so often, and at the end
    looks: int = 1 + -(-spec["steps"] // spec["evaluate_every"])
    return looks * sizes["validation"] + sizes["test"]


def image_grid(config: dict[str, Any], size: int) -> closed_form.Grid:
    """The patches of an image of `size` pixels a side, of a model such as Qwen2-VL.

    A side is rounded to whole tokens, each of so many patches a side.
    """
    vision = config.get("vision_config", {})
    merged = vision.get("spatial_merge_size", 2)
    side = merged * max(1, round(size / (merged * vision.get("patch_size", 14))))
    return 1, side, side


def image_tokens(config: dict[str, Any], size: int) -> int:
    """The tokens that such an image makes."""
    _, rows, columns = image_grid(config, size)
    return rows * columns // int(config.get("vision_config", {}).get("spatial_merge_size", 2)) ** 2


def forward_flops(case: Case, batch: int) -> int:
    """FLOPs of a forward pass of a batch, images included."""
    return closed_form.forward(describe(case, batch)) + (seeing(case, batch) if case.once else 0)


def seeing(case: Case, batch: int) -> int:
    """FLOPs of what a vision tower makes of the images of a batch."""
    whole = _describe(case, batch, with_images=True)
    return closed_form.forward(whole) - closed_form.forward(_describe(case, batch, False))


def describe(case: Case, batch: int) -> closed_form.Description:
    """The products and parameters of a forward pass of a case's model.

    Without those of the vision tower where it is not run each time.
    """
    return _describe(case, batch, bool(case.image) and not case.once)


def _describe(case: Case, batch: int, with_images: bool) -> closed_form.Description:
    head = {
        "head": closed_form.Head("classifier", case.classes),
        "label-words": closed_form.Head("label-words", case.classes),
        "answer": closed_form.Head("language-model", positions=case.answer + 1),
    }[case.spec["method"]["objective"]]
    trained: closed_form.Trained = "all"
    if case.spec["model"]["trainable"] == "lora":
        lora = case.spec["model"]["lora"]
        trained = closed_form.Adapters(lora["rank"], tuple(lora["targets"]))
    grid = image_grid(case.config, case.image)
    inputs = closed_form.Batch(batch, case.length, (grid,) * batch if with_images else ())
    return closed_form.describe(case.config, inputs, head, trained)


def closed_form_flops(case: Case, batch: int) -> int | None:
    """FLOPs of a step by the closed form; None for what it does not describe."""
    model, method = case.spec["model"], case.spec["method"]
    estimator, reduction = method["estimator"], method["variance_reduction"] or {}
    kind, wrapped = str(estimator["kind"]), str(reduction.get("kind"))
    known = case.config["model_type"] in closed_form.SUPPORTED
    if not known or model["trainable"] == "sparse" or "published" in kind + wrapped:
        return None
    # two estimates a step, and one of every batch per snapshot
    snapshots = 1 / reduction.get("snapshot_every", 5) if wrapped == "svrg" else 0
    times = 2 + snapshots if wrapped == "svrg" else 1
    found = describe(case, batch)
    many = (estimator.get("perturbations", 1), estimator.get("at_once", 1))
    if kind == "backprop":
        policy = method["checkpointing"]
        flops = closed_form.backprop(found, None if policy == "none" else policy)
    elif kind == "forward-mode":
        flops = closed_form.forward_mode(found, *many, stock=not method["frozen_linears"])
    elif kind == "zeroth-order":
        flops = closed_form.zeroth_order(found, *many, estimator.get("difference", "central"))
    else:
        return None
    below = (1 + snapshots) * seeing(case, batch) if case.once else 0
    return round(times * flops + below)
