"""GSM8K with the worked solution as target, as the paper's public code trains it."""

from __future__ import annotations

from gradcost.tasks import gsm8k, sources
from gradcost.tasks.example import Example

SCORER = "number"
NEW_TOKENS = 256


def pools(source: sources.Source) -> dict[str, list[Example]]:
    """The splits of `gsm8k`."""
    return {
        name: [one.example(with_steps=True) for one in part]
        for name, part in gsm8k.problems(source).items()
    }
