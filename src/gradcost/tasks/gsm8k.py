"""GSM8K (Cobbe et al., 2021; paper, appendix B): word problems whose answer is a number.

The target is the final number alone, without the steps to it, as the paper says;
`gsm8k_solutions` has the steps too, as the public code. 7,473 problems to train on, of which
validation is drawn, since there is no split for it, and 1,319 to test, of `openai/gsm8k`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from gradcost.tasks import sources
from gradcost.tasks.example import Example

SCORER = "number"
NEW_TOKENS = 16
_FILES = {"train": "train*.parquet", "test": "test*.parquet"}
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


@dataclass(frozen=True)
class Problem:
    """A question, the steps to its answer, and the answer."""

    question: str
    steps: str
    number: str

    def example(self, *, with_steps: bool = False) -> Example:
        """The number as target, or the steps to it without their calculator's marks."""
        steps = re.sub("<<.*?>>", "", self.steps)
        target = f"{steps}\n#### {self.number}" if with_steps else self.number
        return Example(f"Question: {self.question}\nAnswer:", target, (self.number,))


def pools(source: sources.Source) -> dict[str, list[Example]]:
    """The official splits, with final answers as targets."""
    return {name: [one.example() for one in part] for name, part in problems(source).items()}


def problems(source: sources.Source) -> dict[str, list[Problem]]:
    """The official splits.

    Raises:
        ValueError: naming the row whose answer does not end in a number.
    """
    return {
        split: [problem(row, f"GSM8K, {split}, row {index}") for index, row in enumerate(rows)]
        for split, rows in sources.rows(source, _FILES, ("question", "answer")).items()
    }


def problem(row: Mapping[str, str], where: str) -> Problem:
    """A question, and an answer that ends in `#### ` and a number."""
    steps, _, last = row["answer"].strip().rpartition("####")
    number = last.strip().replace(",", "")
    if not _NUMBER.fullmatch(number):
        raise ValueError(
            f"{where}: the answer {row['answer'][-60:]!r} does not end in `#### ` and a number"
        )
    return Problem(row["question"], steps.strip(), number)
