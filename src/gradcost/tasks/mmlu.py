"""MMLU (Hendrycks et al., 2021; paper, appendix B): questions with four options.

All options are in the prompt, and the target is the letter of the right one. 99,842 questions
to train on (the auxiliary ones of `cais/mmlu`, subset `all`), 1,531 to validate and 14,042 to
test. No question of the test split is trained on, nor are the five of each subject that others
put into prompts.
"""

from __future__ import annotations

from typing import Any

from gradcost.tasks import sources
from gradcost.tasks.example import Example

SCORER = "letter"
NEW_TOKENS = 4
LETTERS = "ABCD"
_SPLITS = {"train": "auxiliary_train", "validation": "validation", "test": "test"}


def pools(source: sources.Source) -> dict[str, list[Example]]:
    """The official splits.

    Raises:
        ValueError: naming the row that has not four options, or whose answer is none of them.
    """
    files = {split: f"{split}*.parquet" for split in _SPLITS.values()}
    found = sources.rows(source, files, ("question", "choices", "answer"))
    return {
        name: [_example(row, f"MMLU, {split}, row {i}") for i, row in enumerate(found[split])]
        for name, split in _SPLITS.items()
    }


def _example(row: dict[str, Any], where: str) -> Example:
    if len(row["choices"]) != len(LETTERS):
        raise ValueError(f"{where}: choices has {len(row['choices'])} options, not four")
    if row["answer"] not in range(len(LETTERS)):
        raise ValueError(f"{where}: answer = {row['answer']!r}, which is no option")
    options = "".join(
        f"{letter}. {text}\n" for letter, text in zip(LETTERS, row["choices"], strict=True)
    )
    answer = LETTERS[row["answer"]]
    return Example(f"Question: {row['question']}\n{options}Answer:", answer, (answer,))
