"""What finer checkpointing would take on the paper's model: a question of its Appendix D.

The paper expects it to narrow the distance to the memory of ZO, at the price of time.
"""

from __future__ import annotations

from gradcost.results.accounting import PAPER_MODEL, Accounting
from gradcost.tables import latex

POLICIES = ("bp-nested", "bp-segments", "bp-selective", "bp-offload")
BASE, ZEROTH = "bp-checkpointing", "zo-vanilla"


def say(data: Accounting) -> str:
    """Each policy in multiples of a checkpoint at every layer, and those two against ZO."""
    base, zeroth = (data.step(PAPER_MODEL, method) for method in (BASE, ZEROTH))
    steps = [step for one in POLICIES if (step := data.step(PAPER_MODEL, one)) is not None]
    if base is None or not steps:
        return "No finer checkpointing is priced."
    found = []
    for step in steps:
        times = [
            latex.number(float(step[key] / base[key]), 2) for key in ("above_weights", "step_flops")
        ]
        host = float(step["peak_host"])
        beside = f" (and {latex.scaled(host, 'B')} of the host's memory)" if host else ""
        found.append(f"{latex.escape(step['label'])} {times[0]} times{beside} for {times[1]}")
    model = latex.escape(data.facts[PAPER_MODEL].label)
    text = (
        f"In multiples of {latex.escape(base['label'])} on {model}, "
        "the memory above the weights, and the FLOPs of a step for it, are counted to be: "
        f"{'; '.join(found)}."
    )
    if zeroth is None:
        return text
    least = min(steps, key=lambda step: float(step["above_weights"]))
    against = [
        f"{latex.number(float(step['above_weights'] / zeroth['above_weights']), 1)} "
        f"({latex.escape(step['label'])})"
        for step in (base, least)
    ]
    return (
        f"{text} In multiples of that of {latex.escape(zeroth['label'])}, this memory is "
        f"{latex.listing(against)}."
    )
