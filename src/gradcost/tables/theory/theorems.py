"""Theorems I.7 to I.9 and Corollary I.10: printed, right and measured values."""

from __future__ import annotations

from gradcost.results.theory import Theory
from gradcost.tables.theory.cells import measurements

PREFIXES = ("theorem-i7", "theorem-i8", "theorem-i9", "corollary-i10", "table-2")


def render(data: Theory) -> str:
    """A line for each quantity, by theorem."""
    return measurements(data, PREFIXES)
