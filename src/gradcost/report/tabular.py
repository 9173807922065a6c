r"""A tabular, with its spans, rules and groups of rows, as nested marks that pandoc keeps.

pandoc reads simple tabulars only: of a header of several rows it keeps one, rules between
columns are lost, and of two tabulars in a float the second is. So each becomes environments of
our own, which pandoc takes for divisions; `blocks` makes tables of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from gradcost.report.tex import Reader, TexError, split

MARK = "gc-"  # environments of ours; their names carry values, set apart by `:`
_RULE = re.compile(
    r"\s*\\(?:(toprule|midrule|bottomrule|hline|addlinespace)(?![a-zA-Z])(?:\[[^\]]*\])?"
    r"|cmidrule(?:\[[^\]]*\])?(?:\([^)]*\))?\{(\d+)-(\d+)\})"
)


def mark(name: str, content: str, *values: object) -> str:
    r"""`content` in an environment `gc-name:value:...`."""
    full = ":".join([MARK + name, *map(str, values)])
    # after an empty line, or content in brackets would be taken for an option
    return f"\n\\begin{{{full}}}\n\n{content}\n\\end{{{full}}}\n"


@dataclass
class Cell:
    """A cell, over `span` columns; `ruled` with a line below."""

    text: str
    align: str
    span: int = 1
    ruled: bool = False


@dataclass
class Row:
    """A row, with a rule or a gap above it."""

    cells: list[Cell]
    rule: bool = False
    gap: bool = False
    columns: list[tuple[int, int]] = field(default_factory=list)  # of \cmidrules above it


def aligns(columns: str) -> str:
    r"""`lcrp` of a tabular's columns, such as `@{}l*{2}{r}p{3cm}@{}`: paragraphs are all `p`."""
    reader, found = Reader(columns.replace(" ", "")), ""
    while reader:
        char = reader.argument()
        if char in "lcr":
            found += char
        elif char in "pmbX":
            found += "p"
            if char != "X":
                reader.argument()
        elif char in "@!><":
            reader.argument()
        elif char == "*":
            count, inner = reader.arguments(2)
            found += int(count) * aligns(inner)
        elif char != "|":
            raise TexError(f"a tabular's columns have a {char!r}: {columns}")
    return found


def convert(columns: str, body: str) -> str:
    """A tabular's body, all of whose macros are expanded, as marks."""
    align = aligns(columns)
    if any(end in body for end in (r"\endhead", r"\endfirsthead")):
        body = _of_one_page(body)
    rows = list(_rows(body, align))
    return mark("table", "".join(_marked(rows, len(align))), align)


def _of_one_page(body: str) -> str:
    r"""A longtable's body with its header once and without what it says at a page's end."""
    *pairs, rows = re.split(r"\\(endfirsthead|endhead|endfoot|endlastfoot)(?![a-zA-Z])", body)
    parts = dict(zip(pairs[1::2], pairs[::2], strict=True))
    head = parts.get("endfirsthead") or parts["endhead"]
    return head + ("" if "midrule" in head else r"\midrule ") + rows


def _rows(body: str, align: str) -> Iterator[Row]:
    rule = gap = False
    columns: list[tuple[int, int]] = []
    for index, line in enumerate(split(body, r"\\")):
        if index:
            line = re.sub(r"^\*?[ \t]*\[[^\]]*\]", "", line)  # as in \\[.4ex]
        while found := _RULE.match(line):
            if found[2]:
                columns.append((int(found[2]), int(found[3])))
            gap |= found[1] == "addlinespace"
            rule |= found[1] in ("midrule", "hline")
            line = line[found.end() :]
        if line.strip() or "&" in line:
            yield Row(list(_cells(line, align)), rule, gap, columns)
            rule, gap, columns = False, False, []


def _cells(line: str, align: str) -> Iterator[Cell]:
    place = 0
    for text in split(line, "&"):
        text = text.strip()
        cell = Cell(text, align[place] if place < len(align) else "?")
        if re.match(r"\\multicolumn(?![a-zA-Z])", text):
            reader = Reader(text, len(r"\multicolumn"))
            span, own, inner = reader.arguments(3)
            if text[reader.position :].strip():
                raise TexError(f"beside \\multicolumn in a cell: {text}")
            cell = Cell(inner, aligns(own), int(span))
        place += cell.span
        if place > len(align):
            raise TexError(f"a row has more than {len(align)} columns: {line}")
        yield cell


def _marked(rows: list[Row], width: int) -> Iterator[str]:
    """Rows as marks: `head` before the first rule, `sub` one alone between two, `group` a title."""
    starts = [index for index, row in enumerate(rows) if row.rule]
    first = starts[0] if starts else 0
    for row, below in pairwise(rows):
        _rule_off(row, below.columns)
    for index, row in enumerate(rows):
        kind = "row"
        if index < first:
            kind = "head"
        elif row.rule and index > first and index + 1 in starts:
            kind = "sub"
        elif len(row.cells) == 1 and row.cells[0].span == width > 1:
            kind = "group"
        looks = [name for name, true in (("rule", row.rule), ("gap", row.gap)) if true]
        yield mark(kind, "".join(map(_cell, row.cells)), *looks)


def _rule_off(row: Row, columns: Iterable[tuple[int, int]]) -> None:
    start = 1
    for cell in row.cells:
        end = start + cell.span - 1
        cell.ruled = any(low <= start and end <= high for low, high in columns)
        start = end + 1


def _cell(cell: Cell) -> str:
    looks = ["ruled"] if cell.ruled else []
    return mark("cell", cell.text, cell.align, cell.span, *looks)
