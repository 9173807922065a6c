"""Every claim of the paper with its verdict and its evidence: a table of several pages."""

from __future__ import annotations

from gradcost.results.claims.ledger import KINDS, Entry, Ledger
from gradcost.tables import latex
from gradcost.tables.claims import cells

_WIDTH = 4
_RAGGED = r">{\raggedright\arraybackslash}"
COLUMNS = rf"@{{}}{_RAGGED}p{{4.4cm}}{_RAGGED}p{{2.1cm}}{_RAGGED}p{{6.9cm}}{_RAGGED}p{{1.6cm}}@{{}}"
HEADER = r"Claim, source and name & verdict & evidence & $n$, scale \\"


def render(data: Ledger) -> str:
    """A longtable without caption, by kind; the number that decides stands first."""
    lines = [
        r"\addtocounter{table}{-1}",  # a longtable counts as one, with a caption or without
        rf"\begin{{longtable}}{{{COLUMNS}}}",
        r"\toprule",
        HEADER,
        r"\midrule",
        r"\endhead",
        r"\bottomrule",
        r"\endfoot",
    ]
    first = True
    for kind in KINDS:
        entries = [entry for entry in data.claims if entry.kind == kind]
        if entries:
            lines.append(latex.heading(kind.capitalize(), _WIDTH, first=first))
            lines += [" & ".join(_line(entry)) + r" \\ \addlinespace" for entry in entries]
            first = False
    if first:
        lines.append(rf"\multicolumn{{{_WIDTH}}}{{@{{}}l}}{{no claim is judged}} \\")
    return "\n".join([*lines, r"\end{longtable}"]) + "\n"


def _line(entry: Entry) -> list[str]:
    found = entry.finding
    statement = (
        f"{cells.sentence(entry.statement)} {{\\itshape {cells.sentence(entry.source)}.}} "
        f"{{\\ttfamily {_breaking(entry.id)}}}"
    )
    verdict = cells.verdict(found)
    if found.size is not None and found.verdict != "not tested":
        verdict += rf"; size: {cells.SYMBOLS[found.size]}~{found.size}"
    evidence = cells.sentence(found.said)
    if found.formula:
        evidence = rf"{found.formula}: {evidence}"
    if found.value is not None:
        evidence = rf"\textbf{{{cells.evidence(found)}}}. {evidence}"
    if found.correction:
        evidence += rf" \emph{{Right is:}} {found.correction}."
    if found.differs and found.value is not None:
        evidence += rf" \emph{{Here:}} {cells.sentence(found.differs)}."
    of = found.of.removesuffix("s") if found.n == 1 else found.of
    n = f"{latex.count(found.n)} {of}, " if found.n is not None else ""
    return [statement, verdict, evidence, n + latex.escape(found.scale)]


def _breaking(name: str) -> str:
    """A name that may break after each of its words."""
    return latex.escape(name).replace("-", r"-\allowbreak{}").replace("/", r"/\allowbreak{}")
