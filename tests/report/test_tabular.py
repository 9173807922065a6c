"""Tabulars as pandoc's tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gradcost.report.blocks import Document, plain_text
from gradcost.report.flatten import Flattener
from gradcost.report.html import pandoc
from gradcost.report.tabular import aligns


def tables(source: str) -> list[Any]:
    """The tables of a LaTeX text, as pandoc has them."""
    flat = Flattener(Path()).text(source)
    blocks = json.loads(pandoc(flat, "latex-auto_identifiers", "json"))["blocks"]
    found: list[Any] = []
    stack = Document.read(blocks).blocks
    for block in stack:
        assert block["t"] == "Div"
        found += [inner["c"] for inner in block["c"][1]]
    return found


def texts(rows: Any) -> list[list[str]]:
    return [[plain_text(cell[4]) for cell in row[1]] for row in rows]


def spans(rows: Any) -> list[list[int]]:
    return [[cell[3] for cell in row[1]] for row in rows]


def test_columns() -> None:
    assert aligns(r"@{}l*{2}{rc}>{\raggedright\arraybackslash}p{0.72\linewidth}|X@{}") == "lrcrcpp"


def test_headers_of_several_rows_with_spans_and_rules() -> None:
    ((_, _, _, (_, head), bodies, _),) = tables(
        r"""\begin{tabular}{@{}lrr@{}} \toprule
        & \multicolumn{2}{c@{}}{\shortstack{both,\\two}} \\ \cmidrule(l){2-3}
        Method & a & b \\ \midrule A & $-1.5$ & [1, 2] \\[.4ex] B & & \textbf{$+3$} \\
        \bottomrule \end{tabular}"""
    )
    assert texts(head) == [["", "both, two"], ["Method", "a", "b"]]
    assert spans(head) == [[1, 2], [1, 1, 1]]
    assert head[0][1][1][0][1] == ["ruled"]
    assert head[0][1][0][0][1] == []
    ((_, _, above, rows),) = bodies
    assert not above
    assert texts(rows) == [["A", "-1.5", "[1, 2]"], ["B", "", "+3"]]
    assert [cell[1]["t"] for cell in rows[0][1]] == ["AlignLeft", "AlignRight", "AlignRight"]


def test_groups_of_rows_and_headers_within() -> None:
    ((_, _, _, _, bodies, _),) = tables(
        r"""\begin{tabular}{ll} a & b \\ \midrule
        \multicolumn{2}{l}{\emph{First}} \\ c & d \\ \addlinespace e & f \\
        \midrule g & h \\ \midrule i & j \\ \end{tabular}"""
    )
    parts = [(texts(above), texts(rows)) for _, _, above, rows in bodies]
    assert parts == [
        ([["First"]], [["c", "d"], ["e", "f"]]),
        ([["g", "h"]], []),
        ([], [["i", "j"]]),
    ]
    assert bodies[0][2][0][0][1] == ["group"] or "group" in bodies[0][2][0][0][1]
    assert "has-gap" in bodies[0][3][1][0][1]
    assert [attributes[1] for attributes, *_ in bodies] == [["has-rule"]] * 3


def test_a_tabular_in_a_cell_stays_in_it() -> None:
    ((_, _, _, _, ((_, _, _, rows),), _),) = tables(
        r"\begin{tabular}{lr}a & \begin{tabular}[t]{@{}l@{}}b\\c\end{tabular} \\ d & e\end{tabular}"
    )
    assert texts(rows) == [["a", "bc"], ["d", "e"]]
    assert rows[0][1][1][4][0]["t"] == "Table"


def test_long_tables_have_their_header_once() -> None:
    ((_, _, _, (_, head), ((_, _, _, rows),), _),) = tables(
        r"""\begin{longtable}{ll}\toprule a & b \\ \midrule \endfirsthead
        again & b \\ \midrule \endhead next page & \\ \endfoot \bottomrule \endlastfoot
        c & d \\ \end{longtable}"""
    )
    assert (texts(head), texts(rows)) == ([["a", "b"]], [["c", "d"]])


@pytest.mark.parametrize(
    ("cell", "verdict"),
    [
        ("$+$ supported", "supported"),
        ("contradicted; size: supported", "contradicted"),
        ("not tested", "not tested"),
        ("of no kind", None),
    ],
)
def test_rows_say_their_verdict(cell: str, verdict: str | None) -> None:
    ((_, _, _, _, ((_, _, _, rows),), _),) = tables(
        rf"\begin{{tabular}}{{ll}}claim & verdict \\ \midrule a & {cell} \\ \end{{tabular}}"
    )
    assert dict(rows[0][0][2]).get("verdict") == verdict
