"""A step that is to be priced, and what a closed form knows of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gradcost.accounting import closed_form


@dataclass(frozen=True)
class Case:
    """A step to be priced.

    Attributes:
        config: of the model, as Hugging Face has it.
        spec: a run's spec, of which `model`, `method` and `hyperparameters` count here.
        length: tokens of an input.
        classes: of the task.
        answer: tokens of the longest answer, where the objective is `answer`.
    """

    config: dict[str, Any]
    spec: dict[str, Any]
    length: int
    classes: int = 4
    answer: int = 0


def describe(case: Case, batch: int) -> closed_form.Description:
    """The products and parameters of a forward pass of a case's model."""
    head = {
        "head": closed_form.Head("classifier", case.classes),
        "label-words": closed_form.Head("label-words", case.classes),
        "answer": closed_form.Head("language-model", positions=case.answer + 1),
    }[case.spec["method"]["objective"]]
    trained: closed_form.Trained = "all"
    if case.spec["model"]["trainable"] == "lora":
        lora = case.spec["model"]["lora"]
        trained = closed_form.Adapters(lora["rank"], tuple(lora["targets"]))
    inputs = closed_form.Batch(batch, case.length)
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
    times = 2 + 1 / reduction.get("snapshot_every", 5) if wrapped == "svrg" else 1
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
    return round(times * flops)
