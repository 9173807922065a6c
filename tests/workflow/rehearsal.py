"""The report at the scale of the paper before a single GPU hour: with records that the demo lends.

    python -m tests.workflow.rehearsal FOLDER

makes a copy of the project in FOLDER, gives each run of the paper scale the record that the
published demo has of its method and setting, with the run's own name and spec, and packs them, so
that everything from records to the PDF is run on as many models, tasks and runs as the paper's
study has. The scale is named `rehearsal`: what it says is about no model.
"""

from __future__ import annotations

import shutil
import sys
from collections import defaultdict
from dataclasses import asdict
from pathlib import Path

from gradcost.results import published
from gradcost.study import config, record, runs
from gradcost.study.pipeline import Pipeline
from gradcost.study.record import Record
from gradcost.study.runs import Run
from gradcost.study.seeds import derive
from tests.workflow.conftest import Project, copy_project

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
    published.unpack(folder / "reports/published/demo.zip", demo)
    lend(known, demo, results)
    others = [Path(path).relative_to(known.results).as_posix() for path in known.computed]
    for name in others:
        (results / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(demo / name, results / name)
    published.pack(results, [run.path for run in known.reported], others, folder / known.pack)
    return known


def lend(known: Pipeline, demo: Path, results: Path) -> None:
    """Write a record for each run of the report, but for a few."""
    lenders: dict[tuple[str, str], list[Path]] = defaultdict(list)
    methods: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(demo.rglob(record.RECORD)):
        method, setting = path.parent.parts[-3:-1]
        lenders[method, setting].append(path.parent)
        methods[method].append(path.parent)
    for run in known.reported:
        number = derive(run.seed, run.path)
        if number % MISSING == 0:
            continue
        described = run.method.removesuffix("-published")
        found = lenders[run.method, run.setting] or methods[run.method] or methods[described]
        one, history = record.read(found[run.seed % len(found)])
        record.write(results / run.path, _as(known, run, one, number), history)


def _as(known: Pipeline, run: Run, lent: Record, number: int) -> Record:
    """The lent record under the run's name, its accuracy moved a little by model and task."""
    changes = {"run": record.RunName(**asdict(run)), "spec": runs.spec(known.study, run)}
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
