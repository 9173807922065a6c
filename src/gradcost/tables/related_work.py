"""Which costs earlier studies measured: Table 1 of the paper, with a last line for this study."""

from __future__ import annotations

import pandas as pd

from gradcost.results import paper
from gradcost.results.tidy import Tidy
from gradcost.tables import latex

COLUMNS = r"@{}lccc>{\raggedright\arraybackslash}p{0.34\linewidth}@{}"
HEADER = [r"Study & time & memory & computation & contribution \\"]
# what Table 1 asks of a study -> the column of the runs that answers it for this one
MEASURES = {
    "convergence-time": "training_seconds",
    "memory": "peak_bytes",
    "computation": "step_flops",
}


def render(data: Tidy) -> str:
    """A line a study; what this one measured is read from the runs."""
    cells = paper.table().query("table == '1'")
    lines = []
    for name, of_study in cells.groupby("row", sort=False):
        first = of_study.iloc[0]
        lines.append(
            [
                latex.escape("The paper" if name == "this-paper" else first["row_label"]),
                *(_tick(paper.number("1", str(name), measure) == 1) for measure in MEASURES),
                _text(of_study.set_index("column").loc["contribution", "note"]),
            ]
        )
    body = latex.grouped(lines, range(len(lines)))  # apart: a contribution takes several lines
    return latex.tabular(COLUMNS, HEADER, [*body, r"\midrule", _this_study(data)])


def _this_study(data: Tidy) -> list[str]:
    trained = data.runs[(data.runs["family"] != "none") & (data.runs["outcome"] == "completed")]
    measured = [_measured(trained[column]) for column in MEASURES.values()]
    return ["This study", *map(_tick, measured), _text(_extent(data, trained))]


def _measured(values: pd.Series[float]) -> bool:
    """Whether every run has it."""
    return bool(len(values) and values.notna().all())


def _extent(data: Tidy, trained: pd.DataFrame) -> str:
    tasks = latex.listing([column.label for column in data.columns])
    methods = len({row.method for row in data.trained})
    text = f"{methods} methods on {tasks}, {len(trained)} runs that completed"
    compared = "bp-checkpointing" in set(trained["method"])
    return text + (", BP with checkpointing among them." if compared else ".")


def _tick(yes: bool) -> str:
    return "yes" if yes else latex.DASH


def _text(words: object) -> str:
    """Escaped, without a break before a percent sign."""
    return latex.escape(words).replace(r" \%", r"~\%")
