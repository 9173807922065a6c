"""Updates along the sign against other zeroth-order methods, after the paper's Table 12.

The paper's computation and time are those until a run's own plateau, on LLaMA 3.1 (8B); its
memory is that of the whole process, ours what a step takes above the weights. The paper gives
computation as FLOPs; its Table 4 has the same numbers as TFLOPs, which they must be.
"""

from __future__ import annotations

from gradcost.results import paper
from gradcost.results.tidy import Column, Row, Tidy
from gradcost.tables import grid, latex, references, said


def render(data: Tidy) -> str:
    """Accuracy, memory, and computation and time until the own plateau."""
    plateau = grid.to_plateau(data)

    def computation(data: Tidy, column: Column, row: Row) -> str:
        return grid.computation(data, column, row, plateau(column, row))

    entries = [
        *grid.ACCURACY,
        grid.minus("ZO-Vanilla", references.vanilla),
        grid.MEMORY,
        grid.Entry("FLOPs", computation, "to plateau"),
        grid.spent("s", plateau, grid.seconds, "to plateau"),
        grid.paper(lambda row: paper.number("12", row.method, "accuracy"), "acc.", over="paper"),
        grid.paper(paper_memory, "memory", lambda value: latex.scaled(value, "B"), "paper"),
        grid.paper(paper_flops, "FLOPs", lambda value: latex.scaled(value, ""), "paper"),
        grid.paper(
            lambda row: paper.number("12", row.method, "convergence-time"),
            "s",
            latex.count,
            "paper",
        ),
    ]
    return grid.table(data, entries)


def say(data: Tidy) -> str:
    """SignZO and the others against ZO-Vanilla, in accuracy and in time to the plateau."""
    rows = [row for row in data.trained if row.family == "zo"]
    return said.joined(
        said.differences(data, references.vanilla, rows),
        said.durations(data, references.vanilla, rows),
    )


def paper_memory(row: Row) -> float | None:
    """Table 12, in bytes."""
    gigabytes = paper.memory(row.method)
    return None if gigabytes is None else 1e9 * gigabytes


def paper_flops(row: Row) -> float | None:
    """Table 12, read as TFLOPs."""
    tera = paper.number("12", row.method, "computation")
    return None if tera is None else 1e12 * tera
