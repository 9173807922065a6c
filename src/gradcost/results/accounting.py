"""Sheets of prices -> one tidy table: what a step takes of FLOPs and memory, and how it grows.

A sheet is the JSON file that `gradcost price` writes: the steps of several methods on one
architecture, counted on tensors without numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
from pydantic import BaseModel, Field, ValidationError, model_validator

from gradcost.results.tidy import PUBLISHED, Row
from gradcost.study.runs import with_directions

GB = 1e9
TERA = 1e12
# the sheets that tables and figures read: the paper's models in full, and one thing varied
MODELS = ("llama-3.1-8b", "opt-13b")
DEPTH, DIRECTIONS, RANK = "depth", "directions", "rank"
WIDE, DEEP = "wide", "deep"  # of the first model's size, in few layers and in many
PAPER_MODEL = MODELS[0]  # of its Tables 4 and 12
_Count = Annotated[int, Field(ge=0)]
_Positive = Annotated[int, Field(gt=0)]


class Peak(BaseModel):
    """Bytes by category at the moment when most are alive. `host` is in the host's memory."""

    frozen_weights: _Count
    trainable_parameters: _Count
    activations: _Count
    gradients: _Count
    states: _Count
    directions: _Count
    workspace: _Count
    host: _Count = 0


CATEGORIES = tuple(Peak.model_fields)
ON_DEVICE = tuple(name for name in CATEGORIES if name != "host")


class PricedStep(BaseModel):
    """A step of a method. Fields that are not listed are let through and not read."""

    method: str
    label: str
    family: Annotated[str, Field(pattern="^(bp|fmad|zo)$")]
    published: bool
    layers: _Positive
    rank: _Count
    directions: _Positive
    at_once: _Positive
    trainable_parameters: _Positive
    forward_flops: _Positive
    step_flops: _Positive
    closed_form_flops: _Positive | None = None
    model_bytes: _Positive
    peak_bytes: _Positive
    peak: Peak
    largest_batch: dict[str, _Count] = {}

    @model_validator(mode="after")
    def _adds_up(self) -> PricedStep:
        total = sum(getattr(self.peak, name) for name in ON_DEVICE)
        if total != self.peak_bytes:
            raise ValueError(f"peak: its categories add up to {total}, not to {self.peak_bytes}")
        return self


class Sheet(BaseModel):
    """What all steps of a sheet have in common, and the steps."""

    sheet: str
    title: str
    architecture: str
    label: str
    batch: _Positive
    length: _Positive
    classes: _Positive
    dtype: str
    quantisation: str | None
    parameters: _Positive
    rows: Annotated[list[PricedStep], Field(min_length=1)]


@dataclass(frozen=True)
class Growth:
    """How a quantity grows with another.

    Attributes:
        exponent: slope of the one's logarithm against the other's, by least squares.
        law: of `LAWS`, the one that `a + b law(x)` comes nearest with, or `constant` for a
            small exponent; None for fewer than three values, which any law would pass.
        each: what one more of x adds, on average from the first to the last.
    """

    exponent: float
    law: str | None
    each: float


_Numbers = np.ndarray[Any, np.dtype[np.float64]]
# from slow to fast
LAWS: dict[str, Callable[[_Numbers], _Numbers]] = {
    "constant": np.ones_like,
    "square root": np.sqrt,
    "linear": lambda x: x,
    "linear times logarithm": lambda x: x * np.log(x),
}
CONSTANT = 0.05  # up to this exponent nothing is said to grow: a doubling for a million times x


def growth(x: Sequence[float], y: Sequence[float]) -> Growth | None:
    """How y grows with x; None where there are fewer than two values of x, or y is not positive."""
    at, of = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    different = len(np.unique(at))
    if different < 2 or not ((at > 0).all() and (of > 0).all()):
        return None
    exponent = float(np.polyfit(np.log(at), np.log(of), 1)[0])
    last, first = at.argmax(), at.argmin()
    each = float((of[last] - of[first]) / (at[last] - at[first]))
    if abs(exponent) < CONSTANT:
        return Growth(exponent, "constant", each)
    if different < 3:
        return Growth(exponent, None, each)
    return Growth(exponent, min([*LAWS][1:], key=lambda law: _misfit(at, of, law)), each)


def _misfit(x: _Numbers, y: _Numbers, law: str) -> float:
    """Sum of squares that is left of y, each relative to its own value, by a + b law(x)."""
    design = np.stack([np.ones_like(x), LAWS[law](x)], axis=1) / y[:, None]
    scale = np.abs(design).max(axis=0)
    found = np.linalg.lstsq(design / scale, np.ones_like(y), rcond=None)[0]
    return float(((design / scale @ found - 1) ** 2).sum())


@dataclass(frozen=True)
class Accounting:
    """All sheets: a row for each step that was priced.

    `rows` has, of each step, the fields of `PricedStep`, `sheet`, and
        peak_CATEGORY: bytes at the peak, by category.
        largest_batch_GB: inputs that fit into a card of so many GB.
        forward_equivalents: FLOPs of the step in forward passes.
        above_weights: bytes at the peak beside the model's own.
        name: the label, with how many directions are evaluated in turn or together.
    """

    rows: pd.DataFrame
    facts: Mapping[str, Sheet]

    @classmethod
    def load(cls, paths: Sequence[Path]) -> Accounting:
        """Read and check sheets.

        Raises:
            ValueError: for a file that is not a sheet, naming the file and its faulty fields,
                and for two sheets of one name.
        """
        sheets = [_read(path) for path in paths]
        names = [sheet.sheet for sheet in sheets]
        for index, (path, name) in enumerate(zip(paths, names, strict=True)):
            if name in names[:index]:
                raise ValueError(f"{path}: there is another sheet called {name}")
        return cls.of(sheets)

    @classmethod
    def of(cls, sheets: Sequence[Sheet]) -> Accounting:
        """Sheets of different names as one table."""
        steps = [_flat(sheet, step) for sheet in sheets for step in sheet.rows]
        rows = pd.DataFrame(steps, columns=None if steps else list(_COLUMNS))
        return cls(rows.astype({"published": bool}), {sheet.sheet: sheet for sheet in sheets})

    def sheet(self, name: str) -> Sheet | None:
        """The facts of a sheet; None if there is none of that name."""
        return self.facts.get(name)

    def steps(self, sheet: str, method: str | None = None) -> pd.DataFrame:
        """The rows of a sheet, of all methods or of one."""
        found = self.rows[self.rows["sheet"] == sheet]
        return found if method is None else found[found["method"] == method]

    def step(self, sheet: str, method: str, *, together: bool = False) -> pd.Series[Any] | None:
        """The row of a method, with its directions in turn or together; None if there is none."""
        found = self.steps(sheet, method)
        found = found[found["at_once"] == (found["directions"] if together else 1)]
        return None if found.empty else found.iloc[0]

    def as_published(self, sheet: str, method: str) -> pd.Series[Any] | None:
        """The row of a method as the paper's public code runs it; None if there is none.

        A ZO method without a row of its own costs as published what it costs as described: two
        passes for each direction, in turn.
        """
        found = self.step(sheet, method + PUBLISHED)
        if found is None and method.startswith("zo-"):
            return self.step(sheet, method)
        return found

    def cheapest(self, sheet: str, method: str) -> pd.Series[Any] | None:
        """The row of a method with the fewest FLOPs, its directions in turn or together."""
        found = self.steps(sheet, method)
        return None if found.empty else found.sort_values("step_flops").iloc[0]

    def series(
        self, sheet: str, method: str, against: str, *, together: bool = False
    ) -> pd.DataFrame:
        """The rows of a method by `against`: `layers`, `directions` or `trainable_parameters`."""
        found = self.steps(sheet, method)
        found = found[found["at_once"] == (found["directions"] if together else 1)]
        return found.sort_values(against).drop_duplicates(against)

    def growth(
        self, sheet: str, method: str, against: str, of: str, *, together: bool = False
    ) -> Growth | None:
        """How a column of a method's rows grows with another; None where that is not known."""
        found = self.series(sheet, method, against, together=together)
        return growth(list(found[against]), list(found[of]))


def row(step: pd.Series[Any]) -> Row:
    """A step's method as figures and tables know it."""
    return Row(step["method"], "default", step["name"], step["family"])


def front(steps: pd.DataFrame) -> pd.DataFrame:
    """Of these steps those than which no other takes both less memory and fewer FLOPs."""
    ordered = steps.sort_values(["peak_bytes", "step_flops"])
    best = ordered["step_flops"].cummin()
    return ordered[(ordered["step_flops"] == best) & (best != best.shift())]


def _read(path: Path) -> Sheet:
    try:
        return Sheet.model_validate_json(path.read_bytes())
    except ValidationError as error:
        faults = "; ".join(
            ".".join(map(str, fault["loc"])) + f": {fault['msg']}" for fault in error.errors()
        )
        raise ValueError(f"{path} is not a sheet of prices: {faults}") from None
    except OSError as error:
        raise ValueError(f"{path} is not a sheet of prices: {error.strerror}") from None


def _flat(sheet: Sheet, step: PricedStep) -> dict[str, Any]:
    facts = step.model_dump(exclude={"peak", "largest_batch", "closed_form_flops"})
    return {
        "sheet": sheet.sheet,
        **facts,
        "closed_form_flops": float("nan")
        if step.closed_form_flops is None
        else float(step.closed_form_flops),
        **{f"peak_{name}": getattr(step.peak, name) for name in CATEGORIES},
        **{f"largest_batch_{card}": batch for card, batch in step.largest_batch.items()},
        "forward_equivalents": step.step_flops / step.forward_flops,
        "above_weights": step.peak_bytes - step.model_bytes,
        "name": with_directions(step.label, step.directions, step.at_once),
    }


_COLUMNS = (
    "sheet",
    *(name for name in PricedStep.model_fields if name not in ("peak", "largest_batch")),
    *(f"peak_{name}" for name in CATEGORIES),
    "forward_equivalents", "above_weights", "name",
)  # fmt: skip
