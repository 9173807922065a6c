"""Claims on memory, counted on the paper's models: Section 4.4, Table 2, Appendices D and F.7."""

from __future__ import annotations

import pandas as pd

from gradcost.results import compare
from gradcost.results.accounting import DEEP, DEPTH, DIRECTIONS, MODELS, PAPER_MODEL, WIDE
from gradcost.results.claims.accuracy import BP
from gradcost.results.claims.counts import (
    PUBLISHED,
    above_weights,
    activations,
    amounts,
    between_sheets,
    counted,
    grows,
    limits,
    peak,
)
from gradcost.results.claims.measures import Read, between_models
from gradcost.results.claims.quoted import cell, ends, say, span
from gradcost.results.claims.rules import TOLERANCE, Claim, Test, about, above, below, equal
from gradcost.results.tidy import Column, Row, Tidy

FMAD, ZO = "fmad-vanilla", "zo-vanilla"
SAME = 1 + TOLERANCE


def _claim(
    name: str,
    source: str,
    statement: str,
    test: Test,
    *sheets: str,
    headline: bool = False,
) -> Claim:
    return Claim(
        name, source, "memory", statement, test, sheets=sheets or MODELS, headline=headline
    )


_TOTALS = (
    _claim(
        "comparable-memory",
        "Abstract; Sections 1 and 5; Figure 3",
        "BP with checkpointing takes memory comparable to FMAD's and ZO's: no more than "
        f"{say('4.4', BP, 'memory-over-zo-most')} times as much.",
        below(
            counted(
                peak,
                (BP, FMAD),
                (BP, ZO),
                sheets=MODELS,
                neutral=cell("4.4", BP, "memory-over-zo-most") * SAME,
            )
        ),
        headline=True,
    ),
    _claim(
        "less-than-bp",
        "Section 4.4, Figure 3",
        "FMAD and ZO take less memory than BP without checkpointing.",
        below(counted(peak, (FMAD, "bp-vanilla"), (ZO, "bp-vanilla"), sheets=MODELS)),
        headline=True,
    ),
    _claim(
        "bp-out-of-memory",
        "Section 4.4, Figure 3",
        "BP without checkpointing does not fit into the "
        f"{say('4.1', 'study', 'memory-of-l40')} GB of an L40.",
        above(limits(peak, "bp-vanilla", cell("4.1", "study", "memory-of-l40"))),
        PAPER_MODEL,
    ),
    _claim(
        "checkpointing-below-fmad",
        "Section 4.4, Figure 3",
        f"BP with checkpointing takes {span('4.4', BP, 'memory-below-fmad')} GB less than FMAD.",
        above(
            counted(
                peak,
                (FMAD, BP),
                sheets=MODELS,
                difference=True,
                stated=ends("4.4", BP, "memory-below-fmad"),
            )
        ),
    ),
    _claim(
        "checkpointing-over-zo",
        "Figure 3",
        f"BP with checkpointing takes {span('4.4', BP, 'memory-over-zo')} times the memory of ZO.",
        above(counted(peak, (BP, ZO), sheets=MODELS, stated=ends("4.4", BP, "memory-over-zo"))),
    ),
    _claim(
        "fmad-activations-over-zo",
        "Section 4.4",
        "FMAD takes "
        f"{span('4.4', FMAD, 'activations-over-zo')} times ZO's memory of activations, since it "
        "holds them and their tangents.",
        above(
            counted(
                activations,
                (FMAD, ZO),
                sheets=MODELS,
                stated=ends("4.4", FMAD, "activations-over-zo"),
            )
        ),
    ),
    *(
        _claim(
            f"{row.removesuffix('-vanilla')}-activations",
            "Section 4.4",
            f"The activations of {label} take {say('4.4', row, 'activations')} GB.",
            equal(amounts(activations, {row: cell("4.4", row, "activations")})),
            PAPER_MODEL,
        )
        for row, label in ((FMAD, "FMAD"), (ZO, "ZO"))
    ),
    _claim(
        "peak-of-checkpointing",
        "Appendix F.7, Table 12",
        f"BP with checkpointing takes {say('12', BP, 'memory')} GB at its peak.",
        equal(amounts(peak, {BP: cell("12", BP, "memory")}, how=PUBLISHED)),
        PAPER_MODEL,
    ),
    _claim(
        "peak-of-zo",
        "Appendix F.7, Table 12",
        f"ZO, SignZO, ZO-Accumulate and ZO-Multiple each take {say('12', ZO, 'memory')} GB.",
        equal(
            amounts(
                peak,
                {
                    row: cell("12", row, "memory")
                    for row in (ZO, "signzo", "zo-accumulate", "zo-multiple")
                },
            )
        ),
        PAPER_MODEL,
    ),
    _claim(
        "accumulation-takes-no-memory",
        "Section 4.4",
        "Accumulation takes no more memory.",
        about(counted(peak, ("fmad-accumulate", FMAD), ("zo-accumulate", ZO)), SAME),
        PAPER_MODEL,
    ),
    _claim(
        "signzo-takes-the-memory-of-zo",
        "Appendix F.7, Table 12",
        "SignZO takes as much memory as ZO-Vanilla, and less than BP with checkpointing.",
        about(counted(peak, ("signzo", ZO)), SAME),
        PAPER_MODEL,
    ),
)
_BOUNDS = tuple(
    _claim(
        f"memory-{name}",
        "Table 2; Section 4.4" if against == "directions" else "Table 2",
        statement,
        grows("above_weights", sheet, against, *bounds, together=together),
        sheet,
    )
    for name, statement, sheet, against, bounds, together in (
        (
            "of-bp-linear-in-depth",
            "The memory of BP grows in proportion to the number of layers.",
            DEPTH, "layers", (("bp-vanilla", "linear"),), False,
        ),
        (
            "of-checkpointing-root-of-depth",
            "The memory of BP with checkpointing grows as the square root of the number of layers.",
            DEPTH, "layers", ((BP, "square root"),), False,
        ),
        (
            "of-segments-root-of-depth",
            "With a checkpoint every square root of the number of layers, which the bound is "
            "about, memory grows as that root.",
            DEPTH, "layers", (("bp-segments", "square root"),), False,
        ),
        (
            "of-both-constant-in-depth",
            "The memory of FMAD and of ZO does not depend on the number of layers.",
            DEPTH, "layers", ((FMAD, "constant"), (ZO, "constant")), False,
        ),
        (
            "of-directions-together",
            "Directions evaluated in parallel take memory in proportion to their number.",
            DIRECTIONS, "directions",
            (("fmad-multiple", "linear"), ("zo-multiple", "linear")), True,
        ),
        (
            "of-directions-in-turn",
            "Directions evaluated in turn take no more memory than one.",
            DIRECTIONS, "directions",
            (("fmad-multiple", "constant"), ("zo-multiple", "constant")), False,
        ),
    )
)  # fmt: skip
_FINER = (
    _claim(
        "finer-checkpointing-takes-less",
        "Appendix D",
        "Finer checkpointing takes less memory, and narrows the gap to ZO.",
        below(counted(above_weights, ("bp-nested", BP))),
        PAPER_MODEL,
    ),
)


def saving(data: Tidy, column: Column, row: Row) -> pd.Series:
    """Peak memory of BP without checkpointing over that of `row`, by seed."""
    plain = compare.by_name(data, "bp-vanilla")
    if plain is None:
        return pd.Series(dtype=float)
    found = [data.cell(column, one, completed=True)["peak_bytes"] for one in (plain, row)]
    return (found[0].astype(float) / found[1].astype(float)).dropna()


_SHAPE = (
    Claim(
        "checkpointing-saves-less-when-wide",
        "Appendix D",
        "memory",
        "On wide and shallow models checkpointing saves less memory than on deep and narrow ones "
        "of equal size.",
        above(
            between_models(
                "width-depth",
                "wide-llama",
                "deep-llama",
                (BP, ""),
                read=Read(
                    "peak memory without checkpointing over that with it",
                    "times",
                    saving,
                    logs=True,
                ),
            )
        ),
        ("width-depth",),
    ),
    _claim(
        "checkpointing-saves-less-when-wide-at-size",
        "Appendix D",
        "At the size of the paper's model, of which a wide and shallow and a deep and narrow form "
        "are priced, checkpointing saves less memory on the wide one.",
        above(between_sheets(above_weights, ("bp-vanilla", BP), DEEP, WIDE)),
        DEEP,
        WIDE,
    ),
)
CLAIMS = (*_TOTALS, *_BOUNDS, *_FINER, *_SHAPE)
