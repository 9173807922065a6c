"""The halves of a split whose test split is hidden: one to validate on, one to test on."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import TypeVar

T = TypeVar("T")


def halves(rows: Iterable[tuple[Hashable, T]]) -> tuple[list[T], list[T]]:
    """Every other group, in the order in which the groups first come.

    Args:
        rows: each with its group, which is not torn: a paragraph or an image.
    """
    places: dict[Hashable, int] = {}
    parts: tuple[list[T], list[T]] = ([], [])
    for group, row in rows:
        parts[places.setdefault(group, len(places)) % 2].append(row)
    return parts
