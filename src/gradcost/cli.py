"""The command line: what the rules of the workflow call, and people too."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(
    help="What does it cost to avoid backpropagation? A study in runs, records and one report.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

PlanFile = Annotated[Path, typer.Option("--plan", help="The job's plan, a JSON file.")]
Out = Annotated[Path, typer.Option(help="Where the result goes.")]
STAGES, PEOPLE = "Stages of the workflow", "For people"


@app.command(rich_help_panel=PEOPLE)
def check(
    files: Annotated[
        list[Path], typer.Argument(help="config.yaml and the overlays to merge over it, in order.")
    ],
) -> None:
    """Validate a configuration and list its experiments."""
    from gradcost.study import config
    from gradcost.study.pipeline import Pipeline

    try:
        pipeline = Pipeline(config.read(*files))
        grids = pipeline.grids
    except config.ConfigError as error:
        _fail(str(error))
    print(f"scale {pipeline.study.scale}: {len(set().union(*grids.values()))} runs")
    for name, grid in grids.items():
        print(f"  {name}: {len(grid)} runs. {pipeline.study.experiments[name].title}")


@app.command(rich_help_panel=PEOPLE)
def show(
    record_folder: Annotated[Path, typer.Argument(help="The folder of a run's record.")],
) -> None:
    """Check the record of a run against its schema, and show it in short."""
    from gradcost.study import record

    try:
        found, history = record.read(record_folder)
    except record.BadRecord as error:
        _fail(str(error))
    run = found.run
    print(f"{run.model} / {run.task} / {run.method} / {run.setting} / seed {run.seed}")
    print(f"outcome   {found.outcome}" + (f" ({found.reason})" if found.reason else ""))
    print(f"steps     {found.steps}, {history.num_rows} rows of history")
    if found.test and found.validation:
        print(
            f"accuracy  {found.test.accuracy:.1%} test, {found.validation.accuracy:.1%} validation"
        )
        print(f"          {found.test.majority:.1%} the largest class of the test split")
    if found.cost:
        cost = found.cost
        print(f"cost      {cost.forward_equivalents:.2f} forward passes a step")
        print(
            f"          {cost.peak_bytes / 1e6:.2f} MB at the peak, "
            f"{cost.model_bytes / 1e6:.2f} MB of weights"
        )
    print(f"seconds   {found.timings.training_seconds:.1f} of training steps")
    print(f"commit    {found.machine.commit}")


@app.command(rich_help_panel=PEOPLE)
def schema(
    what: Annotated[str, typer.Argument(help="config, overlay or record.")],
) -> None:
    """Print a JSON schema: of config.yaml, of an overlay, or of a run's record."""
    from gradcost.study import config, record

    schemas: dict[str, Callable[[], dict[str, Any]]] = {
        "config": config.json_schema,
        "overlay": lambda: config.json_schema(overlay=True),
        "record": record.json_schema,
    }
    if what not in schemas:
        _fail(f"no schema of {what!r}; there are {', '.join(schemas)}")
    print(json.dumps(schemas[what](), indent=1))


@app.command(rich_help_panel=PEOPLE)
def why(
    old: Annotated[Path, typer.Argument(help="The plan that Snakemake names as `before`.")],
    new: Annotated[Path, typer.Argument(help="The plan that Snakemake names as `now`.")],
) -> None:
    """Say why a job runs again: the settings, files and packages that differ in two plans."""
    from gradcost.study import pipeline
    from gradcost.study.files import read_json

    print("\n".join(pipeline.differences(read_json(old), read_json(new))) or "nothing differs")


@app.command(rich_help_panel=PEOPLE)
def bench(
    out: Annotated[Path, typer.Option(help="A JSON file for the results.")],
    rounds: Annotated[int, typer.Option(min=1, help="Steps of each method that are timed.")] = 8,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads.")] = 1,
) -> None:
    """Measure what a step of each method costs, in forward passes of the same model."""
    from dataclasses import asdict

    import torch

    from gradcost.study.files import write_json
    from gradcost.training import bench as benchmark

    torch.set_num_threads(threads)
    size = benchmark.Size()

    def tell(text: str) -> None:
        print(text, file=sys.stderr)

    results = benchmark.run(size, rounds, tell=tell)
    print(benchmark.table(results))
    faster = benchmark.together(rounds, tell)
    for name, times in faster.items():
        print(f"{name}: 16 directions together are {times:.1f} times faster than in turn, 1 x 16")
    facts = {"torch": torch.__version__, "threads": threads, "rounds": rounds}
    facts |= {"model": asdict(size), "methods": [asdict(one) for one in results]}
    write_json(out, facts | {"speed_up_of_16_directions_together": faster})


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

    tokens.tokenise(data.parent, store.tokenizer(model.parent), given["spec"], out.parent)


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
) -> None:
    """Train and evaluate one run and write its record; resume it if it was interrupted."""
    from gradcost import warm

    if (code := warm.delegate(sys.argv[1:])) is not None:
        raise typer.Exit(code)
    given = _verified(plan)
    from gradcost.study.record import RunName
    from gradcost.training.run import Job
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
    )
    result = train_run(job)
    name = f"{job.name.task} {job.name.method} {job.name.setting} seed {job.name.seed}"
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
    from gradcost.study.runs import Run

    presentation = given["presentation"]
    folders = [results / Run(**run).path for run in presentation["runs"]]
    tidy.aggregate(folders, presentation, out.parent)


@app.command(rich_help_panel=STAGES)
def price(
    plan: PlanFile,
    out: Out,
    processes: Annotated[int, typer.Option(min=1, help="Rows priced at the same time.")] = 1,
) -> None:
    """Price a sheet: what steps cost, counted without a GPU and without weights."""
    given = _verified(plan)
    from gradcost.planning import sheet
    from gradcost.study.files import write_json

    write_json(out, sheet.make(given["spec"], processes))


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


def _loaded(data: list[Path]) -> Any:
    """What a table or figure is made of, by what its files are."""
    from gradcost.results.accounting import Accounting
    from gradcost.results.tidy import MANIFEST, Tidy

    if data[0].name == MANIFEST:
        return Tidy.load(data[0].parent)
    return data[0] if data[0].suffix == ".csv" else Accounting.load(data)


def _verified(plan: Path) -> dict[str, Any]:
    from gradcost.study import fingerprint, pipeline
    from gradcost.study.files import read_json

    given: dict[str, Any] = read_json(plan)
    try:
        pipeline.load_code(given)
    except fingerprint.CodeChanged as error:
        _fail(str(error))
    return given


def _fail(message: str) -> Any:
    print(f"gradcost: {message}", file=sys.stderr)
    raise typer.Exit(2)
