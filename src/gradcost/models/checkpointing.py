"""Activation checkpointing: what a backward pass needs is stored, or computed again.

Of a checkpointed stretch of layers its input alone is kept, and the stretch is run again
when the backward pass arrives there (Griewank and Walther, 2000; Chen et al., 2016). The
policies differ in what a stretch is and in what else is kept:

`every-layer`   each layer is a stretch. PyTorch stops running it again where all that the
                backward pass needs is there, which spares a last product.
`whole-layers`  the same without stopping early, as the paper's public code does.
`segments`      ceil(sqrt p) stretches of p layers, as equal as can be: Chen et al.'s
                O(sqrt p) memory, but all insides of a segment live at once.
`nested`        those segments, and within one that is run again each layer once more.
`selective`     each layer, and of its inside the outputs of products with weights, which
                are dear to compute and small beside attention's own.
`offload`       each layer, and its input waits in the host's memory.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.profiler import record_function
from torch.utils import checkpoint as checkpointing
from torch.utils.checkpoint import CheckpointPolicy, create_selective_checkpoint_contexts

Run = Callable[..., Any]


def checkpoint(model: nn.Module, policy: str) -> None:
    """Checkpoint the layers of every tower of a Hugging Face model.

    The forward passes of layers are replaced; no module, name or parameter changes. Gradients
    must be taken at the model's own parameters: a stretch is run again after a
    `torch.func.functional_call` has put them back. Dropout must be off. The layers of a
    segment get the keyword arguments of its first.

    Args:
        model: with or without adapters.
        policy: one of the above.

    Raises:
        ValueError: if the model has no layers that can be checkpointed.
    """
    towers = list(_towers(model))
    if not towers:
        raise ValueError(f"{type(model).__name__} has no layers that can be checkpointed")
    for layers in towers:
        if policy in ("segments", "nested"):
            bounds = segments(len(layers))
            for start, stop in pairwise(bounds):
                _join(layers[start:stop], nested=policy == "nested")
        else:
            for layer in layers:
                layer.forward = _again(layer.forward, policy, _is_trained(layer))


def segments(layers: int) -> list[int]:
    """Where ceil(sqrt(layers)) segments begin, and the number of layers."""
    count = math.isqrt(layers - 1) + 1
    return [layers * index // count for index in range(count + 1)]


def _towers(model: nn.Module) -> Iterator[list[Any]]:
    from transformers.modeling_layers import GradientCheckpointingLayer

    for module in model.modules():
        if isinstance(module, nn.ModuleList) and len(module):
            layers = list(module)
            if all(isinstance(layer, GradientCheckpointingLayer) for layer in layers):
                yield layers


def _is_trained(*layers: nn.Module) -> bool:
    return any(value.requires_grad for layer in layers for value in layer.parameters())


def _again(run: Run, policy: str, trained: bool) -> Run:
    """`run`, whose inside is computed again in the backward pass."""

    def forward(hidden: Tensor, *args: Any, **kwargs: Any) -> Any:
        # below all that is trained there is no backward pass
        if not torch.is_grad_enabled() or not (trained or hidden.requires_grad):
            return run(hidden, *args, **kwargs)
        settings: dict[str, Any] = {"use_reentrant": False, "preserve_rng_state": False}
        if policy == "selective":
            settings["context_fn"] = partial(create_selective_checkpoint_contexts, _dear)
        whole = checkpointing.set_checkpoint_early_stop(policy != "whole-layers")
        kept: AbstractContextManager[Any] = nullcontext()
        if policy == "offload":
            # by its address: the hooks live as long as what they pack, and would keep the input
            address = hidden.untyped_storage()._cdata
            kept = saved_tensors_hooks(partial(_to_host, address), _from_host)
        with whole, kept:
            return checkpointing.checkpoint(run, hidden, *args, **settings, **kwargs)

    return forward


def _join(layers: list[Any], nested: bool) -> None:
    """Let the first of `layers` run all of them, and the others pass on what they are given."""
    trained = _is_trained(*layers)
    runs = [
        _again(layer.forward, "every-layer", _is_trained(layer)) if nested else layer.forward
        for layer in layers
    ]
    in_tuple = False

    def whole(hidden: Tensor, *args: Any, **kwargs: Any) -> Any:
        nonlocal in_tuple
        output: Any = hidden
        for run in runs:
            output = run(output[0] if isinstance(output, tuple) else output, *args, **kwargs)
        in_tuple = isinstance(output, tuple)
        return output

    def passed_on(hidden: Tensor, *args: Any, **kwargs: Any) -> Any:
        return (hidden,) if in_tuple else hidden

    layers[0].forward = _again(whole, "segments", trained)
    for layer in layers[1:]:
        layer.forward = passed_on


_PRODUCTS = {torch.ops.aten.mm.default, torch.ops.aten.addmm.default}


def _dear(context: Any, op: Any, *args: Any, **kwargs: Any) -> CheckpointPolicy:
    """Keep the outputs of products with weights; attention's are batched (`bmm`)."""
    return CheckpointPolicy.MUST_SAVE if op in _PRODUCTS else CheckpointPolicy.PREFER_RECOMPUTE


def _to_host(address: int, saved: Tensor) -> tuple[torch.device, Tensor] | Tensor:
    """The layer's input, a storage at `address`, as a copy in the host's memory.

    What layers share, as masks and positions, stays.
    """
    if saved.untyped_storage()._cdata != address:
        return saved
    host = "meta" if saved.device.type == "meta" else "cpu"
    # by this name a meter of memory knows that it is not the device's
    with record_function("host"):
        copy = torch.empty(
            saved.shape, dtype=saved.dtype, device=host, pin_memory=saved.device.type == "cuda"
        )
        copy.copy_(saved)
    return saved.device, copy


def _from_host(packed: tuple[torch.device, Tensor] | Tensor) -> Tensor:
    if isinstance(packed, Tensor):
        return packed
    device, copy = packed
    # a copy also where host and device are one
    return torch.empty_like(copy, device=device, pin_memory=False).copy_(copy)
