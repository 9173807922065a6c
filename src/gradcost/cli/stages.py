"""Commands that the rules of the workflow call: one for each stage."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from gradcost.cli.app import STAGES, app, fail

PlanFile = Annotated[Path, typer.Option("--plan", help="The job's plan, a JSON file.")]
Out = Annotated[Path, typer.Option(help="Where the result goes.")]


@app.command(rich_help_panel=STAGES)
def screening(
    plan: PlanFile,
    data: Annotated[Path, typer.Option(help="The manifest of the experiment's tidy tables.")],
    out: Out,
) -> None:
    """Choose learning rates by the written rule."""
    _verified(plan)
    from gradcost.results.screening import choose
    from gradcost.results.tidy import Tidy
    from gradcost.study.files import write_atomic

    chosen = choose(Tidy.load(data.parent))
    write_atomic(out, lambda path: chosen.to_csv(path, index=False))


@app.command(rich_help_panel=STAGES)
def data(plan: PlanFile, out: Out) -> None:
    """Prepare a task's data: fixed splits and a manifest."""
    given = _verified(plan)
    from gradcost.tasks import prepare

    prepare.prepare(given["spec"], out.parent)


@app.command(rich_help_panel=STAGES)
def model(plan: PlanFile, out: Out) -> None:
    """Make a model's weights available: fetch them, or train a small base model."""
    given = _verified(plan)
    from gradcost.models import store

    store.prepare(given["spec"], given["corpora"], out.parent)


@app.command(rich_help_panel=STAGES)
def tokens(
    plan: PlanFile,
    data: Annotated[Path, typer.Option(help="The manifest of the task's data.")],
    model: Annotated[Path, typer.Option(help="The manifest of the model.")],
    out: Out,
) -> None:
    """Tokenise a task's data for a model."""
    given = _verified(plan)
    from gradcost.models import store
    from gradcost.tasks import tokens

    spec, placeholder = given["spec"], None
    if size := spec.get("image_size"):
        from gradcost.models.vision import ImageProcessor

        placeholder = ImageProcessor(store.locate(model.parent), size).placeholder
    tokenizer = store.tokenizer(model.parent)
    tokens.tokenise(data.parent, tokenizer, spec, out.parent, placeholder)


@app.command(rich_help_panel=STAGES)
def train(
    plan: PlanFile,
    tokens: Annotated[Path, typer.Option(help="The manifest of the task's tokens.")],
    model: Annotated[Path, typer.Option(help="The manifest of the model.")],
    out: Out,
    checkpoints: Annotated[Path, typer.Option(help="The folder of checkpoints.")],
    checkpoint_seconds: Annotated[
        float, typer.Option(envvar="GRADCOST_CHECKPOINT_SECONDS", help="Between checkpoints.")
    ] = 60.0,
    grows: Annotated[
        int, typer.Option(help="Fail for want of memory: the next attempt is given more.")
    ] = 0,
) -> None:
    """Train and evaluate one run and write its record; resume it if it was interrupted."""
    given = _verified(plan)
    from gradcost.study.record import RunName
    from gradcost.study.runs import TOO_SMALL
    from gradcost.training.checkpoints import Stop, Stopped
    from gradcost.training.run import Job, MemoryMayGrow
    from gradcost.training.run import train as train_run

    job = Job(
        name=RunName(**given["run"]),
        spec=given["spec"],
        tokens=tokens.parent,
        model=model.parent,
        out=out.parent,
        checkpoints=checkpoints,
        code=given["code"],
        packages=given["packages"],
        checkpoint_seconds=checkpoint_seconds,
        stop=Stop().on(signal.SIGTERM),
        grows=bool(grows),
    )
    name = f"{job.name.task} {job.name.method} {job.name.setting} seed {job.name.seed}"
    try:
        result = train_run(job)
        (out.parent / TOO_SMALL).unlink(missing_ok=True)
    except Stopped as stopped:
        print(f"{name}  stopped: {stopped}", file=sys.stderr)
        raise typer.Exit(128 + signal.SIGTERM) from None
    except MemoryMayGrow as error:
        with (out.parent / TOO_SMALL).open("a") as tried:
            tried.write(f"{error}\n")
        fail(f"{name}  ran out of memory, and asks for more: {error}")
    score = f", test accuracy {result.test.accuracy:.1%}" if result.test else ""
    print(f"{name}  {result.outcome}" + (f" ({result.reason})" if result.reason else "") + score)


@app.command(rich_help_panel=STAGES)
def aggregate(
    plan: PlanFile,
    out: Out,
    results: Annotated[Path, typer.Option(help="The folder of the scale's results.")],
) -> None:
    """Gather the records of an experiment in tidy tables."""
    given = _verified(plan)
    from gradcost.results import tidy
    from gradcost.study import record
    from gradcost.study.pipeline import CHECKPOINTS
    from gradcost.study.runs import Run

    presentation = given["presentation"]
    folders = [results / Run(**run).path for run in presentation["runs"]]
    for found in tidy.aggregate(folders, presentation, out.parent):
        # Snakemake has seen the run succeed, or this job would not have been
        record.forget(results / CHECKPOINTS, found)


@app.command(rich_help_panel=STAGES)
def price(plan: PlanFile, out: Out) -> None:
    """Price a sheet: what steps cost, counted without a GPU and without weights."""
    given = _verified(plan)
    from gradcost.planning import sheet
    from gradcost.study.files import write_json

    write_json(out, sheet.make(given["spec"], processes=1))


@app.command(rich_help_panel=STAGES)
def theory(plan: PlanFile, out: Out) -> None:
    """Verify the paper's lemmas and theorems with the estimators of the study."""
    _verified(plan)
    import torch

    from gradcost.study.files import write_json
    from gradcost.theory import verify

    torch.set_num_threads(1)  # sums of the same order on every machine
    write_json(out, verify.make())


@app.command(rich_help_panel=STAGES)
def claims(
    plan: PlanFile,
    data: Annotated[
        list[Path], typer.Option(help="Manifests of tidy tables, sheets, and what was verified.")
    ],
    out: Out,
) -> None:
    """Judge every claim of the paper by all results."""
    given = _verified(plan)
    from gradcost.results.claims.evidence import Evidence
    from gradcost.results.claims.judge import judge
    from gradcost.study.files import write_json

    write_json(out, judge(Evidence.load(data, given["scale"])).model_dump())


@app.command(rich_help_panel=STAGES)
def forecast(
    plan: PlanFile,
    out: Out,
    processes: Annotated[int, typer.Option(min=1, help="Steps priced at the same time.")] = 1,
) -> None:
    """Forecast the memory of a model's runs on a task, for what they ask a scheduler for."""
    given = _verified(plan)
    from gradcost.planning import requests
    from gradcost.study.files import write_json

    write_json(out, requests.make(given["steps"], processes))


@app.command(rich_help_panel=STAGES)
def unpack(
    pack: Annotated[Path, typer.Option(help="The file of published records.")],
    results: Annotated[Path, typer.Option(help="The folder of the scale's results.")],
    out: Out,
) -> None:
    """Put published records where those of runs would be."""
    from gradcost.results import published
    from gradcost.study.files import write_atomic

    try:
        count = published.unpack(pack, results)
    except published.BadPack as error:
        fail(str(error))
    write_atomic(out, lambda path: path.write_text(f"{count} records of {pack}\n"))


@app.command(rich_help_panel=STAGES)
def contents(plan: PlanFile, out: Out) -> None:
    """Write what the report is of."""
    given = _verified(plan)
    from gradcost.study.files import write_atomic
    from gradcost.tables import contents

    text = contents.render(given["records"])
    write_atomic(out, lambda path: path.write_text(text))


Data = Annotated[
    list[Path],
    typer.Option(help="The manifest of an experiment's tidy tables, a CSV file, or all sheets."),
]


@app.command(rich_help_panel=STAGES)
def figure(
    plan: PlanFile,
    data: Data,
    out: Annotated[list[Path], typer.Option(help="Files to draw, .pdf or .svg.")],
) -> None:
    """Draw one figure."""
    given = _verified(plan)
    from importlib import import_module

    from gradcost.figures.save import save

    drawn = import_module(given["module"]).draw(_loaded(data))
    for path in out:
        save(drawn, path)


@app.command(rich_help_panel=STAGES)
def table(plan: PlanFile, data: Data, out: Out) -> None:
    """Write one LaTeX table."""
    given = _verified(plan)
    from importlib import import_module

    from gradcost.study.files import write_atomic

    text = import_module(given["module"]).render(_loaded(data))
    write_atomic(out, lambda path: path.write_text(text))


@app.command(rich_help_panel=STAGES)
def settings(plan: PlanFile, data: Data, out: Out) -> None:
    """Write what the experiments of a report set otherwise than the first of them."""
    _verified(plan)
    from gradcost.results.tidy import Tidy
    from gradcost.study.files import write_atomic
    from gradcost.tables import settings

    text = settings.write([Tidy.load(manifest.parent) for manifest in data])
    write_atomic(out, lambda path: path.write_text(text))


def _loaded(data: list[Path]) -> Any:
    """What a table or figure is made of, by what its files are."""
    from gradcost.results import theory
    from gradcost.results.accounting import Accounting
    from gradcost.results.claims import ledger
    from gradcost.results.tidy import MANIFEST, Tidy

    if data[0].name == ledger.CLAIMS:
        return ledger.Ledger.load(data[0])
    if data[0].name == MANIFEST:
        return Tidy.load(data[0].parent)
    if data[0].name == theory.FILE:
        return theory.Theory.load(data[0])
    return data[0] if data[0].suffix == ".csv" else Accounting.load(data)


def _verified(plan: Path) -> dict[str, Any]:
    from gradcost.study import fingerprint, pipeline
    from gradcost.study.files import read_json

    given: dict[str, Any] = read_json(plan)
    try:
        pipeline.load_code(given)
    except fingerprint.CodeChanged as error:
        fail(str(error))
    return given
