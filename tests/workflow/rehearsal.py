"""The report at the scale of the paper before a single GPU hour: with records that the demo lends.

    python -m tests.workflow.rehearsal FOLDER

makes a copy of the project in FOLDER, gives each run of the paper scale the record that the
published demo has of its method and setting, with the run's own name and spec, and packs them, so
that everything from records to the PDF is run on as many models, tasks and runs as the paper's
study has. The scale is named `rehearsal`: what it says is about no model.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
from collections import defaultdict
from pathlib import Path

from gradcost.results import published
from gradcost.study import config, record, runs
from gradcost.study.pipeline import Pipeline
from gradcost.study.record import Record
from gradcost.study.runs import Run
from tests.workflow.conftest import Project, copy_project

ROOT = Path(__file__).parents[2]
OVERLAY = "rehearsal.yaml"
# of the records that are lent, one in so many is missing, and one in so many has diverged
MISSING, DIVERGED = 97, 61


def project(folder: Path) -> Project:
    return Project(folder, folder / OVERLAY)


def rehearse(folder: Path) -> Pipeline:
    """Make the copy, with its published records."""
    copy_project(folder)
    (folder / OVERLAY).write_text("scale: rehearsal\n")
    known = Pipeline(config.read(folder / "config.yaml", folder / OVERLAY))
    demo, results = folder / "lent", folder / known.results
    published.unpack(ROOT / "reports/published/demo.zip", demo)
    asked = list(dict.fromkeys(run for name in known.standing for run in known.grids[name]))
    lend(known, asked, demo, results)
    others = [Path(path).relative_to(known.results).as_posix() for path in known.computed]
    for name in others:
        (results / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(demo / name, results / name)
    published.pack(results, [run.path for run in asked], others, folder / known.pack)
    return known


def lend(known: Pipeline, asked: list[Run], demo: Path, results: Path) -> None:
    """Write a record for each run, but for a few."""
    lenders: dict[tuple[str, str], list[Path]] = defaultdict(list)
    methods: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(demo.rglob(record.RECORD)):
        method, setting = path.parent.parts[-3:-1]
        lenders[method, setting].append(path.parent)
        methods[method].append(path.parent)
    for run in asked:
        number = int(hashlib.sha256(run.path.encode()).hexdigest()[:8], 16)
        if number % MISSING == 0:
            continue
        described = run.method.removesuffix("-published")
        found = lenders[run.method, run.setting] or methods[run.method] or methods[described]
        one, history = record.read(found[run.seed % len(found)])
        record.write(results / run.path, _as(known, run, one, number), history)


def _as(known: Pipeline, run: Run, lent: Record, number: int) -> Record:
    """The lent record under the run's name, its accuracy moved a little by model and task."""
    name = record.RunName(
        model=run.model, task=run.task, method=run.method, setting=run.setting, seed=run.seed
    )
    changes = {"run": name, "spec": runs.spec(known.study, run)}
    if number % DIVERGED == 0:
        changes |= {
            "outcome": "diverged", "reason": "the loss is not finite", "validation": None,
            "test": None,
        }  # fmt: skip
    elif lent.test is not None:
        offset = len(run.model + run.task) % 7 / 100
        accuracy = min(1.0, lent.test.accuracy + offset)
        changes["test"] = lent.test.model_copy(update={"accuracy": accuracy})
    return lent.model_copy(update=changes)


if __name__ == "__main__":
    copy = Path(sys.argv[1]).resolve()
    copy.mkdir(parents=True, exist_ok=True)
    rehearse(copy)
    print(project(copy).snakemake("--config", "published=True"))
