"""What claims are judged on: the tidy tables of experiments, prices, and the theory's checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gradcost.results.accounting import Accounting
from gradcost.results.tidy import MANIFEST, Tidy
from gradcost.study.files import read_json

THEORY = "theory.json"
PAPER = "paper"  # the scale with the models and the tasks of the paper


@dataclass(frozen=True)
class Evidence:
    """All results of a scale; what is not in it has not been run, or not for this report."""

    scale: str
    experiments: Mapping[str, Tidy] = field(default_factory=dict)
    accounting: Accounting = field(default_factory=lambda: Accounting.of([]))
    theory: Sequence[Mapping[str, Any]] = ()

    @classmethod
    def load(cls, paths: Sequence[Path], scale: str) -> Evidence:
        """Read manifests of experiments, sheets of prices and a theory.json, in any order."""
        experiments = [Tidy.load(path.parent) for path in paths if path.name == MANIFEST]
        sheets = [path for path in paths if path.name not in (MANIFEST, THEORY)]
        checks = [check for path in paths if path.name == THEORY for check in _checks(path)]
        return cls(
            scale,
            {data.presentation["experiment"]: data for data in experiments},
            Accounting.load(sheets),
            checks,
        )


def _checks(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = read_json(path)["checks"]
    return found
