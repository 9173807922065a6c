"""How directions are drawn, after the paper's Figure 14 and Appendix F.6.

The paper states no numbers there: normal above uniform, and both above themselves normalised.
A normalised direction has length 1, so that the mean of its estimates is 1/d of the gradient:
AdamW does without that factor, SGD takes it as a smaller learning rate.
"""

from __future__ import annotations

from gradcost.results.tidy import Tidy
from gradcost.tables import grid, references, said


def render(data: Tidy) -> str:
    """Accuracy and differences to normal directions."""
    entries = [
        *grid.ACCURACY,
        grid.minus("normal", references.default),
        *grid.STEP,
        *grid.times(data),
    ]
    return grid.table(data, entries, title=grid.aimed(data))


def say(data: Tidy) -> str:
    """Every distribution against the normal one."""
    return said.differences(data, references.default, name="normal directions")
