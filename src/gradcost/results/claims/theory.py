"""Claims of Section 3 and Appendix I, checked numerically with the estimators of the study."""

from __future__ import annotations

from gradcost.results.claims.proofs import holds
from gradcost.results.claims.rules import Claim


def _claim(name: str, source: str, statement: str, *checks: str, headline: bool = False) -> Claim:
    return Claim(name, source, "theory", statement, holds(*checks), headline=headline)


CLAIMS = (
    _claim(
        "zo-unbiased",
        "Lemma I.3, Equation 6",
        "The central difference along a normal direction estimates the gradient without bias.",
        "lemma-i3",
    ),
    _claim(
        "zo-variance",
        "Lemma I.4",
        "The variance of the ZO estimate with n directions is (d + 1)/n times the squared norm of "
        "the gradient, up to the order of the squared step.",
        "lemma-i4",
    ),
    _claim(
        "fmad-unbiased",
        "Lemma I.5",
        "The forward gradient is unbiased, and its second moment is d + 2 times the squared norm "
        "of the gradient.",
        "lemma-i5",
    ),
    _claim(
        "fmad-variance",
        "Lemma I.6",
        "The variance of the forward gradient with n directions is (d + 1)/n times the squared "
        "norm of the gradient.",
        "lemma-i6",
    ),
    _claim(
        "error-of-differences",
        "Appendix I, Equations 62 to 65",
        "The central difference has an error of the order of the step in the estimate.",
        "equation",
        "remainder",
    ),
    _claim(
        "bound-of-bp",
        "Theorem I.7; Table 2",
        "BP converges as 1/T at a learning rate of at most 1/L.",
        "theorem-i7",
    ),
    _claim(
        "bound-of-zo",
        "Theorem I.8; Table 2",
        "ZO converges within its bound at learning rates below 2/(L(1 + (d + 1)/n)), to an error "
        "that grows with d/n and the squared step.",
        "theorem-i8",
        headline=True,
    ),
    _claim(
        "bound-of-fmad",
        "Theorem I.9; Table 2",
        "FMAD converges within its bound at learning rates below 2/(L(1 + (d + 1)/n)).",
        "theorem-i9",
        headline=True,
    ),
    _claim(
        "rate-of-zo",
        "Corollary I.10",
        "At a learning rate in proportion to 1/(L(1 + (d + 1)/n)), ZO converges as d/T.",
        "corollary-i10",
    ),
    _claim(
        "zo-tends-to-fmad",
        "Observation 1",
        "Zeroth order differs from forward mode by the error of its differences, which vanishes "
        "with the step.",
        "limit",
        "common",
        "observation",
    ),
    _claim(
        "bp-converges-at-larger-rates",
        "Observation 2; Table 2",
        "FMAD and ZO need smaller learning rates than BP, the more so the more parameters are "
        "trained and the fewer directions a step has.",
        "table-2",
    ),
)
