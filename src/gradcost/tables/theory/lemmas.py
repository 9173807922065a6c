"""Lemmas I.3 to I.6 and equations 62 to 65: printed, right and measured values."""

from __future__ import annotations

from gradcost.results.theory import Theory
from gradcost.tables.theory.cells import measurements

PREFIXES = ("lemma-i3", "lemma-i4", "lemma-i5", "lemma-i6", "equation-6", "equation-2", "section-3")


def render(data: Theory) -> str:
    """A line for each quantity, by lemma."""
    return measurements(data, PREFIXES)
