"""Cells that the tables of what was verified share."""

from __future__ import annotations

from collections.abc import Sequence

from gradcost.results.theory import Check, Theory, statements
from gradcost.tables import latex

_LETTERS = {
    "d": "d", "n": "n", "T": "T", "epsilon": r"\varepsilon", "eta": r"\eta", "eta L": r"\eta L",
}  # fmt: skip
HEADER = [r"Quantity & of & printed & right & measured & interval & \\"]
COLUMNS = r"@{}p{5.6cm}p{3.1cm}rrrrl@{}"
_WIDTH = 7
_MARKS = {"as printed": "as printed", "with a correction": "corrected", "not": "does not hold"}


def value(number: float | None, digits: int = 3) -> str:
    """A number of any size with its sign: powers of ten where it is very small or large."""
    if number is None:
        return latex.DASH
    if number and not 1e-3 <= abs(number) < 1e5:
        return latex.scientific(float(f"{number:.{digits - 1}e}"))
    text = latex.significant(abs(number), digits)
    return f"$-{text}$" if number < 0 and float(f"{number:.{digits}g}") else text


def parameters(check: Check) -> str:
    """`$d=32$, $n=1$`; what has no letter is left out."""
    shown = []
    for name, letter in _LETTERS.items():
        number = check.parameters.get(name)
        if isinstance(number, str):
            shown.append(f"${letter}$: {latex.escape(number)}")
        elif number is not None:
            shown.append(f"${letter}={number:g}$")
    return ", ".join(shown)


def interval(check: Check) -> str:
    """In brackets; a dash where nothing is random."""
    if check.low is None or check.high is None:
        return latex.DASH
    return f"[{value(check.low)}, {value(check.high)}]"


def mark(verdict: str) -> str:
    """A verdict in a word or two."""
    return _MARKS[verdict]


def measurements(data: Theory, prefixes: Sequence[str]) -> str:
    """Printed, right and measured values; of a statement with many checks the first and last."""
    body: list[list[str] | str] = []
    for prefix in prefixes:
        of_source: dict[str, list[Check]] = {}
        for (source, _), checks in statements(data.below(prefix)).items():
            known = {check.id: check for check in (checks[0], checks[-1])}
            of_source.setdefault(source.partition(",")[0], []).extend(known.values())
        for source, checks in of_source.items():
            body.append(latex.heading(latex.escape(source), _WIDTH, first=not body))
            body += [_line(check) for check in checks]
    if not body:
        body = [rf"\multicolumn{{{_WIDTH}}}{{@{{}}l}}{{nothing was verified}} \\"]
    return latex.tabular(COLUMNS, HEADER, body)


def _line(check: Check) -> list[str]:
    most = r"$\le$\," if check.bound else ""
    return [
        r"\raggedright " + check.quantity,
        r"\raggedright " + parameters(check),
        most + value(check.printed) if check.printed is not None else latex.DASH,
        most + value(check.predicted),
        value(check.measured),
        interval(check),
        mark(check.holds) if check.printed is not None or not check.explained else "as predicted",
    ]
