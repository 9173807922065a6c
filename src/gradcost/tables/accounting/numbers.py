"""Every number and generated sentence of the report's section on prices, by name."""

from __future__ import annotations

from gradcost.results.accounting import MODELS, PAPER_MODEL, Accounting
from gradcost.tables import latex
from gradcost.tables.accounting import policies, sentences, shape

_QUANTISATIONS = {"nf4": "NF4"}


def render(data: Accounting) -> str:
    """One `\\defresult{accounting/name}{text}` a line."""
    lines = [rf"\defresult{{accounting/{key}}}{{{text}}}" for key, text in results(data).items()]
    return "\n".join(lines) + "\n"


def results(data: Accounting) -> dict[str, str]:
    """LaTeX by name, without the `accounting/` before it."""
    sheet = data.sheet(PAPER_MODEL)
    labels = [latex.escape(one.label) for name in MODELS if (one := data.sheet(name))]
    ranks = sorted(set(data.steps(PAPER_MODEL)["rank"]))
    packed = sheet.quantisation if sheet else None
    return {
        "steps": latex.count(len(data.rows)),
        "model-list": latex.listing(labels) or latex.DASH,
        "model": latex.escape(sheet.label) if sheet else latex.DASH,
        "batch": latex.count(sheet.batch if sheet else None),
        "length": latex.count(sheet.length if sheet else None),
        "rank": latex.listing([f"{rank:d}" for rank in ranks]) or latex.DASH,
        "dtype": latex.escape(sheet.dtype) if sheet else latex.DASH,
        "quantisation": _QUANTISATIONS.get(packed, packed) if packed else "no",
        "zero-share": sentences.zeros(data),
        "say/in-short": sentences.in_short(data),
        "say/agreement": sentences.agreement(data),
        "say/least": sentences.least(data),
        "say/relative": sentences.relative(data),
        "say/totals": sentences.totals(data),
        "say/near": sentences.near(data),
        "say/forward": sentences.forward(data),
        "say/own": sentences.own(data),
        "say/frontier": sentences.frontier(data),
        "say/room": sentences.room(data),
        "say/stated": sentences.stated(data),
        "say/deepest": sentences.deepest(data),
        "say/recomputation": sentences.recomputation(data),
        "say/shape": shape.say(data),
        "say/policies": policies.say(data),
    }
