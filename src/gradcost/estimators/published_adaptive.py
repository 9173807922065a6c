"""-ADAPTIVE as the paper's public code runs it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from gradcost.estimators.adaptive import Adaptive


@dataclass(frozen=True)
class PublishedAdaptive(Adaptive):
    """As published: calibration keeps the direction of least slope, and nothing follows it.

    The rolling average is never called: every direction after the first step is a plain
    draw. (The public code also calibrates each pair of adapters by itself, with all others
    unperturbed; here, as in the text, one direction is chosen for all.)
    """

    def choose(self, projections: Tensor) -> int:
        """The index of the smallest |v . grad f|."""
        return int(projections.abs().argmin())

    def mix(self, history: dict[str, Tensor], drawn: dict[str, Tensor]) -> dict[str, Tensor]:
        """The plain draw."""
        return drawn
