"""From experiments to runs, and from a run to its spec.

The spec of a run is one JSON mapping with everything that can change the run's numbers,
and nothing else: no label, no colour, no path.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from gradcost.study import architectures, small
from gradcost.study.architectures import Architecture
from gradcost.study.config import (
    Experiment,
    Hyperparameters,
    Lora,
    Sheet,
    Study,
    Task,
    about_images,
    answers_in_text,
    config_error,
    estimator_faults,
    explain,
    merge,
)

TOO_SMALL = "too-small"
"""In the folder of a run that is not done: a line for each card that did not hold it."""

_NOT_IN_SPEC = {
    *("label", "paper", "family", "steps", "evaluate_every", "hyperparameters"),
    *("lora", "trainable", "label_words", "prompt", "architecture"),
}


@dataclass(frozen=True, order=True)
class Run:
    """One training: a model, a task, a method, a setting and a seed."""

    model: str
    task: str
    method: str
    setting: str
    seed: int

    @property
    def path(self) -> str:
        """The folder of its record, below the scale's results."""
        model, task, method, setting, seed = astuple(self)
        return f"runs/{model}/{task}/{method}/{setting}/seed{seed}"


def runs_of(study: Study, experiment: Experiment) -> list[Run]:
    """The grid of an experiment, in the order of the configuration.

    As in the paper's Table 3: tasks about images are for the models that see, and the others
    for those that do not; label words are for classes, so on tasks whose answer is text there
    is no such run, and none where a setting is for other methods.
    """
    return [
        Run(model, task, method, setting, seed)
        for model in experiment.models
        for task in experiment.tasks
        if goes_with(study, model, task)
        for method in experiment.methods
        if not (
            study.methods[method].objective == "label-words"
            and answers_in_text(study.tasks[task].dataset)
        )
        for setting in experiment.settings
        if method in (study.settings[setting].methods or [method])
        for seed in (experiment.seeds or study.seeds)
    ]


def goes_with(study: Study, model: str, task: str) -> bool:
    """Whether a task is about images just if a model sees."""
    sees = study.models[model].image_size is not None
    return sees == about_images(study.tasks[task].dataset)


def plan(study: Study) -> dict[str, list[Run]]:
    """The runs of each experiment, each resolved, so that none fails after others have run.

    Raises:
        gradcost.study.config.ConfigError: listing the faults of runs that cannot be resolved.
    """
    grids = {name: runs_of(study, grid) for name, grid in study.experiments.items()}
    runs = dict.fromkeys(run for grid in grids.values() for run in grid)
    # what is on request may be another machine's
    standing = {run for name in study.standing for run in grids[name]}
    faults = [fault for run in runs for fault in _faults(study, run)]
    faults += [fault for run in runs if run in standing for fault in _not_for(study, run)]
    faults += _too_long(study, dict.fromkeys((run.model, run.task) for run in runs))
    if faults:
        raise config_error(list(dict.fromkeys(faults)))
    return grids


def _not_for(study: Study, run: Run) -> Iterator[str]:
    """What of a run the study's hardware is not made for."""
    if study.models[run.model].dtype == "bfloat16" and study.hardware.device == "cpu":
        yield (
            f"models.{run.model}.dtype = 'bfloat16': is for hardware.device: cuda; processors "
            "take a hundred times as long for it as for dtype: float32"
        )


def _too_long(study: Study, pairs: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Tasks whose inputs are longer than a model has positions for."""
    for model, task in pairs:
        length, longest = study.tasks[task].length, _positions(study, model)
        if longest is not None and length > longest:
            yield (
                f"tasks.{task}.length = {length}: models.{model} has positions for {longest} "
                "tokens; give the task fewer, or run it on another model"
            )


def _positions(study: Study, model: str) -> int | None:
    """How many tokens an input of a model can have, if that is known without a network."""
    entry = study.models[model]
    named = entry.architecture or (entry.source and entry.source.hub)
    if named and "/" in named and not (architectures.shipped(named) or Path(named).exists()):
        return None
    try:
        return architecture(study, model).longest()
    except architectures.UnknownArchitecture:
        return None


def architecture(study: Study, model: str) -> Architecture:
    """The shape of a model of the study.

    Raises:
        gradcost.study.architectures.UnknownArchitecture: if its config cannot be had.
    """
    entry = study.models[model]
    if entry.architecture is not None:
        return architectures.load(entry.architecture)
    if entry.pretraining is None:
        assert entry.source is not None
        if entry.source.hub:
            return architectures.of_repository(entry.source.hub)
        if entry.source.folder:
            return architectures.load(entry.source.folder)
        raise architectures.UnknownArchitecture(
            f"models.{model}.architecture: is missing; a wheel does not say what it holds"
        )
    return Architecture(model, entry.label, small.config(entry.pretraining.model_dump()))


def data_spec(study: Study, task: str) -> dict[str, Any]:
    """Everything that can change the prepared data of a task."""
    return study.tasks[task].model_dump(exclude=_NOT_IN_SPEC | {"length"}, exclude_none=True)


def model_spec(study: Study, model: str) -> dict[str, Any]:
    """Everything that can change the stored weights of a model."""
    return study.models[model].model_dump(include={"source", "pretraining"}, exclude_none=True)


def token_spec(study: Study, model: str, task: str) -> dict[str, Any]:
    """Everything besides data and tokenizer that can change the tokens of a task."""
    seen = study.models[model].image_size
    size = {"image_size": seen} if about_images(study.tasks[task].dataset) else {}
    return {"length": study.tasks[task].length, "suffix": study.models[model].suffix, **size}


def sheet_spec(study: Study, name: str, sheet: Sheet | None = None) -> dict[str, Any]:
    """Everything that can change the numbers of a sheet of prices, and its labels.

    Args:
        study: has the methods.
        name: of the sheet.
        sheet: default: the study's of that name.
    """
    sheet = sheet or study.accounting[name]
    shape = architectures.load(sheet.architecture)
    shown = {"methods", "directions", "at_once", "checkpointing"}
    return {
        "sheet": name,
        **sheet.model_dump(exclude=shown),
        "layers": sheet.layers or [shape.depth],
        "targets": sheet.targets or shape.targets,
        "label": shape.label,
        "config": shape.config,
        "methods": [entry for key in sheet.methods for entry in _priced(study, sheet, key, shape)],
    }


def _priced(study: Study, sheet: Sheet, key: str, shape: Architecture) -> Iterator[dict[str, Any]]:
    """A method, once for each way in which its directions are evaluated."""
    method = study.methods[key]
    objective: str = method.objective
    if sheet.answer:
        objective = "answer"
    elif not shape.has_classifier:
        objective = "label-words"
    estimator = dict(method.estimator or {})
    published = key.endswith("-published")
    ways: list[dict[str, int]] = [{}]
    if "perturbations" in estimator and not published:
        ways = [
            {"perturbations": directions, "at_once": at_once}
            for directions in sheet.directions or [estimator["perturbations"]]
            for at_once in ([min(sheet.at_once, directions)] if sheet.at_once
                            else dict.fromkeys([1, directions]))
        ]  # fmt: skip
    backprop = estimator["kind"] == "backprop"
    policy = sheet.checkpointing if sheet.checkpointing and backprop else method.checkpointing
    columns = study.hyperparameters[str(method.hyperparameters)].values()
    optimizer = sheet.optimizer
    if all(column.optimizer == "sign" for column in columns):
        optimizer = "sign"
    elif estimator["kind"] == "zeroth-order-in-place":
        optimizer = "sgd"  # which it is itself
    for way in ways:
        yield {
            "name": key,
            "label": method.label,
            "family": method.family,
            "published": published,
            "sparse": method.sparse,
            "optimizer": optimizer,
            "method": {
                "name": key,
                "estimator": estimator | way,
                "variance_reduction": method.variance_reduction,
                "checkpointing": policy,
                "frozen_linears": method.frozen_linears,
                "objective": objective,
            },
        }


def with_directions(label: str, directions: int, at_once: int) -> str:
    """The label of a method with how its directions are evaluated, if it has several."""
    if directions == 1:
        return label
    how = {1: "in turn", directions: "together"}
    return f"{label} ({directions} {how.get(at_once, f'by {at_once}')})"


def spec(study: Study, run: Run) -> dict[str, Any]:
    """Everything that can change the numbers of a run."""
    method = study.methods[run.method]
    task = _task(study, run)
    model = study.models[run.model]
    result: dict[str, Any] = {
        "model": {
            "name": run.model,
            **model.model_dump(exclude=_NOT_IN_SPEC, exclude_none=True),
            **_trainable(study, run),
        },
        "task": {
            "name": run.task,
            **task.model_dump(exclude=_NOT_IN_SPEC, exclude_none=True),
        },
        "method": {"name": run.method, "estimator": None, "objective": method.objective},
        "steps": 0,
        "evaluate_every": task.evaluate_every,
        "hardware": study.hardware.model_dump(),
        "seed": run.seed,
    }
    if answers_in_text(task.dataset):
        result["method"]["objective"] = "answer"
    elif method.objective == "label-words":
        result["task"] |= {"label_words": task.label_words, "prompt": task.prompt}
    if method.estimator is not None and method.hyperparameters is not None:
        column = _hyperparameters(study, run)
        result["steps"] = task.steps
        result["method"] |= {
            "estimator": _estimator(study, run),
            "variance_reduction": _variance_reduction(study, run),
            "checkpointing": method.checkpointing,
            "frozen_linears": method.frozen_linears,
        }
        result["hyperparameters"] = column.model_dump(exclude={"estimator"})
    return result


def _trainable(study: Study, run: Run) -> dict[str, Any]:
    """What of the model is trained: adapters, all parameters, or a share of its weights."""
    method, setting = study.methods[run.method], study.settings[run.setting]
    model = study.models[run.model]
    if method.sparse is not None:
        return {"trainable": "sparse", "share": method.sparse}
    trainable = setting.trainable or model.trainable
    if trainable == "all":
        return {"trainable": "all"}
    lora = Lora(**{**model.lora.model_dump(), **setting.lora})
    return {"trainable": "lora", "lora": lora.model_dump()}


def _task(study: Study, run: Run) -> Task:
    budget = study.settings[run.setting].task.model_dump(exclude_none=True)
    return study.tasks[run.task].model_copy(update=budget)


def _hyperparameters(study: Study, run: Run) -> Hyperparameters:
    columns = study.hyperparameters[str(study.methods[run.method].hyperparameters)]
    changes = study.settings[run.setting].hyperparameters
    return Hyperparameters(**{**columns[run.task].model_dump(), **changes})


def _estimator(study: Study, run: Run) -> dict[str, Any]:
    """The method's settings, over them the task's (Tables 7 and 8), over them the setting's."""
    of_method = study.methods[run.method].estimator or {}
    of_task = _hyperparameters(study, run).estimator
    return merge(merge(of_method, of_task), study.settings[run.setting].estimator)


def _variance_reduction(study: Study, run: Run) -> dict[str, Any] | None:
    """The method's settings, over them the setting's; nothing if the method has none."""
    of_method = study.methods[run.method].variance_reduction
    if of_method is None:
        return None
    return merge(of_method, study.settings[run.setting].variance_reduction)


def _faults(study: Study, run: Run) -> Iterator[str]:
    method = study.methods[run.method]
    setting = f"settings.{run.setting}"
    changes = study.settings[run.setting]
    try:
        Lora(**{**study.models[run.model].lora.model_dump(), **changes.lora})
    except ValidationError as error:
        yield from (explain(fault, Lora, f"{setting}.lora.") for fault in error.errors())
        return
    if method.objective == "label-words" and not study.tasks[run.task].label_words:
        yield (
            f"tasks.{run.task}.label_words: is missing; method {run.method!r} has "
            "objective: label-words and needs a word for each class"
        )
    if method.estimator is None:
        return
    group = str(method.hyperparameters)
    if run.task not in study.hyperparameters[group]:
        yield (
            f"hyperparameters.{group}.{run.task}: is missing; method {run.method!r} needs it "
            f"to run on task {run.task!r}"
        )
        return
    try:
        _hyperparameters(study, run)
    except ValidationError as error:
        yield from (
            explain(fault, Hyperparameters, f"{setting}.hyperparameters.")
            for fault in error.errors()
        )
        return
    where = f"of method {run.method!r} on {run.task!r} in setting {run.setting!r}"
    yield from estimator_faults(_estimator(study, run), f"the estimator {where}")
    reduction = _variance_reduction(study, run)
    if reduction is not None:
        yield from estimator_faults(reduction, f"the variance reduction {where}", reduction=True)
    yield from _conflicts(study, run, where)


def _conflicts(study: Study, run: Run, where: str) -> Iterator[str]:
    """Settings that are right by themselves and do not go together."""
    method, model = study.methods[run.method], study.models[run.model]
    kind = _estimator(study, run).get("kind")
    reduction = (_variance_reduction(study, run) or {}).get("kind")
    column = _hyperparameters(study, run)
    if _trainable(study, run)["trainable"] == "all" and model.quantisation:
        yield (
            f"models.{run.model}.quantisation = {model.quantisation!r}: a weight in 4 bits cannot "
            f"be trained; trainable: all, as the spec {where} has it, needs quantisation: null"
        )
    recomputes = method.checkpointing != "none"
    if recomputes and (kind != "backprop" or reduction == "svrg"):
        yield (
            f"methods.{run.method}.checkpointing = {method.checkpointing!r}: is for the "
            "backward pass at the model's own parameters, so for kind: backprop without svrg; "
            f"{where} it is {kind!r}" + (f" with {reduction!r}" if reduction else "")
        )
    if kind == "backprop" and reduction in _ALONG_DIRECTIONS:
        yield (
            f"methods.{run.method}.variance_reduction.kind = {reduction!r}: goes by "
            "directions, and backprop has none; use forward-mode or zeroth-order"
        )
    if kind == "zeroth-order-in-place":
        plain = column.optimizer in ("sgd", "sign") and not column.momentum
        if not plain or column.clip_norm is not None or reduction:
            yield (
                f"the estimator {where}: zeroth-order-in-place is itself the update; it needs "
                "optimizer sgd or sign, no momentum, no clip_norm and no variance_reduction"
            )


_ALONG_DIRECTIONS = {
    *("adaptive", "sparse", "stabilised", "published-adaptive", "published-sparse"),
}
