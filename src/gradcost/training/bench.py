"""What a step of each method costs in forward passes: time, FLOPs and memory, side by side.

All methods run on the same small Llama with random weights, in one process and in turn, so
that what else the machine does falls on all of them alike. Times are CPU times, the least
of several rounds, over that of a forward pass; FLOPs and bytes are counted.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import cross_entropy

from gradcost.accounting.meter import Meter
from gradcost.estimators import LossFn, Params, load
from gradcost.models.checkpointing import checkpoint
from gradcost.models.frozen import freeze_linears
from gradcost.models.sparse import Selection, train_largest
from gradcost.training.objective import AlsoAll
from gradcost.training.step import EstimateThenUpdate, InPlace, stepper

_SGD = {
    "optimizer": "sgd",
    "learning_rate": 1e-6,
    "momentum": 0.0,
    "nesterov": False,
    "weight_decay": 0.0,
    "clip_norm": None,
}


@dataclass(frozen=True)
class Size:
    """A Llama and a batch; by default about 30 million parameters, batch 2 of length 64."""

    layers: int = 8
    hidden: int = 512
    intermediate: int = 1408
    heads: int = 8
    key_value_heads: int = 2
    vocabulary: int = 8000
    batch: int = 2
    length: int = 64


@dataclass(frozen=True)
class Entry:
    """A method of the benchmark.

    Attributes:
        label: its name.
        estimator, reduction: as in the configuration.
        trains: what of the model: `lora`, `all`, or `sparse` (1 % of the weights).
        checkpointing: of each layer.
        frozen_linears: false for stock PyTorch.
        optimizer: the update.
        limit: the time in forward passes that this implementation is meant to keep.
        published: that of the code it is compared with, measured on this model.
    """

    label: str
    estimator: dict[str, Any]
    reduction: dict[str, Any] | None = None
    trains: str = "lora"
    checkpointing: bool = False
    frozen_linears: bool = True
    optimizer: str = "sgd"
    limit: float | None = None
    published: float | None = None


_BP, _ZO, _FMAD = {"kind": "backprop"}, {"kind": "zeroth-order"}, {"kind": "forward-mode"}
_TEN, _TOGETHER = {"perturbations": 10}, {"perturbations": 10, "at_once": 10}
_ACCUMULATE, _ADAPTIVE = {"kind": "accumulate"}, {"kind": "adaptive"}

# Published times: the paper's public code and MeZO's, on this model and batch, one thread.
ENTRIES = [
    Entry("BP-Vanilla", _BP, limit=2.3, published=2.4),
    Entry("BP-Checkpointing", _BP, checkpointing=True, limit=3.3, published=3.4),
    Entry("BP-Accumulate", _BP, _ACCUMULATE, checkpointing=True),
    Entry("ZO-Vanilla", _ZO, limit=2.1, published=2.3),
    Entry("ZO-Vanilla, one-sided", _ZO | {"difference": "one-sided"}),
    Entry("ZO-Accumulate", _ZO, _ACCUMULATE),
    Entry("ZO-Multiple, in turn", _ZO | _TEN),
    Entry("ZO-Multiple, together", _ZO | _TOGETHER),
    Entry("ZO-Adaptive", _ZO, _ADAPTIVE),
    Entry("ZO-SVRG", _ZO, {"kind": "svrg"}),
    Entry("ZO-Sparse", _ZO, trains="sparse"),
    Entry("SignZO", _ZO, optimizer="sign"),
    Entry("FMAD-Vanilla", _FMAD, limit=2.6, published=4.6),
    Entry("FMAD-Accumulate", _FMAD, _ACCUMULATE),
    Entry("FMAD-Multiple, in turn", _FMAD | _TEN),
    Entry("FMAD-Multiple, together", _FMAD | _TOGETHER, limit=14),
    Entry("FMAD-Adaptive", _FMAD, _ADAPTIVE),
    Entry("FMAD-SVRG", _FMAD, {"kind": "svrg"}),
    Entry("FMAD-Sparse", _FMAD, trains="sparse"),
    Entry("FMAD-Vanilla, as published", _FMAD, frozen_linears=False),
    Entry("FMAD-Multiple, as published", _FMAD | _TEN, frozen_linears=False, published=45),
    Entry("BP, all parameters", _BP, trains="all"),
    Entry("ZO, all parameters", _ZO, trains="all"),
    Entry(
        "ZO, all parameters in place", {"kind": "zeroth-order-in-place"}, trains="all",
        limit=12.5, published=15.4,
    ),
    Entry("FMAD, all parameters", _FMAD, trains="all"),
]  # fmt: skip


@dataclass
class Result:
    """What a method's step took, in forward passes where not said otherwise.

    `memory` is the peak above the weights over that of a forward pass above them.
    """

    label: str
    time: float
    flops: float
    memory: float
    limit: float | None
    published: float | None


@dataclass
class _Subject:
    """One method on its own copy of the model, and what was measured of it."""

    model: nn.Module
    take: Callable[[int], object]
    seconds: list[float] = field(default_factory=list)


def run(
    size: Size, rounds: int, entries: list[Entry] = ENTRIES, tell: Callable[[str], None] = print
) -> list[Result]:
    """Measure `entries` in `rounds` rounds, each of which takes a step of every method."""
    ids = torch.randint(
        size.vocabulary, (size.batch, size.length), generator=torch.Generator().manual_seed(0)
    )
    reference = _model(size, "lora", checkpointing=False, frozen_linears=True)[0]
    params = _trainable(reference)
    loss = _loss(reference, ids)

    @torch.no_grad()
    def forward(_: int = 0) -> None:
        loss(params)

    subjects = {"forward": _Subject(reference, forward)}
    models: dict[Any, tuple[nn.Module, Selection | None]] = {}
    for entry in entries:
        key = (entry.trains, entry.checkpointing, entry.frozen_linears)
        if key not in models:
            models[key] = _model(size, *key)
        subjects[entry.label] = _Subject(models[key][0], _taker(entry, *models[key], ids))
    flops, memory = {}, {}
    for label, subject in subjects.items():
        tell(f"counting {label}")
        known = [*subject.model.parameters(), *subject.model.buffers(), ids]
        subject.take(0)
        with Meter(frozen_weights=known) as meter:
            subject.take(1)
        peak = meter.peak()
        memory[label], flops[label] = peak.total - peak.frozen_weights, meter.flops
    for number in range(rounds):
        tell(f"round {number + 1} of {rounds}")
        for subject in subjects.values():
            started = time.process_time()
            subject.take(number + 2)
            subject.seconds.append(time.process_time() - started)
    least = {label: min(subject.seconds) for label, subject in subjects.items()}
    return [
        Result(
            entry.label,
            least[entry.label] / least["forward"],
            flops[entry.label] / flops["forward"],
            memory[entry.label] / memory["forward"],
            entry.limit,
            entry.published,
        )
        for entry in entries
    ]


def together(rounds: int, tell: Callable[[str], None] = print) -> dict[str, float]:
    """How many times faster 16 directions at once are than in turn, on one short input."""
    sixteen = {"perturbations": 16}
    entries = [
        Entry(f"{name}, {how}", base | sixteen | at_once)
        for name, base in (("ZO", _ZO), ("FMAD", _FMAD))
        for how, at_once in (("in turn", {}), ("together", {"at_once": 16}))
    ]
    found = {one.label: one.time for one in run(Size(batch=1, length=16), rounds, entries, tell)}
    return {name: found[f"{name}, in turn"] / found[f"{name}, together"] for name in ("ZO", "FMAD")}


def table(results: list[Result]) -> str:
    """The results as text, a line a method."""

    def line(label: str, *cells: object) -> str:
        return f"{label:30}" + "".join(f"{cell:>11}" for cell in cells)

    def shown(value: float | None) -> str:
        return "" if value is None else f"{value:g}"

    return "\n".join(
        [
            line("in forward passes", "CPU time", "aim", "published", "FLOPs", "memory"),
            *(
                line(
                    one.label, f"{one.time:.2f}", shown(one.limit), shown(one.published),
                    f"{one.flops:.2f}", f"{one.memory:.2f}",
                )
                for one in results
            ),
        ]
    )  # fmt: skip


def _model(
    size: Size, trains: str, checkpointing: bool, frozen_linears: bool
) -> tuple[nn.Module, Selection | None]:
    from peft import LoraConfig, get_peft_model
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        num_hidden_layers=size.layers,
        hidden_size=size.hidden,
        intermediate_size=size.intermediate,
        num_attention_heads=size.heads,
        num_key_value_heads=size.key_value_heads,
        vocab_size=size.vocabulary,
        use_cache=False,
        attn_implementation="eager",
    )
    base = LlamaForCausalLM(config).eval()
    model: nn.Module = base
    if trains == "lora":
        lora = LoraConfig(r=1, lora_alpha=1, target_modules=["q_proj", "v_proj"])
        model = get_peft_model(base, lora).eval()
    elif trains == "sparse":
        base.requires_grad_(False)
    if frozen_linears and trains != "all":
        freeze_linears(model)
    if checkpointing:
        checkpoint(model, "every-layer")
    return model, train_largest(model, 0.01) if trains == "sparse" else None


def _trainable(model: nn.Module) -> dict[str, nn.Parameter]:
    return {name: value for name, value in model.named_parameters() if value.requires_grad}


def _loss(model: nn.Module, ids: Tensor) -> LossFn:
    """The language model's loss: every position predicts the next token."""

    def loss(params: Params) -> Tensor:
        logits = functional_call(model, dict(params), kwargs={"input_ids": ids}).logits
        return cross_entropy(logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten())

    return loss


def _taker(
    entry: Entry, model: nn.Module, selection: Selection | None, ids: Tensor
) -> Callable[[int], object]:
    """A function that takes a step with the given seed.

    What the first step alone does, such as a snapshot, is done here and not measured.
    """
    estimator = load(**entry.estimator)
    if entry.reduction:
        settings = dict(entry.reduction)
        if settings["kind"] == "svrg":
            settings["snapshot_every"] = 10**9
        estimator = load(base=estimator, **settings)
    params = _trainable(model)
    one: EstimateThenUpdate | InPlace = stepper(
        estimator, params, _SGD | {"optimizer": entry.optimizer}, selection
    )
    loss = AlsoAll(_loss(model, ids))
    _, state = one.step(loss, one.init(), 99)

    def take(seed: int) -> None:
        nonlocal state
        _, state = one.step(loss, state, seed)

    return take
