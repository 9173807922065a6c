"""Claims on accuracy: the abstract, Section 4.2, Appendices F.3, F.6 and F.7."""

from __future__ import annotations

from gradcost.results.claims.measures import anywhere, classification, gap, gaps, off, on
from gradcost.results.claims.quoted import cell, ends, say, span
from gradcost.results.claims.rules import Claim, Test, above, below

BP = "bp-checkpointing"
REDUCTIONS = ("accumulate", "multiple", "adaptive", "svrg", "sparse")
FMAD = ("fmad-vanilla", *(f"fmad-{name}" for name in REDUCTIONS))
ZO = ("zo-vanilla", *(f"zo-{name}" for name in REDUCTIONS), "mezo")
WITHOUT_BP = (*FMAD, *ZO)
_FAMILIES = (("fmad", "FMAD"), ("zo", "ZO"))


def _claim(
    name: str,
    source: str,
    statement: str,
    test: Test,
    experiment: str = "accuracy",
    *,
    headline: bool = False,
) -> Claim:
    return Claim(name, source, "accuracy", statement, test, (experiment,), headline=headline)


_HEADLINES = (
    _claim(
        "bp-most-accurate",
        "Abstract; Section 4.2, Table 3",
        "BP with checkpointing is more accurate than every FMAD and ZO method on every task.",
        above(gap("accuracy", BP, *WITHOUT_BP)),
        headline=True,
    ),
    _claim(
        "bp-far-more-accurate",
        "Abstract",
        "BP with checkpointing is up to "
        f"{say('abstract', BP, 'accuracy-above-alternatives-most')} points more accurate than "
        "FMAD and ZO.",
        above(
            gap(
                "accuracy",
                BP,
                "fmad-vanilla",
                "zo-vanilla",
                stated=cell("abstract", BP, "accuracy-above-alternatives-most"),
            ),
            "some",
        ),
        headline=True,
    ),
    _claim(
        "new-reductions-gain",
        "Section 1",
        "The two new variance reductions, accumulation and adaptive directions, add "
        f"{span('introduction', 'study', 'accuracy-gain-of-new-variance-reductions')} points.",
        above(
            gaps(
                "accuracy",
                *(
                    (f"{family}-{name}", f"{family}-vanilla")
                    for family, _ in _FAMILIES
                    for name in ("accumulate", "adaptive")
                ),
                stated=ends("introduction", "study", "accuracy-gain-of-new-variance-reductions"),
            )
        ),
        headline=True,
    ),
    _claim(
        "reductions-short-of-bp",
        "Abstract; Section 4.2",
        "With variance reduction, FMAD and ZO still fall short of BP with checkpointing on "
        "every task.",
        above(
            gap(
                "accuracy",
                BP,
                *(f"{family}-{name}" for family, _ in _FAMILIES for name in REDUCTIONS[:4]),
            )
        ),
        headline=True,
    ),
)
_VANILLA = (
    *(
        _claim(
            f"bp-over-{family}",
            "Section 4.2, Table 3",
            f"BP is {span('4.2', f'{family}-vanilla', 'accuracy-below-bp')} points more accurate "
            f"than {label}-Vanilla, across tasks.",
            above(gap("accuracy", BP, f"{family}-vanilla")),
            headline=True,
        )
        for family, label in _FAMILIES
    ),
    _claim(
        "fmad-over-zo",
        "Section 4.2, Table 3; Observation 1",
        "FMAD-Vanilla is "
        f"{span('4.2', 'fmad-vanilla', 'accuracy-above-zo-vanilla')} points more accurate than "
        "ZO-Vanilla on every task, since its derivatives are exact.",
        above(gap("accuracy", "fmad-vanilla", "zo-vanilla")),
        headline=True,
    ),
)
_GAINS = (
    *(
        _claim(
            f"{family}-{name}-gains",
            "Section 4.2, Table 3",
            f"{label}-{name.capitalize()} is "
            f"{span('4.2', f'{family}-{name}', 'accuracy-gain')} points more accurate than "
            f"{label}-Vanilla{', on all tasks but GSM8K' if but else ', across tasks'}.",
            above(
                gap(
                    "accuracy",
                    f"{family}-{name}",
                    f"{family}-vanilla",
                    where=off("gsm8k") if but else anywhere,
                )
            ),
        )
        for family, label, name, but in (
            ("fmad", "FMAD", "accumulate", True),
            ("zo", "ZO", "accumulate", True),
            ("fmad", "FMAD", "multiple", False),
            ("zo", "ZO", "multiple", True),
        )
    ),
    *(
        _claim(
            f"{family}-{name}-loses-on-gsm8k",
            "Section 4.2, Table 3",
            f"On GSM8K {label}-{name.capitalize()} is "
            f"{say('4.2', f'{family}-{name}', 'accuracy-gain-gsm8k')} points less accurate than "
            f"{label}-Vanilla.",
            below(gap("accuracy", f"{family}-{name}", f"{family}-vanilla", where=on("gsm8k"))),
        )
        for family, label, name in (
            ("fmad", "FMAD", "accumulate"),
            ("zo", "ZO", "accumulate"),
            ("zo", "ZO", "multiple"),
        )
    ),
    *(
        _claim(
            f"{family}-directions-gain",
            "Section 4.2, Figure 2a",
            f"{span('4.2', 'multiple', 'perturbations')} directions add "
            f"{span('4.2', f'{family}-multiple', 'agnews-accuracy-gain-n-10-50')} points to "
            f"{label}.",
            above(
                gaps(
                    "perturbations",
                    (f"{family}-multiple", f"{family}-vanilla"),
                    (f"{family}-multiple/perturbations-50", f"{family}-vanilla"),
                    stated=ends("4.2", f"{family}-multiple", "agnews-accuracy-gain-n-10-50"),
                )
            ),
            "perturbations",
        )
        for family, label in _FAMILIES
    ),
    *(
        _claim(
            f"{family}-windows-gain",
            "Section 4.2, Figure 2b",
            f"Accumulating over {span('4.2', 'accumulate', 'window')} steps adds "
            f"{span('4.2', f'{family}-accumulate', 'agnews-accuracy-gain-window-100-200')} points "
            f"to {label}.",
            above(
                gaps(
                    "accumulation",
                    (f"{family}-accumulate", f"{family}-vanilla"),
                    (f"{family}-accumulate/longer-window", f"{family}-vanilla"),
                    stated=ends(
                        "4.2", f"{family}-accumulate", "agnews-accuracy-gain-window-100-200"
                    ),
                )
            ),
            "accumulation",
        )
        for family, label in _FAMILIES
    ),
    _claim(
        "more-directions-more-accuracy",
        "Section 4.2, Figure 2a",
        f"{say('4.2', 'multiple', 'perturbations-most')} directions are better than "
        f"{say('4.2', 'multiple', 'perturbations-least')}, for FMAD and for ZO.",
        above(
            gaps(
                "perturbations",
                ("fmad-multiple/perturbations-50", "fmad-multiple"),
                ("zo-multiple/perturbations-50", "zo-multiple"),
                stated=None,
            )
        ),
        "perturbations",
    ),
)
_OTHERS = (
    _claim(
        "adaptive-often-worse",
        "Section 4.2",
        "Adaptive directions often make FMAD or ZO less accurate.",
        below(
            gaps(
                "accuracy",
                ("fmad-adaptive", "fmad-vanilla"),
                ("zo-adaptive", "zo-vanilla"),
                stated=None,
            ),
            "some",
        ),
    ),
    *(
        _claim(
            f"fmad-adaptive-loses-on-{task}",
            "Section 4.2, Table 3",
            f"On {label} FMAD-Adaptive is "
            f"{say('4.2', 'fmad-adaptive', f'accuracy-gain-{task}')} points less accurate than "
            "FMAD-Vanilla.",
            below(gap("accuracy", "fmad-adaptive", "fmad-vanilla", where=on(task))),
        )
        for task, label in (("boolq", "BoolQ"), ("multirc", "MultiRC"))
    ),
    *(
        _claim(
            f"{family}-sparse-loses",
            "Section 4.2, Table 3",
            f"{label}-Sparse is "
            f"{span('4.2', f'{family}-sparse', 'accuracy-below-vanilla')} points less accurate "
            f"than {label}-Vanilla, across tasks.",
            below(gap("accuracy", f"{family}-sparse", f"{family}-vanilla")),
        )
        for family, label in _FAMILIES
    ),
    _claim(
        "sparse-worst",
        "Section 4.2",
        "Of the methods of a family, Sparse is the least accurate on every task.",
        below(
            gaps(
                "accuracy",
                *(
                    (f"{family}-sparse", other)
                    for family, others in (("fmad", FMAD), ("zo", ZO))
                    for other in others
                    if other != f"{family}-sparse"
                ),
            )
        ),
    ),
    *(
        _claim(
            f"{family}-svrg-gains",
            "Section 4.2; Appendix F.5.2",
            f"SVRG adds {span('F.5.2', f'{family}-svrg', 'accuracy-gain')} points to {label} on "
            "classification.",
            above(gap("accuracy", f"{family}-svrg", f"{family}-vanilla", where=classification)),
        )
        for family, label in _FAMILIES
    ),
    _claim(
        "svrg-loses-on-gsm8k",
        "Section 4.2; Appendix F.5.2",
        f"On GSM8K SVRG takes {say('4.2', 'svrg', 'accuracy-gain-gsm8k')} points away.",
        below(
            gaps(
                "accuracy",
                ("fmad-svrg", "fmad-vanilla"),
                ("zo-svrg", "zo-vanilla"),
                where=on("gsm8k"),
            )
        ),
    ),
    _claim(
        "mezo-gains",
        "Section 4.2, Table 3",
        f"MeZO is {span('4.2', 'mezo', 'accuracy-gain-classification')} points more accurate than "
        "ZO-Vanilla on classification.",
        above(gap("accuracy", "mezo", "zo-vanilla", where=classification)),
    ),
)
_DIRECTIONS = (
    *(
        _claim(
            f"fmad-loses-at-variance-{power}",
            "Appendix F.3, Figure 7",
            f"Directions of variance {value} in place of 1 take "
            f"{say('F.3', 'fmad', f'accuracy-drop-variance-{power}')} points from FMAD.",
            above(
                gap(
                    "direction-variance",
                    "fmad-vanilla",
                    f"fmad-vanilla/variance-{power}",
                    stated=cell("F.3", "fmad", f"accuracy-drop-variance-{power}"),
                )
            ),
            "direction-variance",
        )
        for power, value in (("1e-1", "0.1"), ("1e-2", "0.01"))
    ),
    _claim(
        "zo-loses-at-small-variance",
        "Appendix F.3, Figure 7",
        "What is called a variance of 0.0001 in place of 0.001, in the public code the step of "
        f"the difference, takes {say('F.3', 'zo', 'accuracy-drop-variance-1e-4')} points from ZO.",
        above(
            gap(
                "direction-variance",
                "zo-vanilla",
                "zo-vanilla/epsilon-1e-4",
                stated=cell("F.3", "zo", "accuracy-drop-variance-1e-4"),
            )
        ),
        "direction-variance",
    ),
    _claim(
        "zo-loses-at-large-variance",
        "Appendix F.3, Figure 7",
        "ZO is less accurate at 0.01 than at the intermediate value of "
        f"{say('F.3', 'zo', 'best-perturbation-variance')}, as the step of the difference.",
        above(gap("direction-variance", "zo-vanilla", "zo-vanilla/epsilon-1e-2", stated=None)),
        "direction-variance",
    ),
    _claim(
        "zo-loses-at-small-variance-proper",
        "Appendix F.3, Figure 7",
        "Read as the text has it, as the variance of the directions: ZO is less accurate at "
        "0.0001 than at 0.001.",
        above(
            gap(
                "direction-variance",
                "zo-vanilla/variance-1e-3",
                "zo-vanilla/variance-1e-4",
                stated=cell("F.3", "zo", "accuracy-drop-variance-1e-4"),
            )
        ),
        "direction-variance",
    ),
    _claim(
        "normalising-loses",
        "Appendix F.6, Figure 14",
        "To normalise directions makes FMAD less accurate, whether they are normal or uniform.",
        below(
            gaps(
                "direction-distributions",
                ("fmad-vanilla/normal-normalised", "fmad-vanilla"),
                ("fmad-vanilla/uniform-normalised", "fmad-vanilla/uniform"),
                stated=None,
            )
        ),
        "direction-distributions",
    ),
    _claim(
        "normal-best",
        "Appendix F.6, Figure 14",
        "Normal directions make FMAD slightly more accurate than uniform ones.",
        above(gap("direction-distributions", "fmad-vanilla", "fmad-vanilla/uniform", stated=None)),
        "direction-distributions",
    ),
)


def _table_12(left: str, right: str) -> float:
    return cell("12", left, "accuracy") - cell("12", right, "accuracy")


_SIGN = tuple(
    _claim(
        name,
        "Appendix F.7, Table 12",
        f"{words}, by {abs(_table_12(left, right)):.1f} points.",
        above(gap("signzo", left, right, stated=_table_12(left, right))),
        "signzo",
    )
    for name, left, right, words in (
        ("signzo-over-zo", "signzo", "zo-vanilla", "SignZO is more accurate than ZO-Vanilla"),
        ("bp-over-signzo", BP, "signzo", "SignZO is less accurate than BP with checkpointing"),
        (
            "multiple-over-signzo",
            "zo-multiple",
            "signzo",
            "ZO-Multiple is more accurate than SignZO",
        ),
        (
            "accumulate-over-signzo",
            "zo-accumulate",
            "signzo",
            "ZO-Accumulate is more accurate than SignZO",
        ),
    )
)
CLAIMS = (*_HEADLINES, *_VANILLA, *_GAINS, *_OTHERS, *_DIRECTIONS, *_SIGN)
