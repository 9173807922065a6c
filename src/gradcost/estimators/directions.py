"""Random directions that can be drawn again.

Direction i of a step follows from the step's seed and i alone, so nothing of the size of
the parameters is kept that can be regenerated (MeZO's trick), and every estimator given
the same seed looks along the same directions.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from gradcost.estimators.base import Params


def draw(params: Params, seed: int, index: int) -> dict[str, Tensor]:
    """Direction `index` of the step with `seed`: v ~ N(0, I_d), shaped like `params`.

    Drawn in float32 as one flat vector on the parameters' device, in the order of their
    names, and then cast: neither precision nor the grouping of tensors changes it.
    """
    first = next(iter(params.values()))
    generator = torch.Generator(first.device)
    # a 64-bit mix, so that neighbouring seeds and indices give unrelated streams
    generator.manual_seed((seed * 0x9E3779B97F4A7C15 + index * 0xBF58476D1CE4E5B9) % 2**63)
    names = sorted(params)
    sizes = [params[name].numel() for name in names]
    flat = torch.randn(sum(sizes), generator=generator, device=first.device)
    return {
        name: piece.view_as(params[name]).to(params[name].dtype)
        for name, piece in zip(names, flat.split(sizes), strict=True)
    }


def draw_stack(params: Params, seed: int, indices: Sequence[int]) -> dict[str, Tensor]:
    """Several directions, stacked along a new first dimension."""
    drawn = [draw(params, seed, index) for index in indices]
    return {name: torch.stack([direction[name] for direction in drawn]) for name in params}


def chunks(count: int, size: int) -> list[range]:
    """The indices 0 to count - 1 in runs of `size`; the last may be shorter."""
    return [range(start, min(start + size, count)) for start in range(0, count, size)]
