"""Table 2's column of convergence and the theorems behind it: printed, verdict, correction."""

from __future__ import annotations

from gradcost.results.theory import Check, Theory, verdict
from gradcost.tables import latex
from gradcost.tables.theory.cells import mark

PARTS = {
    "Table 2, convergence error": ("table-2",),
    "Theorem I.7, backpropagation": ("theorem-i7",),
    "Theorems I.8 and I.9, zeroth order and forward mode": ("theorem-i8", "theorem-i9"),
    "Corollary I.10": ("corollary-i10",),
}
HEADER = [r"Printed & verdict & right \\"]
_WIDTH = 3


def render(data: Theory) -> str:
    """A statement a line, whichever of the two estimators it is made of."""
    body: list[list[str] | str] = []
    for title, prefixes in PARTS.items():
        found: dict[str, list[Check]] = {}
        for check in data.below(*prefixes):
            found.setdefault(check.statement, []).append(check)
        if found:
            body.append(latex.heading(title, _WIDTH, first=not body))
        body += [_line(statement, checks) for statement, checks in found.items()]
    if not body:
        body = [rf"\multicolumn{{{_WIDTH}}}{{@{{}}l}}{{nothing was verified}} \\"]
    return latex.tabular(r"@{}p{6.6cm}p{1.6cm}p{7.2cm}@{}", HEADER, body)


def _line(statement: str, checks: list[Check]) -> list[str]:
    corrections = dict.fromkeys(check.correction for check in checks if check.correction)
    return [
        r"\raggedright " + statement,
        mark(verdict(checks)),
        r"\raggedright\arraybackslash " + ("; ".join(corrections) or latex.DASH),
    ]
