"""What claims.json holds: every claim, and what was found."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

Verdict = Literal["supported", "contradicted", "inconclusive", "not tested"]
Kind = Literal["accuracy", "convergence", "memory", "computation", "stability", "theory"]
Bound = Literal["", "at least", "at most"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
KINDS: tuple[Kind, ...] = get_args(Kind)
CLAIMS = "claims.json"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Finding(_Part):
    """The verdict on a claim, and the number that decides it."""

    verdict: Verdict
    size: Verdict | None = Field(
        None, description="On the number that the paper gives; null where it gives none"
    )
    value: float | None = None
    low: float | None = Field(None, description="Of the 95 % interval; equal to `high` for a count")
    high: float | None = None
    bound: Bound = Field("", description="What the value is, where runs never arrive")
    unit: str = ""
    n: int | None = Field(None, description="How many `of`; null for a count")
    of: str = Field("seeds", description="What `n` counts")
    scale: str = Field(description="Of the study, or `counted` on the models of the paper")
    said: str = Field(min_length=1, description="What was compared, or why nothing was")
    formula: str = Field("", description="The quantity, where it is one of the theory; LaTeX")
    correction: str = Field("", description="What should stand in place of a statement; LaTeX")
    differs: str = Field("", description="What differs from the set-up of the paper")

    @model_validator(mode="after")
    def _says_what_decides(self) -> Finding:
        if self.verdict in ("supported", "contradicted") and self.value is None:
            raise ValueError(f"{self.verdict}, and by no number")
        if (self.low is None) != (self.high is None):
            raise ValueError("an interval has two ends")
        return self


class Entry(_Part):
    """A claim with its finding."""

    id: str
    source: str
    kind: Kind
    statement: str
    headline: bool = Field(description="Of the abstract or the contributions")
    finding: Finding


class Ledger(_Part):
    """All claims."""

    scale: str
    claims: list[Entry]

    @classmethod
    def load(cls, path: Path) -> Ledger:
        """Read a ledger.

        Raises:
            ValueError: for a file that is none, naming it and its faulty fields.
        """
        try:
            return cls.model_validate_json(path.read_bytes())
        except ValidationError as error:
            faults = "; ".join(
                ".".join(map(str, fault["loc"])) + f": {fault['msg']}" for fault in error.errors()
            )
            raise ValueError(f"{path} is not a ledger of claims: {faults}") from None

    def count(self, verdict: Verdict, kind: Kind | None = None) -> int:
        """How many claims, of a kind or of all, have this verdict."""
        return sum(
            entry.finding.verdict == verdict and kind in (None, entry.kind) for entry in self.claims
        )
