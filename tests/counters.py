"""FLOPs by PyTorch's own counter, and bytes above those of tensors that were there before."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from gradcost.accounting.meter import Meter


def count_flops(work: Callable[[], object]) -> int:
    """The reference of `gradcost.accounting.meter`."""
    with FlopCounterMode(display=False) as counter:
        work()
    return int(counter.get_total_flops())


class MemoryAbove:
    """Bytes alive while it is entered, beyond those of `known` tensors."""

    def __init__(self, known: Iterable[Tensor] = ()) -> None:
        self._meter = Meter(frozen_weights=known)

    def __enter__(self) -> MemoryAbove:
        self._meter.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._meter.__exit__(*error)

    @property
    def peak(self) -> int:
        found = self._meter.peak()
        return found.total - found.frozen_weights

    @property
    def live(self) -> int:
        return self._meter.live
