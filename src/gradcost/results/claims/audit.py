"""Claims once more on the methods as the paper's public code runs them, and what follows.

The code precedes the text, and differs from it in five of the sixteen methods; a claim that holds
as published and not as described is one on the implementation.
"""

from __future__ import annotations

from gradcost.results.claims.accuracy import BP
from gradcost.results.claims.measures import gap, gaps
from gradcost.results.claims.rules import Claim, Test, above, below, untestable
from gradcost.results.tidy import PUBLISHED

_FAMILIES = (("fmad", "FMAD"), ("zo", "ZO"))


def _claim(name: str, source: str, statement: str, test: Test) -> Claim:
    return Claim(f"as-published/{name}", source, "accuracy", statement, test, ("audit",))


CLAIMS = (
    _claim(
        "fmad-over-zo",
        "Section 4.2, Table 3, as published",
        "As published, FMAD-Vanilla is more accurate than ZO-Vanilla.",
        above(gap("audit", f"fmad-vanilla{PUBLISHED}", f"zo-vanilla{PUBLISHED}", stated=None)),
    ),
    *(
        _claim(
            f"bp-over-{family}",
            "Section 4.2, Table 3, as published",
            f"As published, BP with checkpointing is more accurate than {label}-Vanilla.",
            above(gap("audit", f"{BP}{PUBLISHED}", f"{family}-vanilla{PUBLISHED}", stated=None)),
        )
        for family, label in _FAMILIES
    ),
    _claim(
        "adaptive-worse",
        "Section 4.2, as published",
        "As published, adaptive directions make FMAD or ZO less accurate.",
        below(
            gaps(
                "audit",
                *(
                    (f"{family}-adaptive{PUBLISHED}", f"{family}-vanilla{PUBLISHED}")
                    for family, _ in _FAMILIES
                ),
                stated=None,
            ),
            "some",
        ),
    ),
    _claim(
        "svrg-gains",
        "Section 4.2; Appendix F.5.2, as published",
        "As published, SVRG makes FMAD and ZO more accurate on classification.",
        above(
            gaps(
                "audit",
                *(
                    (f"{family}-svrg{PUBLISHED}", f"{family}-vanilla{PUBLISHED}")
                    for family, _ in _FAMILIES
                ),
                stated=None,
            )
        ),
    ),
    _claim(
        "sparse-loses",
        "Section 4.2, as published",
        "As published, Sparse makes FMAD and ZO less accurate.",
        below(
            gaps(
                "audit",
                *(
                    (f"{family}-sparse{PUBLISHED}", f"{family}-vanilla{PUBLISHED}")
                    for family, _ in _FAMILIES
                ),
                stated=None,
            )
        ),
    ),
    Claim(
        "no-use-in-black-boxes",
        "Section 3, note on black boxes",
        "stability",
        "Where a model is a black box, its weights cannot be perturbed either, so that ZO is of "
        "no use there.",
        untestable(
            "No experiment of the paper or of this study bears on it: every run here has access "
            "to the weights."
        ),
    ),
)
