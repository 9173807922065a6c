"""Claims on size: of the model, of what is trained, of the number of directions."""

from __future__ import annotations

from gradcost.results.claims.accuracy import BP
from gradcost.results.claims.measures import (
    between_models,
    gap,
    gaps,
    of_model,
    outcomes,
    spends,
)
from gradcost.results.claims.quoted import cell, ends, say, span
from gradcost.results.claims.rules import Claim, about, above, below

SMALL, LARGE = "opt-1.3b", "opt-13b"
CONSTANT = 1.0  # points: what is said to stay the same may change by so many
METHODS = ("fmad-vanilla", "zo-vanilla")
_LABELS = {BP: "BP with checkpointing", "fmad-vanilla": "FMAD-Vanilla", "zo-vanilla": "ZO-Vanilla"}


def _grown(row: str, table: str = "10", first: str = SMALL, last: str = LARGE) -> float:
    return cell(table, row, last) - cell(table, row, first)


def _shown(row: str) -> str:
    return f"{say('10', row, SMALL)} % to {say('10', row, LARGE)} %"


_MODELS = (
    Claim(
        "gaps-widen-with-models",
        "Abstract; Section 4.2, Table 10",
        "accuracy",
        "The gap of FMAD and ZO to BP widens as the model grows.",
        above(
            between_models(
                "model-size",
                SMALL,
                LARGE,
                *((BP, row) for row in METHODS),
                stated={(BP, row): _grown(BP) - _grown(row) for row in METHODS},
            )
        ),
        ("model-size",),
        headline=True,
    ),
    Claim(
        "bp-accurate-at-all-sizes",
        "Appendix F.4, Table 10",
        "accuracy",
        f"BP with checkpointing stays as accurate as OPT grows: {_shown(BP)}.",
        about(
            between_models("model-size", SMALL, LARGE, (BP, ""), stated={(BP, ""): _grown(BP)}),
            CONSTANT,
        ),
        ("model-size",),
    ),
    *(
        Claim(
            f"{row.removesuffix('-vanilla')}-loses-as-models-grow",
            "Appendix F.4, Table 10",
            "accuracy",
            f"{_LABELS[row]} loses accuracy as OPT grows: {_shown(row)}.",
            below(
                between_models(
                    "model-size", SMALL, LARGE, (row, ""), stated={(row, ""): _grown(row)}
                )
            ),
            ("model-size",),
        )
        for row in METHODS
    ),
    Claim(
        "bp-first-on-the-largest",
        "Appendix F.4, Figure 8",
        "convergence",
        "On the largest OPT, BP with checkpointing converges before FMAD and ZO.",
        above(
            spends(
                "model-size",
                "training_seconds",
                *((row, BP) for row in METHODS),
                to="plateau",
                where=lambda data, column: column.model == data.columns[-1].model,
            )
        ),
        ("model-size",),
    ),
)
_ENCODERS = (
    Claim(
        "bp-over-both-on-encoders",
        "Section 4.2; Appendix F.2, Figure 6",
        "accuracy",
        "On models of medium size too, BP is more accurate than FMAD and ZO.",
        above(gap("encoders", BP, *METHODS, stated=None)),
        ("encoders",),
    ),
    *(
        Claim(
            f"bp-over-both-on-{model}",
            "Appendix F.2, Figure 6",
            "accuracy",
            f"On {label} BP is {span('F.2', model, 'fmad-and-zo-below-bp')} points more accurate "
            "than FMAD and ZO.",
            above(
                gap(
                    "encoders",
                    BP,
                    *METHODS,
                    where=of_model(model),
                    stated=ends("F.2", model, "fmad-and-zo-below-bp"),
                )
            ),
            ("encoders",),
        )
        for model, label in (
            ("bert-base", "BERT (110M)"),
            ("bert-large", "BERT (340M)"),
            ("roberta-base", "RoBERTa (125M)"),
            ("roberta-large", "RoBERTa (355M)"),
        )
    ),
    Claim(
        "bp-first-on-encoders",
        "Appendix F.2, Figure 6",
        "convergence",
        "On models of medium size too, BP with checkpointing reaches a high accuracy before FMAD "
        "and ZO.",
        above(spends("encoders", "training_seconds", *((row, BP) for row in METHODS), to="target")),
        ("encoders",),
    ),
    *(
        Claim(
            f"gaps-widen-within-{family}",
            "Section 4.2; Appendix F.2, Figure 6",
            "accuracy",
            f"From the base to the large {label}, the gap of FMAD and ZO to BP widens.",
            above(
                between_models(
                    "encoders",
                    f"{family}-base",
                    f"{family}-large",
                    *((BP, row) for row in METHODS),
                    among=family,
                )
            ),
            ("encoders",),
        )
        for family, label in (("bert", "BERT"), ("roberta", "RoBERTa"))
    ),
)
_RANK = (
    Claim(
        "bp-degrades-with-rank",
        "Appendix F.4, Table 11",
        "accuracy",
        "A higher LoRA rank makes BP less accurate: "
        f"{say('11', BP, 'rank-1')} % at rank 1, {say('11', BP, 'rank-16')} % at 16 and "
        f"{say('11', BP, 'rank-32')} % at 32.",
        below(
            gaps(
                "lora-rank",
                (f"{BP}/rank-16", BP),
                (f"{BP}/rank-32", BP),
                stated=lambda column, left, right: _grown(
                    BP, "11", "rank-1", left.partition("/")[2]
                ),
            )
        ),
        ("lora-rank",),
    ),
    Claim(
        "zo-gains-little-with-rank",
        "Appendix F.4, Table 11",
        "accuracy",
        "A higher LoRA rank makes ZO somewhat more accurate: "
        f"{say('11', 'zo-vanilla', 'rank-1')} % at rank 1, {say('11', 'zo-vanilla', 'rank-16')} % "
        f"at 16 and {say('11', 'zo-vanilla', 'rank-32')} % at 32.",
        above(
            gaps(
                "lora-rank",
                ("zo-vanilla/rank-16", "zo-vanilla"),
                ("zo-vanilla/rank-32", "zo-vanilla"),
                stated=lambda column, left, right: _grown(
                    "zo-vanilla", "11", "rank-1", left.partition("/")[2]
                ),
            )
        ),
        ("lora-rank",),
    ),
    Claim(
        "fmad-diverges-with-rank",
        "Appendix F.4, Table 11",
        "stability",
        "At LoRA ranks 16 and 32 FMAD diverges: its directional derivatives are NaN.",
        above(outcomes("lora-rank", "diverged", "fmad-vanilla/rank-16", "fmad-vanilla/rank-32")),
        ("lora-rank",),
        headline=True,
    ),
)


def _budget(first: str, last: str) -> float:
    return cell("F.8", *_BUDGETS[last]) - cell("F.8", *_BUDGETS[first])


_BUDGETS = {
    "1": ("zo-vanilla", "accuracy-n-1"),
    "10": ("zo-multiple", "accuracy-n-10"),
    "50": ("zo-multiple", "accuracy-n-50"),
}
_TIMES = {n: cell("F.8", row, f"convergence-time-n-{n}") for n, (row, _) in _BUDGETS.items()}
SIMILAR = 1.25  # a factor: within it, times are said to be near to one another
_DIRECTIONS = (
    Claim(
        "budget-gains-little-at-10",
        "Appendix F.8, Figure 16",
        "accuracy",
        f"On OPT (13B), 10 directions add {_budget('1', '10'):g} point to ZO.",
        above(gap("perturbation-budget", "zo-multiple", "zo-vanilla", stated=_budget("1", "10"))),
        ("perturbation-budget",),
    ),
    Claim(
        "budget-gains-at-50",
        "Appendix F.8, Figure 16",
        "accuracy",
        f"On OPT (13B), 50 directions add {_budget('1', '50'):g} points to ZO.",
        above(
            gap(
                "perturbation-budget",
                "zo-multiple/perturbations-50",
                "zo-vanilla",
                stated=_budget("1", "50"),
            )
        ),
        ("perturbation-budget",),
    ),
    Claim(
        "budget-of-10-takes-no-longer",
        "Appendix F.8, Figure 16",
        "convergence",
        "On OPT (13B), ZO converges with 10 directions in about the time that it takes with one.",
        about(
            spends(
                "perturbation-budget",
                "training_seconds",
                ("zo-multiple", "zo-vanilla"),
                to="plateau",
                stated=_TIMES["10"] / _TIMES["1"],
            ),
            SIMILAR,
        ),
        ("perturbation-budget",),
    ),
    Claim(
        "budget-of-50-takes-longer",
        "Appendix F.8, Figure 16",
        "convergence",
        f"On OPT (13B), ZO takes {_TIMES['50'] / _TIMES['1']:g} times as long to converge with 50 "
        "directions as with one.",
        above(
            spends(
                "perturbation-budget",
                "training_seconds",
                ("zo-multiple/perturbations-50", "zo-vanilla"),
                to="plateau",
                stated=_TIMES["50"] / _TIMES["1"],
            )
        ),
        ("perturbation-budget",),
    ),
)

CLAIMS = (*_MODELS, *_ENCODERS, *_RANK, *_DIRECTIONS)
