"""What a task whose answer is text has for the model to read, and to be scored by."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Example:
    """A prompt, and the text that should follow it.

    Attributes:
        prompt: what the model reads.
        answer: what it learns to continue with.
        references: what a scorer compares an answer with: one text, or ten people's.
        image: the name of a picture that the prompt is about, known to the function `images`
            of the dataset's module.
        group: what must not be in two splits, such as a template; default: the image, or else
            the prompt.
    """

    prompt: str
    answer: str
    references: tuple[str, ...]
    image: str | None = None
    group: str | None = None
