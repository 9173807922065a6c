"""What the tasks about images have in common: a question and several people's answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from gradcost.tasks.example import Example


def example(
    question: str, answers: Sequence[str], image: str, where: str, answer: str | None = None
) -> Example:
    """A question about an image.

    Args:
        question: as it was asked.
        answers: of ten people, or of however many there are.
        image: see `Example`.
        where: what an error calls it.
        answer: the target; default: the most frequent of `answers`, the first of equals.

    Raises:
        ValueError: if nobody has answered, or an answer is no text.
    """
    # a test split hides its answers: there are none, or each is empty
    if not any(answers):
        raise ValueError(f"{where}: has no answers; are these of the test split, which hides them?")
    if None in answers:
        raise ValueError(f"{where}: answers = {list(answers)}")
    target = answer or Counter(filter(None, answers)).most_common(1)[0][0]
    prompt = f"{question}\nAnswer with a single word or phrase."
    return Example(prompt, target, tuple(answers), image)
