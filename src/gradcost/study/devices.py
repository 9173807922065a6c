"""Graphics cards by name: their memory, and their rate of products by their makers' data sheets."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path

from gradcost.study.files import read_json
from gradcost.study.nearest import nearest

_FILE = Path(__file__).with_name("devices.json")
_BYTES = {"MB": 1e6, "GB": 1e9, "TB": 1e12, "MiB": 2.0**20, "GiB": 2.0**30, "TiB": 2.0**40}
_RATES = {"GFLOPS": 1e9, "TFLOPS": 1e12, "PFLOPS": 1e15}


class UnknownDevice(ValueError):
    """There is no such card, it lacks what is asked of it, or a quantity makes no sense."""


@dataclass(frozen=True)
class Device:
    """A graphics card.

    Attributes:
        name: in lower case.
        label: the maker's name.
        memory: bytes, as the driver reports them.
        rates: FLOP/s of dense products at the most, by type, sums in float32.
        source: of the rates.
    """

    name: str
    label: str
    memory: float
    rates: dict[str, float]
    source: str

    def rate(self, dtype: str) -> float:
        """FLOP/s of products of numbers of this type at the most.

        Raises:
            UnknownDevice: if the card has no such products.
        """
        if dtype not in self.rates:
            raise UnknownDevice(
                f"the {self.label} has no products of {dtype}; it has those of "
                f"{', '.join(self.rates)}"
            )
        return self.rates[dtype]


def all_devices() -> list[Device]:
    """The cards that the project knows."""
    return [
        Device(
            name=entry["name"],
            label=entry["label"],
            memory=entry["memory_mib"] * 2.0**20,
            rates={dtype: rate * 1e12 for dtype, rate in entry["tflops"].items()},
            source=entry["source"],
        )
        for entry in read_json(_FILE)
    ]


def load(name: str) -> Device:
    """A card by its name.

    Raises:
        UnknownDevice: if there is none of that name.
    """
    known = {device.name: device for device in all_devices()}
    wanted = name.lower().replace(" ", "-").replace("_", "-")
    if wanted in known:
        return known[wanted]
    raise UnknownDevice(f"no card {name!r}; {nearest(wanted, known)}Known: {', '.join(known)}")


def memory(text: str) -> float:
    """Bytes: `24GB` is 24e9 of them, `24GiB` is 24 x 2^30.

    Raises:
        UnknownDevice: if this is no amount of memory above zero.
    """
    return _quantity(text, _BYTES, "an amount of memory", "24GB or 24GiB")


def rate(text: str) -> float:
    """FLOP/s: `90TFLOPS` is 90e12 of them.

    Raises:
        UnknownDevice: if this is no rate above zero.
    """
    return _quantity(text, _RATES, "a rate of computation", "90TFLOPS")


def _quantity(text: str, units: dict[str, float], what: str, example: str) -> float:
    found = re.fullmatch(r"\s*([-+0-9.eE]+)\s*([A-Za-z]*)\s*", text)
    by_case = {unit.lower(): size for unit, size in units.items()}
    try:
        number = float(found[1]) if found else math.nan
    except ValueError:
        number = math.nan
    if found is None or math.isnan(number) or found[2].lower() not in by_case:
        raise UnknownDevice(
            f"{text!r} is not {what}: write a number and one of {', '.join(units)}, as in {example}"
        )
    if not 0 < number < math.inf:
        raise UnknownDevice(f"{text!r} is not {what}: it must be above zero")
    return number * by_case[found[2].lower()]
