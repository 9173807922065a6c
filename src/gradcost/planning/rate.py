"""How many FLOPs a device does in a second: by its data sheet, by a product, or by a run."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from gradcost.study import devices, record


@dataclass(frozen=True)
class Rate:
    """Attributes: flops: FLOP/s; of: where the number is from, in words."""

    flops: float
    of: str


def of_card(device: devices.Device, dtype: str) -> Rate:
    """The most that a card can do; real steps reach a part of it.

    Raises:
        gradcost.study.devices.UnknownDevice: if the card has no products of this type.
    """
    return Rate(device.rate(dtype), f"peak of the {device.label} ({device.source})")


def of_record(path: Path) -> Rate:
    """What a run reached: FLOPs of its steps over the time that they took.

    Raises:
        gradcost.study.record.BadRecord: if this is no record, or no step was taken in it.
    """
    found, _ = record.read(path.parent if path.name == record.RECORD else path)
    flops = found.steps * found.cost.step_flops if found.cost else 0
    if not flops or not found.timings.training_seconds:
        raise record.BadRecord(f"{path}: the run took no step, so it says nothing of a rate")
    run = found.run
    return Rate(
        flops / found.timings.training_seconds,
        f"reached by {run.method} on {run.task}, {found.machine.device}",
    )


def measured(dtype: str, repeats: int = 5) -> Rate:
    """What this machine's device reaches in a large product of matrices, at its best of some."""
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    size = 8192 if device == "cuda" else 1024
    left = torch.randn(size, size, device=device).to(getattr(torch, dtype))
    best = float("inf")
    for _ in range(repeats + 1):  # the first warms up, and is no faster than others
        started = time.perf_counter()
        left @ left
        if device == "cuda":
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - started)
    name = torch.cuda.get_device_name() if device == "cuda" else "the CPU"
    return Rate(2 * size**3 / best, f"measured in a {dtype} product of {size} x {size} on {name}")
