"""Peak memory, counted in bytes of live tensors, alike on every device.

The operating system's view of a process is useless here (it keeps what Python freed, and
a library's own buffers outweigh a small model). What is counted is what the computation
itself keeps alive: the storage of every tensor that an operation returns, from then until
nothing refers to it. Scratch space inside a kernel is not seen.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class PeakMemory(TorchDispatchMode):
    """Counts the bytes of storages that come alive while it is entered.

    Attributes:
        live: bytes alive now, beyond those of `known`.
        peak: the most bytes that were alive at once, beyond those of `known`.
    """

    def __init__(self, known: Iterable[Tensor] = ()) -> None:
        """Args: known: tensors that were there before, such as weights; not counted."""
        super().__init__()
        self.live = self.peak = 0
        self._seen = {_key(tensor) for tensor in known}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor):
                self._count(leaf)
        return result

    def _count(self, tensor: Tensor) -> None:
        key, storage = _key(tensor), tensor.untyped_storage()
        if key in self._seen:
            return
        size = storage.nbytes()
        self._seen.add(key)
        self.live += size
        self.peak = max(self.peak, self.live)
        weakref.finalize(storage, self._free, key, size)

    def _free(self, key: int, size: int) -> None:
        self._seen.discard(key)
        self.live -= size


def stored_bytes(tensors: Iterable[Tensor]) -> int:
    """Bytes of the distinct storages behind `tensors`, packed weights and their scales too."""
    sizes = {}
    for tensor in tensors:
        for part in (tensor, *_scales(tensor)):
            sizes[_key(part)] = part.untyped_storage().nbytes()
    return sum(sizes.values())


def _scales(tensor: Tensor) -> list[Tensor]:
    """The tensors of a bitsandbytes 4-bit weight besides its packed numbers."""
    state = getattr(tensor, "quant_state", None)
    nested = getattr(state, "state2", None)
    parts = [getattr(state, "absmax", None), getattr(state, "code", None)]
    parts += [getattr(nested, "absmax", None), getattr(nested, "code", None)]
    return [part for part in parts if isinstance(part, torch.Tensor)]


def _key(tensor: Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)
