"""From one seed of a run to the seeds of everything random in it."""

from __future__ import annotations

import hashlib


def derive(seed: int, *purpose: str | int) -> int:
    """A 63-bit seed for one purpose of a run, e.g. `derive(0, "directions", step)`.

    Different purposes give unrelated streams. The method is no part of it: for one seed,
    all methods start from the same weights, see the same batches in the same order, and
    draw the same directions (common random numbers), so that a difference between two
    methods is not a difference of luck.
    """
    text = "/".join(str(part) for part in (seed, *purpose))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 1
