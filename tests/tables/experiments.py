"""Made-up experiments for the tests of their tables: a synthetic study under other names."""

from __future__ import annotations

from typing import Any

from gradcost.results.tidy import Tidy


def named(
    data: Tidy,
    experiment: str,
    *,
    settings: dict[str, tuple[str, str]] | None = None,
    methods: dict[str, tuple[str, str]] | None = None,
    models: dict[str, tuple[str, str]] | None = None,
) -> Tidy:
    """The same numbers, with settings, methods and models (name, label) called otherwise."""
    presentation: dict[str, Any] = {**data.presentation, "experiment": experiment}
    runs, history = data.runs.copy(), data.history.copy()
    for key, names in (("setting", settings), ("method", methods), ("model", models)):
        for old, (new, label) in (names or {}).items():
            for frame in (runs, history):
                frame[key] = frame[key].replace(old, new)
            presentation[f"{key}s"] = [
                {**entry, "name": new, "label": label} if entry["name"] == old else entry
                for entry in presentation[f"{key}s"]
            ]
    return Tidy(runs, history, presentation)


def without(data: Tidy, wanted: str) -> Tidy:
    """The runs that a query names, dropped: a setting that is for some methods only."""
    drop = data.runs.query(wanted).index
    return Tidy(data.runs.drop(drop), data.history, data.presentation)
