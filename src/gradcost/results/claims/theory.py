"""Claims of Section 3 and Appendix I, checked numerically with the estimators of the study."""

from __future__ import annotations

from gradcost.results.claims.proofs import holds
from gradcost.results.claims.rules import Claim


def _claim(name: str, source: str, statement: str, *checks: str, headline: bool = False) -> Claim:
    return Claim(name, source, "theory", statement, holds(*checks), headline=headline)


# with the numbers of their bounds and of the limits on the step size
_THEOREMS = (
    ("zo", "Theorem I.8, Equation", (59, 60), "theorem-i8"),
    ("fmad", "Theorem I.9, Equation", (80, 81), "theorem-i9"),
)
CLAIMS = (
    _claim(
        "fmad-unbiased",
        "Lemma I.5",
        "The forward gradient is unbiased, and its second moment is d + 2 times the squared norm "
        "of the gradient.",
        "lemma-i5/mean",
        "lemma-i5/second-moment",
    ),
    _claim(
        "fmad-variance",
        "Lemma I.6",
        "The variance of the forward gradient with n directions is (d + 1)/n times the squared "
        "norm of the gradient.",
        "lemma-i6/",
    ),
    _claim(
        "zo-moments",
        "Lemma I.3",
        "For a small step the ZO estimate has the mean and the second moment of the forward "
        "gradient.",
        "lemma-i3/mean",
        "lemma-i3/second-moment/",
    ),
    _claim(
        "zo-unbiased",
        "Lemma I.3, Equations 9 to 12",
        "The ZO estimate is unbiased: what its differences leave vanishes in the mean.",
        "lemma-i3/unbiased",
    ),
    _claim(
        "zo-variance",
        "Lemma I.4",
        "The variance of the ZO estimate with n directions is (d + 1)/n times the squared norm of "
        "the gradient, up to the order of the squared step.",
        "lemma-i4/",
    ),
    _claim(
        "order-of-differences",
        "Equations 64 and 65",
        "A central difference leaves an error of the order of the step in the estimate.",
        "equation-64/order",
        "equation-65/order",
    ),
    _claim(
        "zo-tends-to-fmad",
        "Section 3; Observation 1",
        "Along the same directions ZO differs from FMAD by the error of its differences alone, "
        "which adds to that of the random direction.",
        "section-3/",
    ),
    _claim(
        "bp-descends",
        "Theorem I.7; Table 2",
        "At a learning rate of 1/L the smallest squared gradient of BP falls as 1/T.",
        "theorem-i7/bound",
        "theorem-i7/descent",
        "table-2/backpropagation",
    ),
    _claim(
        "bp-descends-below",
        "Theorem I.7",
        "The same bound holds at every learning rate up to 1/L, and none above will do.",
        "theorem-i7/step",
        "theorem-i7/limit",
    ),
    _claim(
        "bp-closes-the-gap",
        "Theorem I.7",
        "With BP the distance of the loss to its minimum falls as 1/T.",
        "theorem-i7/gap",
    ),
    *(
        _claim(
            f"limit-of-{family}",
            f"{theorem} {limit}; Observation 2",
            f"{family.upper()} descends at learning rates below 2/(L(1 + (d + 1)/n)), and on some "
            "functions no longer above.",
            *(f"{name}/{part}/" for part in ("half", "limit", "below", "above")),
            headline=True,
        )
        for family, theorem, (_, limit), name in _THEOREMS
    ),
    *(
        _claim(
            f"limit-of-{family}-necessary",
            f"{theorem} {limit}; Observation 2",
            f"The learning rate of {family.upper()} has to be below that limit, and to fall as the "
            "number of parameters grows.",
            f"{name}/anisotropic",
            f"{name}/dimension",
        )
        for family, theorem, (_, limit), name in _THEOREMS
    ),
    *(
        _claim(
            f"bound-of-{family}",
            f"{theorem} {bound}",
            f"The average squared gradient of {family.upper()} stays within its bound.",
            f"{name}/bound",
        )
        for family, theorem, (bound, _), name in _THEOREMS
    ),
    _claim(
        "floor-of-zo",
        "Theorem I.8, Equations 59 and 78",
        "The bound of ZO has a second term of (L d/2n) times the squares of learning rate and "
        "step.",
        "theorem-i8/floor",
        "table-2/epsilon",
    ),
    _claim(
        "errors-of-table-2",
        "Table 2",
        "The errors of FMAD and ZO are of the order of 1/(T[1 - (L eta/2)(1 + (d + 1)/n)]).",
        "table-2/zeroth-order",
        "table-2/forward-mode",
    ),
    _claim(
        "rate-of-zo",
        "Corollary I.10",
        "At the learning rate 1/(L(1 + (d + 1)/n)) ZO converges as d/T.",
        "corollary-i10/dimension/",
        "corollary-i10/time/",
    ),
    _claim(
        "smaller-steps-in-place-of-rates",
        "Corollary I.10, discussion",
        "A smaller step of the difference serves as well as a smaller learning rate.",
        "corollary-i10/lever",
    ),
)
