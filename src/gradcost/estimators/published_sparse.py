"""-SPARSE as the paper's public code runs it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from gradcost.estimators.base import Params
from gradcost.estimators.sparse import Sparse, count


@dataclass(frozen=True)
class PublishedSparse(Sparse):
    """As published: the largest of each of the adapters' tensors, ties and all.

    The text has the method avoid adapters. Moreover an adapter's second matrix begins as
    zeros: all of it ties with the threshold and is chosen.
    """

    def masks(self, params: Params) -> dict[str, Tensor]:
        """For each tensor, all entries not smaller than its ceil(share d)-th largest."""

        def mask(value: Tensor) -> Tensor:
            size = value.abs().flatten()
            kept = count(self.share, len(size))
            return value.abs() >= size.kthvalue(len(size) - kept + 1).values

        return {name: mask(value) for name, value in params.items()}
