"""What somebody may have meant who misspelt a name."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any


def nearest(value: Any, known: Iterable[str]) -> str:
    """A question to the user who may have misspelt one of `known`, or nothing."""
    near = get_close_matches(str(value), list(known), n=1)
    return f"did you mean {near[0]!r}? " if near else ""
