"""What the workflow puts into reports/<scale>/ of made-up studies, for the page and not the PDF."""

from __future__ import annotations

import shutil
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml

from gradcost.figures.save import save
from gradcost.results import screening
from gradcost.results.claims.ledger import KINDS, VERDICTS, Entry, Finding, Ledger
from gradcost.study.config import modules_of
from gradcost.tables import contents, learning_rates, settings
from tests.results.synthetic import study
from tests.results.synthetic_accounting import accounting
from tests.results.synthetic_theory import theory

SOURCES = Path(__file__).parents[2] / "reports"
_EXPERIMENTS = yaml.safe_load((SOURCES.parent / "config.yaml").read_text())["experiments"]
_FORWARD = ("bp-checkpointing", "zo-vanilla", "zo-multiple", "fmad-vanilla", "fmad-multiple")
# experiments of the report -> what of `results.synthetic` stands for them
GRIDS: dict[str, dict[str, Any]] = {
    "accuracy": {"seeds": (0, 1)},
    "perturbations": {"methods": _FORWARD, "settings": ("default", "more"), "tasks": ("r8-4",)},
    "model-size": {
        "methods": ("no-finetuning", "bp-checkpointing", "zo-vanilla", "fmad-vanilla"),
        "models": ("tiny", "small", "large"), "tasks": ("r8-4",),
    },
}  # fmt: skip


CLAIMS = 16


def lay_out(root: Path, grids: dict[str, dict[str, Any]]) -> Path:
    """The sources of the report below `root`, and beside them a folder of made-up artefacts."""
    shutil.copytree(SOURCES / "parts", root / "parts")
    for source in SOURCES.glob("*.tex"):
        shutil.copy(source, root)
    folder = root / "demo"
    records = {}
    experiments = []
    for name, grid in grids.items():
        data = study(root / "data" / name, **grid)
        data = replace(data, presentation={**data.presentation, "experiment": name})
        _artefacts(data, folder / name, _EXPERIMENTS[name])
        experiments.append(data)
        records[name] = f"../../results/demo/experiments/{name}/manifest.json"
        if name == "accuracy":
            screening.choose(data).to_csv(root / "screening.csv", index=False)
            rates = learning_rates.render(root / "screening.csv")
            (folder / name / "learning-rates.tex").write_text(rates)
    priced = {kind: modules_of(kind, "accounting") for kind in ("tables", "figures")}
    _artefacts(accounting(root / "sheets"), folder / "accounting", priced, "accounting.")
    records["accounting"] = "../../results/demo/accounting"
    proved = {kind: modules_of(kind, "theory") for kind in ("tables", "figures")}
    _artefacts(theory(root), folder / "theory", proved, "theory.")
    records["theory"] = "../../results/demo/theory/theory.json"
    _artefacts(_ledger(), folder / "claims", {"tables": modules_of("tables", "claims")}, "claims.")
    records["claims"] = "../../results/demo/claims.json"
    (folder / "contents.tex").write_text(contents.render(records))
    (folder / "settings.tex").write_text(settings.write(experiments))
    return folder


def _ledger() -> Ledger:
    """Claims of every verdict and of several kinds."""
    entries = []
    for index in range(CLAIMS):
        verdict = VERDICTS[index % len(VERDICTS)]
        finding = {"verdict": verdict, "unit": "points", "scale": "demo", "said": "A_b minus B"}
        if verdict != "not tested":
            finding |= {"value": 3.25, "low": -1.5, "high": 8.0, "n": 3, "size": "not tested"}
        entries.append(
            Entry(
                id=f"claim-{index}",
                source=f"Table {index}",
                kind=KINDS[index % 3],
                statement=f"At size {index}, 50% & more.",
                headline=True,
                finding=Finding.model_validate(finding),
            )
        )
    return Ledger(scale="demo", claims=entries)


def _artefacts(data: Any, out: Path, named: dict[str, Any], package: str = "") -> None:
    out.mkdir(parents=True)
    for name in named.get("tables", ()):
        (out / f"{name}.tex").write_text(_module(f"tables.{package}{name}").render(data))
    for name in named.get("figures", ()):
        save(_module(f"figures.{package}{name}").draw(data), out / f"{name}.svg")


def _module(name: str) -> Any:
    return import_module(f"gradcost.{name.replace('-', '_')}")
