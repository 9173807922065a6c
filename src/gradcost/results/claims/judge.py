"""All claims, judged on all evidence."""

from __future__ import annotations

from gradcost.results.claims import (
    accuracy,
    audit,
    computation,
    convergence,
    failure_modes,
    memory,
    scaling,
    theory,
)
from gradcost.results.claims.evidence import Evidence
from gradcost.results.claims.ledger import Entry, Ledger
from gradcost.results.claims.rules import Claim

CLAIMS: tuple[Claim, ...] = (
    *theory.CLAIMS,
    *accuracy.CLAIMS,
    *scaling.CLAIMS,
    *convergence.CLAIMS,
    *memory.CLAIMS,
    *computation.CLAIMS,
    *failure_modes.CLAIMS,
    *audit.CLAIMS,
)


def judge(evidence: Evidence) -> Ledger:
    """Every claim with its finding, in the order of the ledger."""
    entries = [
        Entry(
            id=claim.id,
            source=claim.source,
            kind=claim.kind,
            statement=claim.statement,
            headline=claim.headline,
            finding=claim.test(evidence),
        )
        for claim in CLAIMS
    ]
    return Ledger(scale=evidence.scale, claims=entries)
