"""Every number and generated sentence of the report's section on the theory, by name."""

from __future__ import annotations

from gradcost.results.theory import Theory
from gradcost.tables import latex
from gradcost.tables.theory import sentences


def render(data: Theory) -> str:
    r"""One `\defresult{theory/name}{text}` a line."""
    lines = [rf"\defresult{{theory/{key}}}{{{text}}}" for key, text in results(data).items()]
    return "\n".join(lines) + "\n"


def results(data: Theory) -> dict[str, str]:
    """LaTeX by name, without the `theory/` before it."""
    draws = [check.n for check in data.checks if check.n]
    return {
        "checks": latex.count(len(data.checks)),
        "most-draws": latex.count(max(draws, default=None)),
        "confidence": f"{100 * data.results.confidence:g}",
        "say/in-short": sentences.in_short(data),
        "say/verdicts": sentences.verdicts(data),
        "say/chance": sentences.chance(data),
        "say/variance": sentences.variance(data),
        "say/limit": sentences.limit(data),
        "say/floor": sentences.floor(data),
        "say/discretisation": sentences.discretisation(data),
        "say/rounding": sentences.rounding(data),
        "say/lever": sentences.lever(data),
    }
