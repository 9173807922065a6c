"""A wide and shallow model against a deep and narrow one, an open question of Appendix D.

Checkpointing keeps one boundary a layer: the paper expects it to save less where layers are few
and wide, and does not test it. The models have equally many parameters.
"""

from __future__ import annotations

from gradcost.results import compare
from gradcost.results.tidy import Column, Row, Tidy
from gradcost.tables import grid, latex, references, said


def render(data: Tidy) -> str:
    """Accuracy, and memory and FLOPs of a step, also as multiples of backpropagation's."""
    entries = [
        *grid.ACCURACY,
        grid.minus("BP", references.bp),
        grid.MEMORY,
        grid.Entry("of BP", _share("activation_bytes"), "step"),
        grid.FLOPS,
        grid.Entry("of BP", _share("step_flops"), "step"),
        grid.TIME,
        grid.cost("total", "total_parameters", grid.plain, "parameters"),
        grid.cost("trained", "trainable_parameters", grid.plain, "parameters"),
    ]
    return grid.table(data, entries)


def say(data: Tidy) -> str:
    """What each method takes of the memory of backpropagation on each model, and its accuracy."""
    rows = [row for row in data.trained if references.bp(data, row) is not None]
    memory = said.each(data, lambda column: _memory(data, column, rows))
    gaps = [row for row in rows if row.family != "bp"]
    return said.joined(memory, said.differences(data, references.bp, gaps))


def _memory(data: Tidy, column: Column, rows: list[Row]) -> str:
    found = [
        f"{latex.escape(row.label)} takes {share}"
        for row in rows
        if (share := _share("activation_bytes")(data, column, row)) != latex.DASH
    ]
    return (
        f"{latex.listing(found)} times the memory of backpropagation above the weights."
        if found
        else ""
    )


def _share(key: str) -> grid.Cell:
    def cell(data: Tidy, column: Column, row: Row) -> str:
        other = references.bp(data, row)
        if other is None:
            return latex.DASH
        costs = [float(compare.cost(data, column, one)[key]) for one in (row, other)]
        return latex.significant(costs[0] / costs[1] if costs[1] else None, 2)

    return cell
