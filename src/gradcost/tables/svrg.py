"""What SVRG's estimate is made of, after the paper's Figure 11 and Appendix F.5.2.

The paper says of GSM8K that the slope at the parameters hardly differs from that at the snapshot,
and that the full gradient is large beside that of a batch. All are medians over steps, and then
over runs. In SVRG both slopes are along the same direction, so a difference that is small beside
the slope is what the method wants: it is the correction's own noise.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from gradcost.results.tidy import Column, Row, Tidy
from gradcost.tables import grid, latex, references, said


def render(data: Tidy) -> str:
    """Accuracy against Vanilla, the two slopes and their difference, and both norms."""
    entries = [
        *grid.ACCURACY,
        grid.minus("Vanilla", references.vanilla),
        *(
            grid.Entry(head, _median(name), over)
            for head, name, over in (
                ("at $w$", "slope", "absolute slope"),
                ("at $s$", "snapshot", "absolute slope"),
                ("difference", "difference", "absolute slope"),
                ("ratio", "share", "absolute slope"),
                ("batch", "batch", "gradient norm"),
                ("full", "full", "gradient norm"),
                ("ratio", "norms", "gradient norm"),
            )
        ),
    ]
    return grid.table(data, entries)


def say(data: Tidy) -> str:
    """Whether SVRG gains, and how large its parts are."""

    def parts(column: Column) -> str:
        found = [
            f"of {latex.escape(row.label)} the median difference of the two slopes is "
            f"{_median('share')(data, column, row)} of the median slope, and the norm of the full "
            f"gradient {_median('norms')(data, column, row)} times that of a batch's"
            for row in data.trained
            if not components(data, column, row).empty
        ]
        return f"{latex.listing(found)}." if found else ""

    rows = [row for row in data.trained if row.strategy == "svrg"]
    return said.joined(said.differences(data, references.vanilla, rows), said.each(data, parts))


def components(data: Tidy, column: Column, row: Row) -> pd.DataFrame:
    """The medians over the steps of each run that has a snapshot, by seed.

    Returns:
        `slope`, `snapshot` and `difference`, absolute, over steps and directions; `share`, the
        third in the first; `batch` and `full`, norms; `norms`, the second in the first.
    """
    curves = data.curves(column, row, completed=False)
    curves = curves.dropna(subset=["projections", "snapshot_projections"])
    found = {seed: _medians(run) for seed, run in curves.groupby("seed") if len(run)}
    return pd.DataFrame(found).T


def _medians(run: pd.DataFrame) -> dict[str, float]:
    here = np.concatenate([np.asarray(value, float) for value in run["projections"]])
    there = np.concatenate([np.asarray(value, float) for value in run["snapshot_projections"]])
    slope, snapshot, difference = (
        float(np.nanmedian(np.abs(values))) for values in (here, there, here - there)
    )
    batch, full = (float(run[f"{key}_gradient_norm"].median()) for key in ("batch", "full"))
    return {
        "slope": slope,
        "snapshot": snapshot,
        "difference": difference,
        "share": difference / slope if slope else float("nan"),
        "batch": batch,
        "full": full,
        "norms": full / batch if batch else float("nan"),
    }


def _median(name: str) -> grid.Cell:
    def cell(data: Tidy, column: Column, row: Row) -> str:
        found = components(data, column, row)
        return latex.DASH if found.empty else latex.significant(float(found[name].median()), 2)

    return cell
