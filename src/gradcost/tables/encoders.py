"""Encoders of medium size, after the paper's Figure 6 and Appendix F.2.

The paper states, for each model, the least and the most that FMAD and ZO end below
backpropagation, and not which of them is which: both have the same range here. At another scale
the models are others, and the paper's ranges stand beside those of the same family in the order
of size, with the model that each is of.
"""

from __future__ import annotations

from gradcost.results import paper
from gradcost.results.tidy import Column, Row, Tidy
from gradcost.tables import grid, latex, references, said

PAPER = {  # from the smaller to the larger of each family
    "bert-base": "BERT Base",
    "bert-large": "BERT Large",
    "roberta-base": "RoBERTa Base",
    "roberta-large": "RoBERTa Large",
}


def render(data: Tidy) -> str:
    """Accuracy, difference to backpropagation and cost, model by model."""
    entries = [
        *grid.ACCURACY,
        grid.minus("BP", references.bp),
        grid.Entry("paper", lambda data, column, row: _gap(row, stands_for(data, column))),
        grid.FORWARDS,
        grid.MEMORY,
        *grid.times(data),
    ]
    return grid.table(data, entries, title=grid.aimed(data))


def say(data: Tidy) -> str:
    """Forward mode and zeroth order against backpropagation of the same model."""
    return said.differences(data, references.bp, [r for r in data.trained if r.family != "bp"])


def stands_for(data: Tidy, column: Column) -> str | None:
    """The paper's model of the same family and place in the order of size; None if there is none.

    It tells families by the names of models, and has two sizes of each.
    """
    if column.model in PAPER:
        return column.model
    family = _family(column.model)
    models = dict.fromkeys(one.model for one in data.columns if _family(one.model) == family)
    theirs = [name for name in PAPER if _family(name) == family]
    if family is None or len(models) != len(theirs):
        return None
    return theirs[list(models).index(column.model)]


def _family(model: str) -> str | None:
    return next((name for name in ("roberta", "bert") if name in model), None)


def _gap(row: Row, model: str | None) -> str:
    if row.family not in ("fmad", "zo") or model is None:
        return latex.DASH
    ends = [paper.number("F.2", model, f"fmad-and-zo-below-bp-{end}") for end in ("least", "most")]
    if None in ends:
        return latex.DASH
    gaps = " to ".join(latex.number(None if end is None else -end, 2) for end in ends)
    return f"{gaps} ({PAPER[model]})"
