"""What claims take from the numerical verification of the theory."""

from __future__ import annotations

from gradcost.results.claims.evidence import Evidence
from gradcost.results.claims.ledger import Finding, Verdict
from gradcost.results.claims.rules import Test

NUMERICAL = "numerical"
_VERDICTS: dict[str, Verdict] = {
    "not": "contradicted",
    "with a correction": "contradicted",
    "as printed": "supported",
}


def holds(*prefixes: str) -> Test:
    """A statement holds as it is printed: all checks do whose ids begin so.

    What holds with a correction does not hold as printed; the finding says what is right.
    """

    def test(evidence: Evidence) -> Finding:
        checks = [check for check in evidence.theory if str(check["id"]).startswith(prefixes)]
        if not checks:
            reason = f"No check of {' or '.join(prefixes)} is part of this report."
            return Finding(verdict="not tested", of="draws", scale=NUMERICAL, said=reason)
        counts = {how: sum(check["holds"] == how for check in checks) for how in _VERDICTS}
        worst = next(how for how in _VERDICTS if counts[how])
        deciding = next(check for check in checks if check["holds"] == worst)
        said = [f"{n} of {len(checks)} checks hold {how}" for how, n in counts.items() if n]
        said = [text.replace("hold not", "do not hold") for text in said]
        text = "; ".join(said) + f". Deciding: {deciding['id']}."
        if deciding.get("correction"):
            text += f" Right is: {deciding['correction']}"
        return Finding(
            verdict=_VERDICTS[worst],
            value=deciding["measured"],
            low=deciding.get("low") if deciding.get("high") is not None else None,
            high=deciding.get("high") if deciding.get("low") is not None else None,
            n=deciding.get("n"),
            of="draws",
            scale=NUMERICAL,
            said=text[0].upper() + text[1:],
        )

    return test
