"""The counts of the ledger and a sentence on them, by name."""

from __future__ import annotations

from gradcost.results.claims.ledger import KINDS, VERDICTS, Ledger
from gradcost.results.claims.rules import TOLERANCE
from gradcost.tables import latex


def render(data: Ledger) -> str:
    """One `\\defresult{claims/name}{text}` a line."""
    lines = [rf"\defresult{{claims/{key}}}{{{text}}}" for key, text in results(data).items()]
    return "\n".join(lines) + "\n"


def results(data: Ledger) -> dict[str, str]:
    """LaTeX by name, without the `claims/` before it."""
    found = {
        "all": latex.count(len(data.claims)),
        "tested": latex.count(len(data.claims) - data.count("not tested")),
        "tolerance": latex.count(100 * TOLERANCE),
        "say/verdicts": verdicts(data),
        "say/sizes": sizes(data),
    }
    for verdict in VERDICTS:
        key = verdict.replace(" ", "-")
        found[key] = latex.count(data.count(verdict))
        found |= {f"{key}/{kind}": latex.count(data.count(verdict, kind)) for kind in KINDS}
    return found


def verdicts(data: Ledger) -> str:
    """How many claims hold, and how many do not."""
    parts = [f"{data.count(verdict)} are {verdict}" for verdict in VERDICTS]
    return f"Of {len(data.claims)} claims, {latex.listing(parts)}."


def sizes(data: Ledger) -> str:
    """Of claims with a number, on how many that number was judged, and agrees."""
    sized = [entry.finding.size for entry in data.claims if entry.finding.size is not None]
    judged = [size for size in sized if size != "not tested"]
    if not sized:
        return "No claim has a number."
    text = f"{len(sized)} of them have a number, which is judged where the scale is the paper's"
    if not judged:
        return text + ": here, for none."
    agree = judged.count("supported")
    return text + f": here, for {len(judged)} of them, of which {agree} agree with ours."
