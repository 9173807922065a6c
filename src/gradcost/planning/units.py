"""In which units a table of numbers reads well."""

from __future__ import annotations

from collections.abc import Iterable

# from large to small
FLOPS = {"PFLOP": 1e15, "TFLOP": 1e12, "GFLOP": 1e9, "MFLOP": 1e6}
BYTES = {"GB": 1e9, "MB": 1e6, "kB": 1e3}
COUNTS = {"billion": 1e9, "million": 1e6, "thousand": 1e3}
HOURS = {"hours": 1.0, "minutes": 1 / 60, "seconds": 1 / 3600}


def unit(values: Iterable[float], units: dict[str, float]) -> tuple[str, float]:
    """The largest unit in which the largest of the values is above one, or the smallest."""
    largest = max(values, default=0)
    return next((one for one in units.items() if largest >= one[1]), [*units.items()][-1])


def shown(value: float, units: dict[str, float]) -> str:
    """A value in the unit that suits it."""
    name, size = unit([value], units)
    return f"{value / size:.4g} {name}"
