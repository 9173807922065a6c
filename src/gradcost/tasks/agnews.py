"""AG News (Zhang et al., 2015; paper, appendix B): the topic of a news article.

120,000 training texts; the 7,600 of the test split are halved by position into
validation and test, as the paper does. Raw text, no template.
"""

from __future__ import annotations

from gradcost.tasks import sources

LABELS = ("World", "Sports", "Business", "Sci/Tech")
_FILES = {"train": "train*.parquet", "test": "test*.parquet"}


def pools(source: sources.Source) -> dict[str, list[tuple[str, int]]]:
    """The official splits, the test split halved."""
    found = {
        split: [(row["text"], row["label"]) for row in rows]
        for split, rows in sources.rows(source, _FILES, ("text", "label")).items()
    }
    return {
        "train": found["train"],
        "validation": found["test"][0::2],
        "test": found["test"][1::2],
    }
