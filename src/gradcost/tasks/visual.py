"""What the tasks about images have in common: a question and several people's answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from gradcost.tasks.example import Example


def example(
    question: str, answers: Sequence[str], image: str, answer: str | None = None
) -> Example:
    """A question about an image.

    Args:
        question: as it was asked.
        answers: of ten people, or of however many there are.
        image: see `Example`.
        answer: the target; default: the most frequent of `answers`, the first of equals.
    """
    target = answer or Counter(answers).most_common(1)[0][0]
    prompt = f"{question}\nAnswer with a single word or phrase."
    return Example(prompt, target, tuple(answers), image)
