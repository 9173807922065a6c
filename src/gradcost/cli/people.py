"""Commands that look at the study: its configuration, its records, its plans, its speed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from gradcost.cli.app import PEOPLE, app, fail, tell


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
        fail(str(error))
    print(f"scale {pipeline.study.scale}: {len(pipeline.reported)} runs for the report")
    others = [name for name in grids if name not in pipeline.standing]
    for name in [*pipeline.standing, *others]:
        when = ", when asked for" if name in others else ""
        title = pipeline.study.experiments[name].title
        print(f"  {name}: {len(grids[name])} runs{when}. {title}")


@app.command(rich_help_panel=PEOPLE)
def publish(
    files: Annotated[
        list[Path], typer.Argument(help="config.yaml and the overlays to merge over it, in order.")
    ],
) -> None:
    """Pack the records of a study's report into reports/published, from which it can be remade."""
    from gradcost.results import published
    from gradcost.study import config
    from gradcost.study.pipeline import Pipeline

    try:
        pipeline = Pipeline(config.read(*files))
        runs = pipeline.reported
    except config.ConfigError as error:
        fail(str(error))
    results, pack = Path(pipeline.results), Path(pipeline.pack)
    others = [path for path in pipeline.computed if Path(path).exists()]
    missing = published.pack(
        results,
        [run.path for run in runs],
        [Path(p).relative_to(results).as_posix() for p in others],
        pack,
    )
    print(f"{pack}: {len(runs) - len(missing)} records, {pack.stat().st_size / 1e6:.1f} MB")
    for run in missing:
        print(f"  without {run}, which is in the report as missing")


@app.command(rich_help_panel=PEOPLE)
def failures(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            help="config.yaml and the overlays to merge over it. [default: config.yaml]"
        ),
    ] = None,
) -> None:
    """Say which jobs failed and why, with what runs each alone; runs that diverged come last."""
    from gradcost.study import config, failures
    from gradcost.study.pipeline import Pipeline

    files = files or [Path("config.yaml")]
    try:
        pipeline = Pipeline(config.read(*files))
    except config.ConfigError as error:
        fail(str(error))
    profile = "slurm" if pipeline.study.hardware.device == "cuda" else "local"
    options = failures.options(profile, [str(path) for path in files[1:]])
    found = failures.digest(pipeline, options)
    print(found.text())
    raise typer.Exit(int(bool(found.failed)))


@app.command(rich_help_panel=PEOPLE)
def show(
    record_folder: Annotated[Path, typer.Argument(help="The folder of a run's record.")],
) -> None:
    """Check the record of a run against its schema, and show it in short."""
    from gradcost.study import record

    try:
        found, history = record.read(record_folder)
    except record.BadRecord as error:
        fail(str(error))
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
        fail(f"no schema of {what!r}; there are {', '.join(schemas)}")
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

    results = benchmark.run(size, rounds, tell=tell)
    print(benchmark.table(results))
    faster = benchmark.together(rounds, tell)
    for name, times in faster.items():
        print(f"{name}: 16 directions together are {times:.1f} times faster than in turn, 1 x 16")
    facts = {"torch": torch.__version__, "threads": threads, "rounds": rounds}
    facts |= {"model": asdict(size), "methods": [asdict(one) for one in results]}
    write_json(out, facts | {"speed_up_of_16_directions_together": faster})
