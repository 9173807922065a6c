"""GSM8K (Cobbe et al., 2021; paper, appendix B): word problems whose answer is a number.

The target is the final number alone, without the steps to it, as the paper says;
`gsm8k_solutions` has the steps too, as the public code. 7,473 problems to train on, of which
validation is drawn, since there is no split for it, and 1,319 to test, of `openai/gsm8k`.
"""

from __future__ import annotations

import re

from gradcost.tasks import sources
from gradcost.tasks.example import Example

SCORER = "number"
NEW_TOKENS = 16
_FILES = {"train": "train*.parquet", "test": "test*.parquet"}
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


def pools(source: sources.Source) -> dict[str, list[Example]]:
    """The official splits, with final answers as targets."""
    return {
        split: [Example(_prompt(question), number, (number,)) for question, _, number in problems]
        for split, problems in read(source).items()
    }


def solutions(source: sources.Source) -> dict[str, list[Example]]:
    """The official splits, with worked solutions as targets, without their calculator's marks."""
    return {
        split: [
            Example(_prompt(question), f"{re.sub('<<.*?>>', '', steps)}\n#### {number}", (number,))
            for question, steps, number in problems
        ]
        for split, problems in read(source).items()
    }


def read(source: sources.Source) -> dict[str, list[tuple[str, str, str]]]:
    """Question, steps and final number of each problem.

    Raises:
        ValueError: naming the row whose answer does not end in a number.
    """
    found: dict[str, list[tuple[str, str, str]]] = {}
    for split, rows in sources.rows(source, _FILES).items():
        found[split] = []
        for index, row in enumerate(rows):
            steps, _, last = row["answer"].rpartition("####")
            number = last.strip().replace(",", "")
            if not _NUMBER.fullmatch(number):
                raise ValueError(
                    f"GSM8K, {split}, row {index}: the answer {row['answer'][-60:]!r} does not "
                    "end in `#### ` and a number"
                )
            found[split].append((row["question"], steps.strip(), number))
    return found


def _prompt(question: str) -> str:
    return f"Question: {question}\nAnswer:"
