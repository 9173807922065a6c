"""What claims are judged on: the tidy tables of experiments, prices, and the theory's checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gradcost.results import theory
from gradcost.results.accounting import Accounting
from gradcost.results.tidy import MANIFEST, Tidy

PAPER = "paper"  # the scale with the models and the tasks of the paper


@dataclass(frozen=True)
class Evidence:
    """All results of a scale; what is not in it has not been run, or not for this report."""

    scale: str
    experiments: Mapping[str, Tidy] = field(default_factory=dict)
    accounting: Accounting = field(default_factory=lambda: Accounting.of([]))
    theory: Sequence[theory.Check] = ()

    @classmethod
    def load(cls, paths: Sequence[Path], scale: str) -> Evidence:
        """Read manifests of experiments, sheets of prices and a theory.json, in any order."""
        experiments = [Tidy.load(path.parent) for path in paths if path.name == MANIFEST]
        sheets = [path for path in paths if path.name not in (MANIFEST, theory.FILE)]
        verified = [theory.Theory.load(path) for path in paths if path.name == theory.FILE]
        return cls(
            scale,
            {data.presentation["experiment"]: data for data in experiments},
            Accounting.load(sheets),
            [check for one in verified for check in one.checks],
        )
