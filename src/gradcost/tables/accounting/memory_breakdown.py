"""Peak memory of a step by category, after the paper's Figure 3."""

from __future__ import annotations

from typing import Any

import pandas as pd

from gradcost.results import paper
from gradcost.results.accounting import GB, MODELS, PAPER_MODEL, Accounting
from gradcost.tables import latex

CARDS = (24, 48)
_COLUMNS = 9 + len(CARDS)
HEADER = [
    r" & \multicolumn{5}{c}{alive at the peak} & & \multicolumn{2}{c}{paper}"
    rf" & \multicolumn{{{len(CARDS)}}}{{c@{{}}}}{{largest batch in}} \\",
    rf"\cmidrule(lr){{2-6}}\cmidrule(lr){{8-9}}\cmidrule(l){{10-{_COLUMNS}}}",
    "Method & weights & trained & activations & directions & other & peak & activ. & peak & "
    + " & ".join(rf"{card}\,GB" for card in CARDS)
    + r" \\",
]


def render(data: Accounting) -> str:
    """In GB. `trained`: the trained numbers, their gradients and states; `other`: workspace."""
    body: list[list[str] | str] = []
    for name in MODELS:
        sheet = data.sheet(name)
        if sheet is None:
            continue
        body.append(latex.heading(latex.escape(sheet.label), _COLUMNS, first=not body))
        steps = [step for _, step in data.steps(name).iterrows()]
        lines = [_line(step, theirs=name == PAPER_MODEL) for step in steps]
        body += latex.grouped(lines, [step["family"] for step in steps])
    if not body:
        body = [rf"\multicolumn{{{_COLUMNS}}}{{@{{}}l}}{{no model is priced}} \\"]
    return latex.tabular("@{}l" + "r" * (_COLUMNS - 1) + "@{}", HEADER, body)


def _line(step: pd.Series[Any], *, theirs: bool) -> list[str]:
    trained = sum(step[f"peak_{key}"] for key in ("trainable_parameters", "gradients", "states"))
    method = str(step["method"])
    # the paper's are of directions in turn
    theirs = theirs and int(step["at_once"]) == 1
    host = int(step["peak_host"])
    beside = rf" \emph{{+\,{latex.number(host / GB, 2)} host}}" if host else ""
    return [
        latex.escape(step["name"]) + beside,
        *(
            latex.number(value / GB, 2)
            for value in (
                step["peak_frozen_weights"],
                trained,
                step["peak_activations"],
                step["peak_directions"],
                step["peak_workspace"],
                step["peak_bytes"],
            )
        ),
        latex.number(paper.number("4.4", method, "activations") if theirs else None, 2),
        latex.number(paper.memory(method) if theirs else None, 2),
        *(latex.count(step.get(f"largest_batch_{card}")) for card in CARDS),
    ]
