"""The answer to "which method fits on my card, and what does it cost me?"."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rich import box
from rich.table import Table

from gradcost.planning import sheet
from gradcost.planning.rate import Rate
from gradcost.planning.units import BYTES, COUNTS, FLOPS, shown, unit
from gradcost.study.runs import with_directions

GB = 1e9
# columns of the table: title, and the categories of `record.Memory` in it
BREAKDOWN = {
    "weights": ("frozen_weights",),
    "trained": ("trainable_parameters", "gradients", "states"),
    "activations": ("activations",),
    "tangents": ("directions",),
    "workspace": ("workspace",),
}


@dataclass(frozen=True)
class Card:
    """Attributes: memory: bytes; reserved: of these, what is not for tensors."""

    memory: float
    reserved: float

    def __post_init__(self) -> None:
        if self.free <= 0:
            raise ValueError(
                f"a card of {self.memory / GB:.3g} GB of which {self.reserved / GB:.3g} GB are "
                "reserved leaves nothing for a model"
            )

    @property
    def free(self) -> float:
        """Bytes for tensors."""
        return self.memory - self.reserved


def answer(
    spec: dict[str, Any],
    card: Card | None,
    rate: Rate | None,
    processes: int,
    tell: Callable[[str], None],
) -> dict[str, Any]:
    """A sheet whose rows also say whether they fit, and how long a step takes.

    Args:
        spec: `gradcost.study.runs.sheet_spec`.
        card: what the steps are to fit on.
        rate: of the device that computes them.
        processes: how many rows are priced at the same time.
        tell: of each row that is done.

    Returns:
        `sheet.make`'s sheet. Each row has `name` and `flops_per_example`; `fits` and
        `largest_batch_that_fits`, null without a card; `seconds_per_step`, null without a rate.
    """
    cards = {"card": card.free} if card else {}
    found = sheet.make(spec, processes, tell, cards)
    for row in found["rows"]:
        row["name"] = with_directions(row["label"], row["directions"], row["at_once"])
        row["flops_per_example"] = row["step_flops"] / found["batch"]
        row["fits"] = row["peak_bytes"] <= card.free if card else None
        row["largest_batch_that_fits"] = row.pop("largest_batch").get("card")
        row["seconds_per_step"] = row["step_flops"] / rate.flops if rate else None
    return found | {
        "memory_bytes": card.memory if card else None,
        "reserved_bytes": card.reserved if card else None,
        "flops_per_second": rate.flops if rate else None,
        "rate_of": rate.of if rate else None,
    }


def table(found: dict[str, Any]) -> Table:
    """The answer for a terminal, a row a method."""
    rows = found["rows"]
    on_host = any(row["peak"]["host"] for row in rows)
    fitting, timed = found["memory_bytes"] is not None, found["flops_per_second"] is not None
    gb, byte = unit([row["peak_bytes"] / 10 for row in rows], BYTES)
    tflop, flop = unit([row["flops_per_example"] for row in rows], FLOPS)
    made = Table(
        title=_title(found), caption=_caption(found, gb), box=box.SIMPLE_HEAD, title_justify="left",
        caption_justify="left", pad_edge=False,
    )  # fmt: skip
    made.add_column("method", no_wrap=True)
    heads = [f"peak {gb}", *BREAKDOWN]
    heads += ["on host"] if on_host else []
    heads += ["fits", "largest batch"] if fitting else []
    heads += [f"{tflop} a step", "an example"]
    heads += ["seconds a step"] if timed else []
    for head in heads:
        made.add_column(head, justify="right")
    for row in rows:
        parts = [sum(row["peak"][name] for name in names) for names in BREAKDOWN.values()]
        cells = [f"{size / byte:.2f}" for size in (row["peak_bytes"], *parts)]
        cells += [f"{row['peak']['host'] / byte:.2f}"] if on_host else []
        cells += (
            ["yes" if row["fits"] else "no", f"{row['largest_batch_that_fits']:,}"]
            if fitting
            else []
        )
        cells += [f"{row[key] / flop:.4g}" for key in ("step_flops", "flops_per_example")]
        cells += [f"{row['seconds_per_step']:.3g}"] if timed else []
        made.add_row(row["name"], *cells, style=None if row["fits"] is not False else "dim")
    return made


def as_csv(found: dict[str, Any]) -> str:
    """The answer as CSV, a row a method; bytes, FLOPs and seconds."""
    text = io.StringIO()
    rows = [
        {key: value for key, value in row.items() if key != "peak"}
        | {f"peak_{name}": size for name, size in row["peak"].items()}
        for row in found["rows"]
    ]
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _title(found: dict[str, Any]) -> str:
    trained = "all parameters" if found["trainable"] == "all" else f"LoRA on {_list(found)}"
    bits = f"{found['quantisation'].upper()}, " if found["quantisation"] else ""
    image = f" and an image of {found['image_size']} pixels a side" if found["image_size"] else ""
    return (
        f"{found['label']}, {shown(found['parameters'], COUNTS)} parameters, {bits}"
        f"{found['dtype']}\n{found['batch']} x {found['length']} tokens{image}, {trained}, "
        f"{found['optimizer']}"
    )


def _list(found: dict[str, Any]) -> str:
    return f"{', '.join(found['targets'])} of rank {found['ranks'][0]}"


def _caption(found: dict[str, Any], unit_of_memory: str) -> str:
    lines = [
        f"Memory in {unit_of_memory} (a GB is 1e9 bytes); `trained` is with gradients and the "
        "optimiser's states."
    ]
    if found["memory_bytes"] is not None:
        lines.append(
            f"The card has {found['memory_bytes'] / GB:.1f} GB, of which "
            f"{found['reserved_bytes'] / GB:.1f} GB are left to CUDA and its allocator (--reserve)."
        )
    if found["flops_per_second"] is not None:
        lines.append(f"{found['flops_per_second'] / 1e12:.4g} TFLOP/s: {found['rate_of']}.")
    return "\n".join(lines)
