"""How a process uses the CPU and the host's memory, before it computes.

Every step allocates tensors as large as those of the step before. glibc gives freed memory back
to the kernel, which then clears every page of the next step anew: a quarter of the time of a
step along ten directions. Kept, it is there for the next step, and no number changes.
"""

from __future__ import annotations

import ctypes

import torch

# of mallopt(3): what is freed at the end of the heap stays, up to so many bytes; the heap grows by
# so many more than are asked for; blocks from so many bytes on are the kernel's, the most it allows
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3
_SETTINGS = {_TRIM_THRESHOLD: 1 << 29, _TOP_PAD: 1 << 26, _MMAP_THRESHOLD: 1 << 25}


def prepare(threads: int) -> None:
    """Compute with `threads` threads, and keep freed memory for the next step."""
    torch.set_num_threads(threads)
    keep_freed_memory()


def keep_freed_memory() -> bool:
    """Whether the C library could be told so; one that is not glibc cannot, and is as it was."""
    library = ctypes.CDLL(None)
    return hasattr(library, "gnu_get_libc_version") and all(
        library.mallopt(name, value) for name, value in _SETTINGS.items()
    )
