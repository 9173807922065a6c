"""FLOPs, counted by PyTorch's own counter."""

from __future__ import annotations

from collections.abc import Callable

from torch.utils.flop_counter import FlopCounterMode


def count_flops(work: Callable[[], object]) -> int:
    """FLOPs of the matrix products that `work` runs; a multiply-add is two.

    Never measure memory in the same pass: the counter keeps checkpointed graphs alive.
    """
    with FlopCounterMode(display=False) as counter:
        work()
    return int(counter.get_total_flops())
