"""What claims take from the numerical verification of the theory."""

from __future__ import annotations

from gradcost.results import theory
from gradcost.results.claims.evidence import Evidence
from gradcost.results.claims.ledger import Finding, Verdict
from gradcost.results.claims.rules import Test, shown

NUMERICAL = "numerical"
_VERDICTS: dict[theory.Verdict, Verdict] = {
    "not": "contradicted",
    "with a correction": "contradicted",
    "as printed": "supported",
}


def holds(*prefixes: str) -> Test:
    """A statement holds as it is printed: all checks do whose ids begin so.

    What holds with a correction does not hold as printed; the finding says what is right.
    """

    def test(evidence: Evidence) -> Finding:
        checks = [check for check in evidence.theory if check.id.startswith(prefixes)]
        if not checks:
            reason = f"No check of {' or '.join(prefixes)} is part of this report."
            return Finding(verdict="not tested", of="draws", scale=NUMERICAL, said=reason)
        worst = theory.verdict(checks)
        against = [check for check in checks if check.holds == worst]
        deciding = next((check for check in against if check.n is not None), against[0])
        text = f"{shown(deciding.measured)} is measured"
        if deciding.printed is not None:
            most = "at most " if deciding.bound else ""
            text += f", where {most}{shown(deciding.printed)} follows from what is printed"
        others = len(checks) - len(against)
        tally = {
            "as printed": f"As printed: {len(checks)} of {len(checks)} checks.",
            "with a correction": f"As printed: {others} of {len(checks)} checks; with a "
            f"correction: {len(against)}.",
            "not": f"Not at all: {len(against)} of {len(checks)} checks.",
        }
        return Finding(
            verdict=_VERDICTS[worst],
            value=deciding.measured,
            low=deciding.low,
            high=deciding.high,
            n=deciding.n,
            of="draws",
            scale=NUMERICAL,
            said=f"{text}. {tally[worst]}",
            formula=deciding.quantity,
            correction=deciding.correction or "",
        )

    return test
