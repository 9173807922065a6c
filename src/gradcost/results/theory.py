"""What was verified of the paper's section 3 and appendix I: checks, and series to draw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError, model_validator

FILE = "theory.json"
Verdict = Literal["as printed", "with a correction", "not"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Check(_Strict):
    """One quantity as the paper has it, as it should be, and as it was measured.

    `holds` is the verdict on the statement, `explained` whether the measurement is what the
    right statement predicts. With `bound`, values are the most that the quantity may be.
    """

    id: str
    source: str
    statement: str
    holds: Verdict
    explained: bool
    correction: str | None
    quantity: str
    bound: bool
    printed: FiniteFloat | None
    predicted: FiniteFloat
    measured: FiniteFloat
    low: FiniteFloat | None
    high: FiniteFloat | None
    n: Annotated[int, Field(gt=1)] | None
    parameters: dict[str, int | float | str]

    @model_validator(mode="after")
    def _in_order(self) -> Check:
        if (self.low is None) != (self.high is None):
            raise ValueError("an interval has two ends")
        if self.low is not None and self.high is not None:
            if not self.low <= self.measured <= self.high:
                raise ValueError("the measurement is not within its interval")
            if self.n is None:
                raise ValueError("an interval is of a number of draws")
        return self

    @property
    def covered(self) -> bool | None:
        """Whether the interval holds what is predicted; None without one, and for a bound."""
        if self.low is None or self.high is None or self.bound:
            return None
        return self.low <= self.predicted <= self.high


class Point(_Strict):
    """A measured point; its interval where there is one."""

    x: FiniteFloat
    y: FiniteFloat
    low: FiniteFloat | None
    high: FiniteFloat | None


class Place(_Strict):
    """A point of a line that is predicted."""

    x: FiniteFloat
    y: FiniteFloat


class Series(_Strict):
    """Measured points and the line that they should lie on; either may be missing."""

    id: str
    points: list[Point]
    line: list[Place]


class Results(_Strict):
    """The file that `gradcost theory` writes."""

    confidence: Annotated[float, Field(gt=0, lt=1)]
    checks: list[Check]
    series: list[Series]


@dataclass(frozen=True)
class Theory:
    """Checks and series by name."""

    results: Results

    @classmethod
    def load(cls, path: Path) -> Theory:
        """Read and check a file of results.

        Raises:
            ValueError: naming the file and what is wrong with it.
        """
        try:
            return cls(Results.model_validate_json(path.read_text()))
        except ValidationError as error:
            faults = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
            raise ValueError(f"{path} is not a file of checks: {'; '.join(faults)}") from None

    @property
    def checks(self) -> list[Check]:
        """All checks."""
        return self.results.checks

    def check(self, name: str) -> Check | None:
        """The check of that name; None if there is none."""
        return next((check for check in self.checks if check.id == name), None)

    def below(self, *prefixes: str) -> list[Check]:
        """The checks whose names begin with one of `prefixes`."""
        return [check for check in self.checks if check.id.startswith(prefixes)]

    def series(self, prefix: str) -> dict[str, Series]:
        """The series below `prefix`, by the rest of their names."""
        start = f"{prefix}/"
        found = [one for one in self.results.series if one.id.startswith(start)]
        return {one.id.removeprefix(start): one for one in found}


def statements(checks: Sequence[Check]) -> dict[tuple[str, str], list[Check]]:
    """Checks by what they are of: a statement of the paper and its source."""
    found: dict[tuple[str, str], list[Check]] = {}
    for check in checks:
        found.setdefault((check.source, check.statement), []).append(check)
    return found


def verdict(checks: Sequence[Check]) -> Verdict:
    """The verdict on a statement: the worst of those of its checks."""
    order: tuple[Verdict, ...] = ("not", "with a correction", "as printed")
    return min((check.holds for check in checks), key=order.index)
