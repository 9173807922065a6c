"""A statement of the paper beside what was measured, and the verdict that follows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gradcost.theory.sampling import Measured

Parameters = Mapping[str, float | int | str]
"""Of an experiment, by name."""

STRICT = 4 / 1.96
"""A verdict turns at four standard errors: one measurement in 16,000 is further off by chance."""


@dataclass(frozen=True)
class Check:
    """One quantity three times: as the paper has it, as it should be, as it was measured.

    Attributes:
        id: its name.
        source: where the paper says it.
        statement: what it says, in our words.
        quantity: what was measured.
        printed: its value by the statement; None if the paper gives none, and `predicted` is
            what the statement amounts to.
        predicted: its value by the right statement.
        measured: what was found.
        parameters: of the experiment.
        correction: the right statement, where `printed` is not it.
        tolerance: how far from its value a measurement may be for reasons that are not
            chance, such as higher orders.
        bound: `printed` and `predicted` are the most that the quantity may be.
        repairable: whether the statement, once corrected, still says what it was made for.
    """

    id: str
    source: str
    statement: str
    quantity: str
    predicted: float
    measured: Measured
    printed: float | None = None
    parameters: Parameters = field(default_factory=dict)
    correction: str | None = None
    tolerance: float = 0.0
    bound: bool = False
    repairable: bool = True

    def agrees(self, value: float) -> bool:
        """Whether the measurement is what `value` says."""
        away = self.measured.value - value
        slack = self.tolerance + STRICT * self.measured.half_width
        return away <= slack if self.bound else abs(away) <= slack

    @property
    def holds(self) -> str:
        """The verdict. A measurement that no statement explains is a `not`, too."""
        if self.agrees(self.predicted if self.printed is None else self.printed):
            return "as printed"
        repaired = self.correction is not None and self.repairable
        return "with a correction" if repaired and self.agrees(self.predicted) else "not"

    def as_json(self) -> dict[str, Any]:
        """What the file of results has of it."""
        right = self.holds == "as printed"
        return {
            "id": self.id,
            "source": self.source,
            "statement": self.statement,
            "holds": self.holds,
            "explained": self.agrees(self.predicted),
            "correction": None if right else self.correction,
            "quantity": self.quantity,
            "bound": self.bound,
            "printed": self.printed,
            "predicted": self.predicted,
            "measured": self.measured.value,
            "low": self.measured.low,
            "high": self.measured.high,
            "n": self.measured.n,
            "parameters": dict(self.parameters),
        }


@dataclass(frozen=True)
class Series:
    """What a figure draws: measured points, and the line that they should lie on.

    Attributes:
        id: its name.
        x: of the points.
        y: the points.
        line: what is predicted, as (x, y).
    """

    id: str
    x: Sequence[float]
    y: Sequence[Measured | float]
    line: Sequence[tuple[float, float]] = ()

    def as_json(self) -> dict[str, Any]:
        """What the file of results has of it."""
        points = [one if isinstance(one, Measured) else Measured(one) for one in self.y]
        return {
            "id": self.id,
            "points": [
                {"x": x, "y": one.value, "low": one.low, "high": one.high}
                for x, one in zip(self.x, points, strict=True)
            ],
            "line": [{"x": x, "y": y} for x, y in self.line],
        }


@dataclass(frozen=True)
class Group:
    """Checks that share their measurements, and the series to draw of them."""

    checks: Sequence[Check]
    series: Sequence[Series] = ()
