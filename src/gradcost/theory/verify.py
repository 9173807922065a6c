"""All checks and series, as the file of results has them."""

from __future__ import annotations

from typing import Any

from gradcost.theory import corollary, floor, lemmas, remainder, theorems
from gradcost.theory.sampling import CONFIDENCE

GROUPS = (lemmas, remainder, theorems, corollary, floor)


def make() -> dict[str, Any]:
    """Run every check. Deterministic; tens of seconds of one core.

    Raises:
        ValueError: if two checks or two series have one name.
    """
    groups = [module.verify() for module in GROUPS]
    checks = [check.as_json() for group in groups for check in group.checks]
    series = [series.as_json() for group in groups for series in group.series]
    names = [one["id"] for one in [*checks, *series]]
    if doubled := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"not the name of one thing: {', '.join(doubled)}")
    return {"confidence": CONFIDENCE, "checks": checks, "series": series}
