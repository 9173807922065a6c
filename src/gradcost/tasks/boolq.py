"""BoolQ (Clark et al., 2019; paper, appendix B): a yes/no question about a passage.

9,427 training pairs; the 3,270 of the validation split are halved by position into
validation and test, as the paper does.
"""

from __future__ import annotations

from typing import Any

from gradcost.tasks import sources

LABELS = ("no", "yes")
_FILES = {"train": "train*.parquet", "validation": "validation*.parquet"}


def pools(source: sources.Source) -> dict[str, list[tuple[str, int]]]:
    """The official splits, the validation split halved."""
    found = {
        split: [(_prompt(row), int(row["answer"])) for row in rows]
        for split, rows in sources.rows(source, _FILES).items()
    }
    return {
        "train": found["train"],
        "validation": found["validation"][0::2],
        "test": found["validation"][1::2],
    }


def _prompt(row: dict[str, Any]) -> str:
    # the question comes first: an input that is too long is cut at its end
    return f"Question: {row['question']}?\nPassage: {row['passage']}"
