"""LaTeX from data: escaping, numbers, cells and tabulars."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor, isfinite, log10
from typing import TypeVar

from gradcost.results.statistics import Summary

DASH = "---"
LINES = 64  # of a table in small print on a page
GAP = r"\addlinespace"  # a line of a table's body, between groups of rows
OPTIMISERS = {  # as they are written
    "adamw": "AdamW",
    "sgd": "SGD",
    "adagrad": "Adagrad",
    "rmsprop": "RMSprop",
    "sign": "sign",
}
Item = TypeVar("Item")
_SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{char: f"\\{char}" for char in "&%$#_{}"},
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
}


def escape(text: object) -> str:
    """Text from data, safe in LaTeX."""
    return "".join(_SPECIAL.get(char, char) for char in str(text))


def number(value: float | None, decimals: int = 1) -> str:
    """A number with a true minus sign; a dash for None, NaN and infinity."""
    if value is None or not isfinite(value):
        return DASH
    text = f"{value:.{decimals}f}"
    if float(text) == 0:
        text = text.lstrip("-")
    return f"${text}$" if text.startswith("-") else text


def signed(value: float | None, decimals: int = 1) -> str:
    """A difference: with its sign, also if it is positive."""
    text = number(value, decimals)
    plain = value is not None and isfinite(value) and float(f"{value:.{decimals}f}") > 0
    return f"$+{text}$" if plain else text


def significant(value: float | None, digits: int = 3) -> str:
    """A number with so many significant digits, thousands apart by a thin space."""
    if value is None or not isfinite(value):
        return DASH
    if value == 0:
        return "0"
    value = float(f"{value:.{digits - 1}e}")
    decimals = max(0, digits - 1 - floor(log10(abs(value))))
    return f"{value:,.{decimals}f}".replace(",", r"\,")


def count(value: float | None) -> str:
    """A whole number, thousands apart by a thin space."""
    if value is None or not isfinite(value):
        return DASH
    return f"{round(value):,}".replace(",", r"\,")


def scientific(value: float | None) -> str:
    """A setting such as a learning rate, as the paper writes it: powers of ten."""
    if value is None or not isfinite(value):
        return DASH
    mantissa, exponent = f"{value:.3e}".split("e")
    factor = mantissa.rstrip("0").rstrip(".")
    power = f"10^{{{int(exponent)}}}"
    return f"${power}$" if factor == "1" else rf"${factor}\cdot{power}$"


def scaled(value: float | None, unit: str) -> str:
    """A count of bytes or FLOPs with the decimal prefix that suits it: `4.31 MB`."""
    if value is None or not isfinite(value):
        return DASH
    value = float(f"{value:.2e}")  # as it will be shown: 999.9 M is 1.00 G
    step = min(5, max(0, int(log10(abs(value)) // 3))) if value else 0
    return f"{significant(value / 1000**step)}~{['', 'k', 'M', 'G', 'T', 'P'][step]}{unit}"


def plus_minus(summary: Summary | None) -> str:
    """Mean and half width of the interval; of a single seed the mean alone."""
    if summary is None:
        return DASH
    if summary.half_width is None:
        return number(summary.mean)
    return rf"{number(summary.mean)}\,\textpm\,{number(summary.half_width)}"


def interval(summary: Summary | None) -> str:
    """The interval of a difference in brackets, with signs; a dash if there is none."""
    if summary is None or summary.interval is None:
        return DASH
    low, high = summary.interval
    return f"[{signed(low)}, {signed(high)}]"


def difference(summary: Summary | None) -> str:
    """A paired difference and its interval; bold where that excludes zero, a dash for None."""
    if summary is None:
        return DASH
    text = signed(summary.mean)
    if summary.sign:
        # \boldmath for the sign, which is mathematics
        text = rf"\textbf{{\boldmath {text}}}"
    return text if summary.interval is None else f"{text} {interval(summary)}"


def extent(summary: Summary | None) -> str:
    """The interval of an accuracy in brackets; a dash if there is none."""
    if summary is None or summary.interval is None:
        return DASH
    return "[{}, {}]".format(*map(number, summary.interval))


def tabular(columns: str, header: Sequence[str], body: Sequence[Sequence[str] | str]) -> str:
    """A booktabs tabular. Lines that are text and not cells are put in as they are."""
    lines = [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", *header, r"\midrule"]
    lines += [line if isinstance(line, str) else " & ".join(line) + r" \\" for line in body]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"]) + "\n"


def by_page(items: Sequence[Item], lines: int) -> list[Sequence[Item]]:
    """What takes so many lines an item, as much of it at once as a page has room for."""
    return in_parts(items, max(1, LINES // (lines + 1)))


def in_parts(items: Sequence[Item], most: int) -> list[Sequence[Item]]:
    """Items in their order, in parts of at most so many, which differ by one at the most."""
    parts = -(-len(items) // most)
    ends = [len(items) * (i + 1) // parts for i in range(parts)]
    return [items[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def pages(parts: Sequence[str], note: str = "") -> str:
    """Tabulars below one another, between which a page may break, and a note below them all."""
    whole = "\\tablebreak\n".join(f"\\tablepart{{%\n{part.strip()}%\n}}\n" for part in parts)
    return f"{whole}\\tablenote{{{note}}}\n" if note else whole


def heading(text: str, columns: int, *, first: bool) -> str:
    """A line within a table that names the group of rows below it."""
    space = "" if first else r"\addlinespace "
    return rf"{space}\multicolumn{{{columns}}}{{@{{}}l}}{{\emph{{{text}}}}} \\"


def grouped(lines: Sequence[list[str]], groups: Sequence[object]) -> list[list[str] | str]:
    """The lines of a table's body, with a gap wherever the group of a line is another one's."""
    body: list[list[str] | str] = []
    for index, line in enumerate(lines):
        if index and groups[index] != groups[index - 1]:
            body.append(GAP)
        body.append(line)
    return body


def listing(items: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join(x for x in (", ".join(items[:-1]), *items[-1:]) if x)
