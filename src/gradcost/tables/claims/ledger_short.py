"""The first page: how many claims have which verdict, and those that the paper leads with."""

from __future__ import annotations

from gradcost.results.claims.ledger import KINDS, VERDICTS, Entry, Ledger
from gradcost.tables import latex
from gradcost.tables.claims import cells

SHOWN = (  # of the abstract and the contributions, one for each thing that they say
    "bp-most-accurate",
    "reductions-short-of-bp",
    "new-reductions-gain",
    "fmad-over-zo",
    "gaps-widen-with-models",
    "bp-converges-faster",
    "bp-reaches-targets-faster",
    "others-compute-more",
    "others-compute-more-to-targets",
    "comparable-memory",
    "checkpointing-below-fmad",
    "slopes-spike-under-adamw",
    "limit-of-fmad",
    "limit-of-fmad-necessary",
)


def render(data: Ledger) -> str:
    """Two tabulars, one below the other."""
    return counts(data) + "\n\\par\\medskip\n" + leading(data)


def counts(data: Ledger) -> str:
    """How many claims of each kind have which verdict."""
    body: list[list[str] | str] = [
        [kind, *(latex.count(data.count(verdict, kind)) for verdict in VERDICTS)]
        for kind in KINDS
        if any(entry.kind == kind for entry in data.claims)
    ]
    total = ["all", *(latex.count(data.count(verdict)) for verdict in VERDICTS)]
    heads = " & ".join(f"{cells.SYMBOLS[verdict]}~{verdict}" for verdict in VERDICTS)
    return latex.tabular(
        "@{}l" + "r" * len(VERDICTS) + "@{}",
        [rf"claims on & {heads} \\"],
        [*body, latex.GAP, total],
    )


def leading(data: Ledger) -> str:
    """The claims that the paper leads with, each with the number that decides."""
    found = {entry.id: entry for entry in data.claims}
    body: list[list[str] | str] = [_line(found[name]) for name in SHOWN if name in found]
    if not body:
        body = [r"\multicolumn{4}{@{}l}{no claim is judged} \\"]
    head = r"the claim & verdict & the number that decides & $n$ \\"
    columns = (
        r"@{}>{\raggedright\arraybackslash}p{9.3cm}l>{\raggedright\arraybackslash}p{3.2cm}r@{}"
    )
    return latex.tabular(columns, [head], body)


def _line(entry: Entry) -> list[str]:
    return [
        cells.sentence(entry.statement),
        cells.verdict(entry.finding),
        cells.evidence(entry.finding),
        cells.count(entry.finding),
    ]
