"""The paper's numbers as claims quote them; what it does not have is an error, and no dash."""

from __future__ import annotations

from gradcost.results import paper


def cell(table: str, row: str, column: str) -> float:
    """A number of the paper.

    Raises:
        KeyError: if it has none under that name.
    """
    found = paper.number(table, row, column)
    if found is None:
        raise KeyError(f"the paper has no number {table}/{row}/{column}")
    return found


def ends(table: str, row: str, column: str) -> tuple[float, float]:
    """A range of the paper."""
    return cell(table, row, f"{column}-least"), cell(table, row, f"{column}-most")


def say(table: str, row: str, column: str) -> str:
    """A number of the paper as it stands in a sentence, without its sign."""
    return f"{abs(cell(table, row, column)):g}"


def span(table: str, row: str, column: str) -> str:
    """A range of the paper as it stands in a sentence."""
    least, most = ends(table, row, column)
    return f"{least:g} to {most:g}"


def longer(percent: float) -> float:
    """How many times as long the others take, if this one is so many percent faster."""
    return 1 / (1 - percent / 100)
