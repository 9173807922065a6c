"""What the accuracy of a row is compared with: another row of the same experiment, by name."""

from __future__ import annotations

from collections.abc import Callable

from gradcost.results.tidy import PUBLISHED, Row, Tidy

# The row that a row's differences are taken to; None for that row itself, and if there is none.
Reference = Callable[[Tidy, Row], Row | None]


def default(data: Tidy, row: Row) -> Row | None:
    """The same method in its default setting."""
    return _other(row, find(data, row.method, "default"))


def setting(name: str) -> Reference:
    """The same method in the setting of that name."""
    return lambda data, row: _other(row, find(data, row.method, name))


def vanilla(data: Tidy, row: Row) -> Row | None:
    """The family's Vanilla (of BP, with checkpointing if without is not run)."""
    names = [f"{row.family}-vanilla", f"{row.family}-checkpointing"]
    return _other(row, _nearest(data, row, names))


def bp(data: Tidy, row: Row) -> Row | None:
    """Backpropagation, without checkpointing if that is run, which does not change a gradient."""
    return _other(row, _nearest(data, row, ["bp-vanilla", "bp-checkpointing"]))


def published(data: Tidy, row: Row) -> Row | None:
    """The same method as the paper's public code runs it."""
    return _other(row, find(data, row.method + PUBLISHED, row.setting))


def find(data: Tidy, method: str, setting: str) -> Row | None:
    """The row of a method in a setting, if the experiment has it."""
    return next((row for row in data.rows if (row.method, row.setting) == (method, setting)), None)


def _nearest(data: Tidy, row: Row, methods: list[str]) -> Row | None:
    """Of the first of these methods that is run: in the same setting, or training the same."""
    for method in methods:
        found = [other for other in data.rows if other.method == method]
        if found:
            return min(
                found,
                key=lambda other: (
                    other.setting != row.setting,
                    trained(data, other) != trained(data, row),
                ),
            )
    return None


def trained(data: Tidy, row: Row) -> str | None:
    """What a row trains, as its records say: `lora`, `all`, `sparse`; None without a record."""
    runs = data.runs
    found = runs.loc[
        (runs["method"] == row.method) & (runs["setting"] == row.setting), "trainable"
    ].dropna()
    return None if found.empty else str(found.iloc[0])


def _other(row: Row, found: Row | None) -> Row | None:
    return None if found == row else found
