"""Claims on the time until convergence: the abstract, Section 4.3, Appendices F.1 and F.7."""

from __future__ import annotations

import pandas as pd

from gradcost.results.claims.accuracy import BP, WITHOUT_BP
from gradcost.results.claims.measures import costs, history, ratios, spends
from gradcost.results.claims.quoted import cell, ends, longer, say, span
from gradcost.results.claims.rules import Claim, Test, above, below

VANILLA = ("fmad-vanilla", "zo-vanilla")
TENTH = 10  # the share of a run at either end that stands for its start and for its end
_FASTER = ends("introduction", BP, "convergence-faster")


def _claim(
    name: str,
    source: str,
    statement: str,
    test: Test,
    experiment: str = "accuracy",
    *,
    headline: bool = False,
) -> Claim:
    return Claim(name, source, "convergence", statement, test, (experiment,), headline=headline)


def decay(run: pd.DataFrame) -> float:
    """The gradient's norm at the end of a run over that at its start."""
    norms = run["gradient_norm"].dropna()
    tenth = max(1, len(norms) // TENTH)
    return float(norms.iloc[-tenth:].median() / norms.iloc[:tenth].median())


def final_loss(run: pd.DataFrame) -> float:
    """The training loss at the end of a run."""
    losses = run["loss"].dropna()
    return float(losses.iloc[-max(1, len(losses) // TENTH) :].median())


_TIME = (
    _claim(
        "bp-converges-faster",
        "Abstract; Sections 1 and 4.3",
        f"BP with checkpointing converges {span('introduction', BP, 'convergence-faster')} % "
        "faster than FMAD and ZO, each to its own plateau.",
        above(
            spends(
                "accuracy",
                "training_seconds",
                *((row, BP) for row in VANILLA),
                to="plateau",
                stated=(longer(_FASTER[0]), longer(_FASTER[1])),
            )
        ),
        headline=True,
    ),
    _claim(
        "bp-reaches-targets-faster",
        "Section 4.3, Figure 2",
        "To one accuracy for all, BP with checkpointing takes less time than every FMAD and ZO "
        "method.",
        above(
            spends("accuracy", "training_seconds", *((row, BP) for row in WITHOUT_BP), to="target")
        ),
        headline=True,
    ),
    _claim(
        "bp-takes-fewer-iterations",
        "Section 4.5, Table 4",
        "BP with checkpointing converges in fewer iterations than FMAD and ZO: "
        + ", ".join(f"{cell('4', row, 'iterations-until-convergence'):g}" for row in (BP, *VANILLA))
        + ".",
        above(
            spends(
                "accuracy",
                "step",
                *((row, BP) for row in VANILLA),
                to="plateau",
                stated=lambda column, left, right: (
                    cell("4", left, "iterations-until-convergence")
                    / cell("4", right, "iterations-until-convergence")
                    if column.paper == "agnews"
                    else None
                ),
            )
        ),
    ),
    _claim(
        "multiple-takes-longer",
        "Section 4.3, Figure 2a",
        "More directions in a step, evaluated in turn, take longer to converge.",
        above(
            spends(
                "perturbations",
                "training_seconds",
                *(
                    (f"{family}-multiple{setting}", f"{family}-vanilla")
                    for family in ("fmad", "zo")
                    for setting in ("", "/perturbations-50")
                ),
                to="plateau",
            )
        ),
        "perturbations",
    ),
    *(
        _claim(
            f"{family}-accumulate-takes-longer",
            "Section 4.3, Figure 2b",
            f"With a window of {say('4.3', 'accumulate', 'window')} steps, "
            f"{family.upper()}-Accumulate takes "
            f"{say('4.3', f'{family}-accumulate', 'time-over-no-accumulation')} times as long as "
            "without accumulation.",
            above(
                spends(
                    "accumulation",
                    "training_seconds",
                    (f"{family}-accumulate/longer-window", f"{family}-vanilla"),
                    to="plateau",
                    stated=cell("4.3", f"{family}-accumulate", "time-over-no-accumulation"),
                )
            ),
            "accumulation",
        )
        for family in ("fmad", "zo")
    ),
)
_STEPS = (
    _claim(
        "checkpointing-slows-steps",
        "Section 4.3",
        "A step of BP with checkpointing takes "
        f"{say('4.3', BP, 'time-over-bp-vanilla')} times as long as one without.",
        above(
            costs(
                "accuracy",
                "seconds_per_step",
                (BP, "bp-vanilla"),
                stated=cell("4.3", BP, "time-over-bp-vanilla"),
            )
        ),
    ),
    _claim(
        "fmad-steps-slower",
        "Section 4.3",
        "A step of FMAD takes "
        f"{say('4.3', 'fmad-vanilla', 'time-over-bp-checkpointing')} times as long as one of BP "
        "with checkpointing.",
        above(
            costs(
                "accuracy",
                "seconds_per_step",
                ("fmad-vanilla", BP),
                stated=cell("4.3", "fmad-vanilla", "time-over-bp-checkpointing"),
            )
        ),
    ),
    _claim(
        "zo-steps-faster",
        "Section 4.3",
        "A step of BP with checkpointing takes "
        f"{say('4.3', 'zo-vanilla', 'speed-over-bp-checkpointing')} times as long as one of ZO, "
        "the fastest.",
        above(
            costs(
                "accuracy",
                "seconds_per_step",
                (BP, "zo-vanilla"),
                stated=cell("4.3", "zo-vanilla", "speed-over-bp-checkpointing"),
            )
        ),
    ),
)
_CURVES = (
    _claim(
        "bp-gradient-decays-most",
        "Appendix F.1, Figure 5",
        "The norm of the gradient estimate decays most steeply with BP with checkpointing.",
        above(
            ratios(
                "accuracy",
                "norm of the gradient at the end over that at the start",
                history(decay),
                *((row, BP) for row in VANILLA),
            )
        ),
    ),
    _claim(
        "bp-loss-lowest",
        "Appendix F.1, Figure 4",
        "The training loss ends lowest with BP with checkpointing.",
        above(
            ratios(
                "accuracy",
                "training loss at the end",
                history(final_loss),
                *((row, BP) for row in VANILLA),
            )
        ),
    ),
)


def _time(left: str, right: str) -> float:
    return cell("12", left, "convergence-time") / cell("12", right, "convergence-time")


_SIGN = (
    *(
        _claim(
            f"signzo-slower-than-{other.removesuffix('-checkpointing').removesuffix('-vanilla')}",
            "Appendix F.7, Table 12",
            f"SignZO takes {_time('signzo', other):.1f} times as long to converge as {label}.",
            above(
                spends(
                    "signzo",
                    "training_seconds",
                    ("signzo", other),
                    to="plateau",
                    stated=_time("signzo", other),
                )
            ),
            "signzo",
        )
        for other, label in (("zo-vanilla", "ZO-Vanilla"), (BP, "BP with checkpointing"))
    ),
    _claim(
        "signzo-faster-than-reductions",
        "Appendix F.7, Table 12",
        "SignZO converges before ZO-Accumulate and ZO-Multiple.",
        below(
            spends(
                "signzo",
                "training_seconds",
                ("signzo", "zo-accumulate"),
                ("signzo", "zo-multiple"),
                to="plateau",
                stated=lambda column, left, right: _time(left, right),
            )
        ),
        "signzo",
    ),
)
CLAIMS = (*_TIME, *_STEPS, *_CURVES, *_SIGN)
