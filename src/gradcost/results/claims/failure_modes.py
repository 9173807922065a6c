"""Claims on how training fails: Section 4.6, Appendices C and F.5."""

from __future__ import annotations

import numpy as np
import pandas as pd

from gradcost.results.claims.accuracy import BP
from gradcost.results.claims.measures import (
    Statistic,
    gap,
    history,
    outcomes,
    ratios,
    values,
)
from gradcost.results.claims.quoted import cell, ends, say, span
from gradcost.results.claims.rules import Claim, Test, about, above, below
from gradcost.results.tidy import Column, Row, Tidy

CLOSE = 2.0  # a factor: within it, magnitudes are said to follow one another closely
MINIMAL = 0.1  # a share: below it, a difference is said to be minimal
SMALL_RANGE = cell("4.6", "fmad", "jvp-under-sgd-most")


def slopes(run: pd.DataFrame) -> pd.Series:
    """For each step with directions the largest magnitude of its directional derivatives."""
    found = run["projections"].map(
        lambda one: float(np.abs(one).max()) if one is not None and len(one) else np.nan
    )
    return found.dropna()


def largest(run: pd.DataFrame) -> float:
    """The largest magnitude of a directional derivative in a run."""
    return float(slopes(run).max())


def when_largest(run: pd.DataFrame) -> float:
    """The step of it."""
    found = slopes(run).to_numpy()
    steps = run.loc[slopes(run).index, "step"].to_numpy()
    return float(steps[found.argmax()]) if len(found) else float("nan")


def variance(run: pd.DataFrame) -> float:
    """The variance of the gradient's mean component over the steps of a run."""
    return float(run["gradient_mean"].var())


def magnitude(run: pd.DataFrame) -> float:
    """The median over the steps of a run of the gradient's mean component."""
    return float(run["gradient_mean"].median())


def drift(run: pd.DataFrame) -> float:
    """The gradient's mean component in the last tenth of a run over that in the first."""
    found = run["gradient_mean"].dropna()
    tenth = max(1, len(found) // 10)
    return float(found.iloc[-tenth:].mean() / found.iloc[:tenth].mean())


def control(run: pd.DataFrame) -> float:
    """SVRG: the derivative's median change since the snapshot, as a share of itself."""
    pairs = [
        (np.asarray(here), np.asarray(there))
        for here, there in zip(run["projections"], run["snapshot_projections"], strict=True)
        if here is not None and there is not None and len(here) == len(there) > 0
    ]
    if not pairs:
        return float("nan")
    here, there = (np.concatenate(part) for part in zip(*pairs, strict=True))
    return float(np.median(np.abs(here - there)) / np.median(np.abs(here)))


def dominance(run: pd.DataFrame) -> float:
    """SVRG: the norm of the full gradient over that of the batch's, at the median."""
    return float(run["full_gradient_norm"].median() / run["batch_gradient_norm"].median())


def under_adamw(reduce: Statistic) -> Statistic:
    """A statistic of a method's runs under AdamW over that under SGD, by seed."""

    def statistic(data: Tidy, column: Column, row: Row) -> pd.Series:
        found = []
        for setting in ("adamw", "sgd"):
            other = next(
                (r for r in data.rows if (r.method, r.setting) == (row.method, setting)), None
            )
            found.append(pd.Series(dtype=float) if other is None else reduce(data, column, other))
        return (found[0] / found[1]).dropna()

    return statistic


def _claim(
    name: str,
    source: str,
    statement: str,
    test: Test,
    experiment: str = "optimizers",
    *,
    headline: bool = False,
) -> Claim:
    return Claim(name, source, "stability", statement, test, (experiment,), headline=headline)


_FMAD, _ADAMW, _SGD = "fmad-vanilla", "fmad-vanilla/adamw", "fmad-vanilla/sgd"
_SLOPES = (
    _claim(
        "slopes-bounded-under-sgd",
        "Section 4.6; Appendix F.5.1, Figure 9",
        "Under SGD the directional derivatives of FMAD stay within "
        f"{say('4.6', 'fmad', 'jvp-under-sgd-most')} of zero.",
        below(
            values(
                "optimizers",
                "largest directional derivative",
                history(largest),
                _SGD,
                unit="",
                neutral=SMALL_RANGE,
            )
        ),
    ),
    _claim(
        "slopes-spike-under-adamw",
        "Section 4.6; Appendix F.5.1, Figure 9",
        "Under AdamW the directional derivatives of FMAD spike to "
        f"{span('4.6', 'fmad', 'jvp-spikes-under-adamw')} times those under SGD.",
        above(
            ratios(
                "optimizers",
                "largest directional derivative",
                history(largest),
                (_ADAMW, _SGD),
                stated=ends("4.6", "fmad", "jvp-spikes-under-adamw"),
            )
        ),
        headline=True,
    ),
    _claim(
        "spikes-come-late",
        "Section 4.6",
        "Spikes appear after "
        f"{span('4.6', 'fmad', 'iterations-until-spikes')} iterations, and not before.",
        above(
            values(
                "optimizers",
                "step of the largest directional derivative",
                history(when_largest),
                _ADAMW,
                unit="steps",
                neutral=cell("4.6", "fmad", "iterations-until-spikes-least"),
            )
        ),
    ),
    _claim(
        "gradients-vary-under-adamw",
        "Section 4.6; Appendix F.5.1, Figure 10",
        "The variance of FMAD's gradients is "
        f"{span('4.6', 'fmad', 'gradient-variance-of-adamw-over-sgd')} times as high under AdamW "
        "as under SGD.",
        above(
            ratios(
                "optimizers",
                "variance of the mean absolute gradient component",
                history(variance),
                (_ADAMW, _SGD),
                stated=ends("4.6", "fmad", "gradient-variance-of-adamw-over-sgd"),
            )
        ),
    ),
    _claim(
        "gradients-vary-more-than-bp",
        "Appendix F.5.1, Figure 10",
        "Under AdamW FMAD's gradients vary more than BP's.",
        above(
            ratios(
                "optimizers",
                "variance of the mean absolute gradient component",
                history(variance),
                (_ADAMW, f"{BP}/adamw"),
            )
        ),
    ),
    _claim(
        "gradients-follow-bp-under-sgd",
        "Section 4.6; Appendix F.5.1, Figure 10",
        "Under SGD FMAD's gradients closely follow BP's in magnitude.",
        about(
            ratios(
                "optimizers",
                "mean absolute gradient component",
                history(magnitude),
                (_SGD, f"{BP}/sgd"),
            ),
            CLOSE,
        ),
    ),
    Claim(
        "fmad-below-bp-under-adamw",
        "Section 4.6",
        "accuracy",
        "Under AdamW FMAD ends "
        f"{span('4.6', 'fmad', 'accuracy-below-bp-checkpointing')} points below BP with "
        "checkpointing.",
        above(
            gap(
                "optimizers",
                f"{BP}/adamw",
                _ADAMW,
                stated=ends("4.6", "fmad", "accuracy-below-bp-checkpointing"),
            )
        ),
        ("optimizers",),
    ),
    _claim(
        "adamw-diverges",
        "Section 4.6; Appendix F.5.1",
        "Under AdamW some runs of FMAD end in NaN.",
        above(outcomes("optimizers", "diverged", _ADAMW, needs="any"), "some"),
    ),
    _claim(
        "sgd-converges",
        "Section 4.6; Appendix F.5.1",
        "Under SGD no run of FMAD diverges.",
        below(outcomes("optimizers", "diverged", _SGD)),
    ),
    _claim(
        "sgd-diverges",
        "Appendix C, note on learning rates",
        "Under SGD some runs of FMAD or ZO diverge, at the large ratios of parameters to "
        "directions of adapters (against Section 4.6).",
        above(outcomes("optimizers", "diverged", _SGD, "fmad-multiple/sgd", needs="any"), "some"),
    ),
)
_REDUCED = (
    *(
        _claim(
            f"{row}-steadier",
            "Appendix F.5.3, Figure 12",
            f"AdamW makes the directional derivatives of {label} spike less over those under SGD "
            "than it does FMAD-Vanilla's.",
            below(
                ratios(
                    "optimizers",
                    "largest directional derivative under AdamW over that under SGD",
                    under_adamw(history(largest)),
                    (f"{row}/adamw", _ADAMW),
                )
            ),
        )
        for row, label in (
            ("fmad-multiple", "FMAD-Multiple"),
            ("fmad-accumulate", "FMAD-Accumulate"),
        )
    ),
    _claim(
        "accumulate-steadiest",
        "Appendix F.5.3, Figure 13",
        "Under AdamW the gradients of FMAD-Accumulate vary the least.",
        below(
            ratios(
                "optimizers",
                "variance of the mean absolute gradient component",
                history(variance),
                ("fmad-accumulate/adamw", _ADAMW),
                ("fmad-accumulate/adamw", "fmad-multiple/adamw"),
            )
        ),
    ),
    _claim(
        "multiple-drifts",
        "Appendix F.5.3, Figure 13",
        "Under AdamW the gradients of FMAD-Multiple grow towards the end.",
        above(
            values(
                "optimizers",
                "mean absolute gradient component at the end over that at the start",
                history(drift),
                "fmad-multiple/adamw",
                unit="times",
                neutral=1.0,
            )
        ),
    ),
)
_SVRG = (
    _claim(
        "svrg-control-minimal",
        "Appendix F.5.2, Figure 11a",
        "With SVRG the directional derivatives at the parameters and at the snapshot hardly "
        "differ.",
        below(
            values(
                "svrg",
                "change of the directional derivative since the snapshot, as a share of it",
                history(control),
                "fmad-svrg",
                unit="",
                neutral=MINIMAL,
            )
        ),
        "svrg",
    ),
    _claim(
        "svrg-full-gradient-dominates",
        "Appendix F.5.2, Figure 11b",
        "With SVRG the full gradient is much larger than that of a batch, and dominates the "
        "update.",
        above(
            values(
                "svrg",
                "norm of the full gradient over that of the batch's",
                history(dominance),
                "fmad-svrg",
                unit="times",
                neutral=1.0,
            )
        ),
        "svrg",
    ),
)
CLAIMS = (*_SLOPES, *_REDUCED, *_SVRG)
