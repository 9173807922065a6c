"""Random directions that can be drawn again.

Direction i of a step follows from the step's seed and i alone, so nothing of the size of
the parameters is kept that can be regenerated (MeZO's trick), and every estimator given
the same seed looks along the same directions.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from annotated_types import Ge, Gt
from torch import Tensor

from gradcost.estimators.base import Params

# Numbers drawn at a time: a megabyte, which stays in a core's cache until it is used.
BLOCK = 2**18


@dataclass(frozen=True)
class Directions:
    """How directions v are drawn. All have mean zero (paper, F.3 and F.6).

    The estimate (v . grad f) v has the mean E[v v^T] grad f, which is `variance` times the
    gradient for every distribution as long as `normalise` is off. Another law, isotropic or
    not, is a subclass that overrides `draw`.

    Attributes:
        distribution: `normal`: N(0, variance I). `uniform`: on the cube of that variance.
            `rademacher`: the cube's corners, +-sqrt(variance). `sphere`: uniform on the
            sphere of radius sqrt(variance d). `low-rank`: each matrix is A B^T / sqrt(rank)
            for two thin normal ones, and its entries are uncorrelated (Chen et al., 2024,
            LOZO); tensors of other shapes are normal. At variance 1 the estimate's own
            variance, over |grad f|^2, is d + 1, d - 1/5, d - 1 and d - 1 for the first
            four, and greater for the last.
        variance: of each component.
        normalise: scale each direction to length 1, whatever its variance: the mean of the
            estimate is then grad f / d.
        rank: of the matrices of `low-rank`.
    """

    distribution: Literal["normal", "uniform", "rademacher", "sphere", "low-rank"] = "normal"
    variance: Annotated[float, Gt(0)] = 1.0
    normalise: bool = False
    rank: Annotated[int, Ge(1)] = 1

    def draw(self, params: Params, seed: int, index: int) -> dict[str, Tensor]:
        """Direction `index` of the step with `seed`, shaped like `params`.

        Drawn in float32 on the parameters' device, in the order of their names, and then
        cast: neither precision nor the grouping of tensors changes it.
        """
        if self.distribution == "low-rank":
            drawn = self._low_rank(params, seed, index)
        else:
            drawn = {
                name: torch.empty(value.shape, dtype=value.dtype, device=value.device)
                for name, value in params.items()
            }
            for name, part, numbers in self.pieces(params, seed, index):
                drawn[name].view(-1)[part] = numbers.to(drawn[name].dtype)
        if self.normalise or self.distribution == "sphere":
            size = sum(value.numel() for value in drawn.values())
            scale = self.radius(size) / length(drawn)
            for value in drawn.values():
                value *= scale
        return drawn

    def radius(self, size: int) -> float:
        """The root mean square length of a direction in `size` dimensions."""
        return 1.0 if self.normalise else math.sqrt(self.variance * size)

    def pieces(self, params: Params, seed: int, index: int) -> Iterator[tuple[str, slice, Tensor]]:
        """The same numbers piece by piece, so that no whole direction need be in memory.

        Yields:
            A parameter's name, a slice of it flattened, and the numbers that belong there,
            whose memory the next ones take.

        Raises:
            ValueError: for directions that are known only as a whole.
        """
        if self.distribution == "low-rank":
            raise ValueError("low-rank directions cannot be drawn piece by piece")
        first = next(iter(params.values()))
        rng = generator(first.device, seed, index)
        left = sum(value.numel() for value in params.values())
        buffer = torch.empty(min(BLOCK, left), device=first.device)
        block, used = buffer[:0], 0
        for name in sorted(params):
            start, size = 0, params[name].numel()
            while start < size:
                if used == len(block):
                    block, used = buffer[: min(BLOCK, left)], 0
                    self._fill(block, rng)
                    left -= len(block)
                count = min(size - start, len(block) - used)
                yield name, slice(start, start + count), block[used : used + count]
                start, used = start + count, used + count

    def _fill(self, block: Tensor, rng: torch.Generator | None) -> None:
        scale = math.sqrt(self.variance)
        if self.distribution == "uniform":
            block.uniform_(-math.sqrt(3) * scale, math.sqrt(3) * scale, generator=rng)
        elif self.distribution == "rademacher":
            block.random_(2, generator=rng).mul_(2 * scale).sub_(scale)
        else:
            block.normal_(0, scale, generator=rng)

    def _low_rank(self, params: Params, seed: int, index: int) -> dict[str, Tensor]:
        first = next(iter(params.values()))
        rng = generator(first.device, seed, index)
        scale = math.sqrt(self.variance)

        def normal(*shape: int) -> Tensor:
            return torch.randn(*shape, generator=rng, device=first.device)

        drawn = {}
        for name in sorted(params):
            shape, dtype = params[name].shape, params[name].dtype
            if len(shape) == 2:
                left, right = normal(shape[0], self.rank), normal(shape[1], self.rank)
                drawn[name] = (left @ right.T * (scale / math.sqrt(self.rank))).to(dtype)
            else:
                drawn[name] = (normal(*shape) * scale).to(dtype)
        return drawn


NORMAL = Directions()


def generator(device: torch.device, seed: int, index: int) -> torch.Generator | None:
    """The generator of direction `index` of the step with `seed`."""
    if device.type == "meta":  # there are no numbers
        return None
    # a 64-bit mix, so that neighbouring seeds and indices give unrelated streams
    mixed = (seed * 0x9E3779B97F4A7C15 + index * 0xBF58476D1CE4E5B9) % 2**63
    return torch.Generator(device).manual_seed(mixed)


def stack(directions: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Directions stacked along a new first dimension."""
    if len(directions) == 1:
        return {name: value.unsqueeze(0) for name, value in directions[0].items()}
    return {name: torch.stack([v[name] for v in directions]) for name in directions[0]}


def length(vector: Params) -> Tensor:
    """The Euclidean norm of all tensors together."""
    norms = [torch.linalg.vector_norm(value.float()) for value in vector.values()]
    total: Tensor = torch.linalg.vector_norm(torch.stack(norms))
    return total


def chunks(count: int, size: int) -> list[range]:
    """The indices 0 to count - 1 in runs of `size`; the last may be shorter."""
    return [range(start, min(start + size, count)) for start in range(0, count, size)]
