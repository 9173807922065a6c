"""Claims on computation: the abstract, Section 4.5, Table 2, Appendices D, F.7 and H."""

from __future__ import annotations

from gradcost.results.accounting import DEPTH, DIRECTIONS, MODELS, PAPER_MODEL, RANK
from gradcost.results.claims.accuracy import BP, FMAD, ZO
from gradcost.results.claims.counts import PUBLISHED, amounts, counted, flops, grows
from gradcost.results.claims.measures import spends
from gradcost.results.claims.quoted import cell, ends, say, span
from gradcost.results.claims.rules import TOLERANCE, Claim, Test, about, above, below, equal

VANILLA = ("fmad-vanilla", "zo-vanilla")
SAME = 1 + TOLERANCE
TABLE_4 = (
    ("bp-checkpointing", "BP-Checkpointing"),
    ("zo-vanilla", "ZO-Vanilla"),
    ("zo-multiple", "ZO-Multiple"),
    ("zo-accumulate", "ZO-Accumulate"),
    ("fmad-vanilla", "FMAD-Vanilla"),
    ("fmad-multiple", "FMAD-Multiple"),
)


def _claim(
    name: str,
    source: str,
    statement: str,
    test: Test,
    *,
    experiments: tuple[str, ...] = (),
    sheets: tuple[str, ...] = (PAPER_MODEL,),
    headline: bool = False,
) -> Claim:
    sheets = () if experiments else sheets
    return Claim(
        name, source, "computation", statement, test, experiments, sheets, headline=headline
    )


_TOTALS = (
    _claim(
        "others-compute-more",
        "Abstract; Section 1",
        f"FMAD and ZO compute {span('introduction', BP, 'computation-of-alternatives')} times as "
        "much as BP with checkpointing, each until its own plateau.",
        above(
            spends(
                "accuracy",
                "forward_equivalents",
                *((row, BP) for row in VANILLA),
                to="plateau",
                stated=ends("introduction", BP, "computation-of-alternatives"),
            )
        ),
        experiments=("accuracy",),
        headline=True,
    ),
    _claim(
        "others-compute-more-to-targets",
        "Sections 4.5 and 5",
        "To one accuracy for all, every FMAD and ZO method computes more than BP with "
        "checkpointing.",
        above(
            spends(
                "accuracy",
                "forward_equivalents",
                *((row, BP) for row in (*FMAD, *ZO)),
                to="target",
            )
        ),
        experiments=("accuracy",),
        headline=True,
    ),
    *(
        _claim(
            f"{row.removesuffix('-vanilla')}-total",
            "Section 4.5, Table 4",
            f"Until convergence {label} computes "
            f"{say('4.5', row, 'total-computation-over-bp-checkpointing')} times as much as BP "
            "with checkpointing.",
            above(
                spends(
                    "accuracy",
                    "forward_equivalents",
                    (row, BP),
                    to="plateau",
                    stated=cell("4.5", row, "total-computation-over-bp-checkpointing"),
                )
            ),
            experiments=("accuracy",),
        )
        for row, label in (("zo-vanilla", "ZO-Vanilla"), ("fmad-vanilla", "FMAD-Vanilla"))
    ),
    _claim(
        "multiple-total",
        "Section 4.5, Table 4",
        f"With {say('4.5', 'zo-multiple', 'perturbations')} directions ZO computes "
        f"{say('4.5', 'zo-multiple', 'computation-over-zo-vanilla')} times as much until "
        "convergence as with one.",
        above(
            spends(
                "accuracy",
                "forward_equivalents",
                ("zo-multiple", "zo-vanilla"),
                to="plateau",
                stated=cell("4.5", "zo-multiple", "computation-over-zo-vanilla"),
            )
        ),
        experiments=("accuracy",),
    ),
    _claim(
        "accumulate-total",
        "Section 4.5, Table 4",
        "Until convergence ZO-Accumulate computes more than ZO-Vanilla, since it converges slowly.",
        above(
            spends(
                "accuracy",
                "forward_equivalents",
                ("zo-accumulate", "zo-vanilla"),
                to="plateau",
                stated=cell("4", "zo-accumulate", "tflops-until-convergence")
                / cell("4", "zo-vanilla", "tflops-until-convergence"),
            )
        ),
        experiments=("accuracy",),
    ),
    _claim(
        "signzo-total",
        "Appendix F.7",
        f"SignZO computes {say('F.7', 'signzo', 'computation-over-bp-checkpointing')} times as "
        "much as BP with checkpointing until convergence.",
        above(
            spends(
                "signzo",
                "forward_equivalents",
                ("signzo", BP),
                to="plateau",
                stated=cell("F.7", "signzo", "computation-over-bp-checkpointing"),
            )
        ),
        experiments=("signzo",),
    ),
)
_STEPS = (
    _claim(
        "flops-of-steps",
        "Table 4",
        "A step takes "
        + ", ".join(f"{say('4', row, 'tflops-per-iteration')} ({name})" for row, name in TABLE_4)
        + " TFLOP, as the public code runs it.",
        equal(
            amounts(
                flops,
                {row: cell("4", row, "tflops-per-iteration") for row, _ in TABLE_4},
                how=PUBLISHED,
            )
        ),
    ),
    _claim(
        "zo-step-cheaper",
        "Section 4.5",
        "A step of ZO takes about "
        f"{say('4.5', 'zo-vanilla', 'computation-over-bp-checkpointing')} times the computation "
        "of one of BP with checkpointing.",
        below(
            counted(
                flops,
                ("zo-vanilla", BP),
                stated=cell("4.5", "zo-vanilla", "computation-over-bp-checkpointing"),
            )
        ),
    ),
    _claim(
        "fmad-step-as-published",
        "Section 4.5, Table 4",
        "A step of FMAD takes nearly the same computation as one of BP with checkpointing, as the "
        "public code runs both.",
        about(counted(flops, ("fmad-vanilla", BP), how=PUBLISHED), SAME),
    ),
    _claim(
        "fmad-step",
        "Sections 4.3 and 4.5",
        "The same of FMAD itself, as two products with each weight: where frozen weights have no "
        "tangents to multiply.",
        about(counted(flops, ("fmad-vanilla", BP), sheets=MODELS), SAME),
        sheets=MODELS,
    ),
    _claim(
        "fmad-multiplies-more-than-bp",
        "Section 4.3",
        "A step of FMAD computes more than one of BP, which has one product for each layer going "
        "back where FMAD has two.",
        above(counted(flops, ("fmad-vanilla", "bp-vanilla"), sheets=MODELS, neutral=SAME)),
        sheets=MODELS,
    ),
    _claim(
        "multiple-step",
        "Section 4.5",
        "Ten directions multiply the computation of a step by ten.",
        about(
            counted(
                flops,
                ("zo-multiple", "zo-vanilla"),
                ("fmad-multiple", "fmad-vanilla"),
                how=PUBLISHED,
                neutral=cell("4.5", "zo-multiple", "perturbations"),
            ),
            SAME,
        ),
    ),
    _claim(
        "fmad-multiple-over-bp",
        "Section 4.5",
        "With ten directions FMAD computes "
        f"{say('4.5', 'fmad-multiple', 'computation-over-bp')} times as much in a step as BP.",
        about(
            counted(
                flops,
                ("fmad-multiple", BP),
                ("fmad-multiple", "bp-vanilla"),
                neutral=cell("4.5", "fmad-multiple", "computation-over-bp"),
            ),
            SAME,
        ),
    ),
    _claim(
        "accumulate-step",
        "Section 4.5",
        "Accumulation adds nothing to the computation of a step of ZO.",
        about(counted(flops, ("zo-accumulate", "zo-vanilla")), SAME),
    ),
    _claim(
        "signzo-step",
        "Appendix F.7",
        "A step of SignZO takes as much computation as one of ZO-Vanilla.",
        about(counted(flops, ("signzo", "zo-vanilla")), SAME),
    ),
    _claim(
        "finer-checkpointing-computes-more",
        "Appendix D",
        "Finer checkpointing takes more computation.",
        above(counted(flops, ("bp-nested", BP))),
    ),
)
_BOUNDS = tuple(
    _claim(
        f"computation-{name}",
        source,
        statement,
        grows("step_flops", sheet, against, *bounds),
        sheets=(sheet,),
    )
    for name, source, statement, sheet, against, bounds in (
        (
            "of-directions", "Table 2; Appendix H",
            "The computation of a step of FMAD and ZO grows in proportion to the number of "
            "directions.",
            DIRECTIONS, "directions", (("fmad-multiple", "linear"), ("zo-multiple", "linear")),
        ),
        (
            "of-trained-parameters", "Table 2; Observation 3",
            "The computation of a step grows in proportion to the number of trained parameters.",
            RANK, "trainable_parameters",
            (("bp-vanilla", "linear"), ("fmad-vanilla", "linear"), ("zo-vanilla", "linear")),
        ),
        (
            "of-depth", "Table 2; Appendix H",
            "The computation of a step of BP, FMAD and ZO grows in proportion to the depth.",
            DEPTH, "layers",
            (("bp-vanilla", "linear"), ("fmad-vanilla", "linear"), ("zo-vanilla", "linear")),
        ),
        (
            "of-checkpointing", "Table 2; Appendix H.3",
            "Checkpointing multiplies the computation by the logarithm of the depth.",
            DEPTH, "layers", ((BP, "linear times logarithm"),),
        ),
    )
)  # fmt: skip
CLAIMS = (*_TOTALS, *_STEPS, *_BOUNDS)
