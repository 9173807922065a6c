"""Cells that the tables of claims share."""

from __future__ import annotations

from gradcost.results.claims.ledger import Bound, Finding, Verdict
from gradcost.tables import latex

SYMBOLS: dict[Verdict, str] = {  # told apart by shape, and not by colour
    "supported": "$+$",
    "contradicted": "$-$",
    "inconclusive": r"$\pm$",
    "not tested": r"$\circ$",
}


def verdict(finding: Finding) -> str:
    """The symbol and the word."""
    return f"{SYMBOLS[finding.verdict]}~{finding.verdict}"


def number(value: float | None) -> str:
    """Three significant digits with a true minus sign, powers of ten where it is very small."""
    if value is None:
        return latex.DASH
    value = float(f"{value:.3g}") + 0.0  # no negative zero
    if abs(value) < 1e-12:  # what rounding leaves
        value = 0.0
    if value and abs(value) < 1e-3:
        text = latex.scientific(abs(value))
    else:
        text = latex.significant(abs(value))
    return f"$-${text}" if value < 0 else text


_BOUNDS: dict[Bound, str] = {"": "", "at least": r"$\geq$\,", "at most": r"$\leq$\,"}


def evidence(finding: Finding) -> str:
    """The number that decides, its interval and its unit."""
    if finding.value is None:
        return latex.DASH
    text = _BOUNDS[finding.bound] + number(finding.value)
    if finding.low is not None and finding.n is not None and finding.of != "runs":  # a share
        text += f" [{number(finding.low)}, {number(finding.high)}]"
    return f"{text} {latex.escape(finding.unit)}".rstrip()


def count(finding: Finding) -> str:
    """How many seeds, draws or runs; a dash for a count."""
    return latex.count(finding.n)


def sentence(text: str) -> str:
    """Prose from the ledger, safe in LaTeX and free to break after a slash."""
    return latex.escape(text).replace("/", r"/\allowbreak{}")
