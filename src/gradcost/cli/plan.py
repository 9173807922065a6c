"""`gradcost plan`: what a step, or the whole study, will cost."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gradcost.cli.app import PEOPLE, app, fail

STEP, CARD, OUTPUT, STUDY = "The step", "The card", "The answer", "The study"


@app.command(rich_help_panel=PEOPLE)
def plan(
    model: Annotated[
        str | None,
        typer.Option(
            help="A shipped architecture, a config.json, or a repository of the Hugging Face hub.",
            rich_help_panel=STEP,
        ),
    ] = None,
    batch: Annotated[int, typer.Option(min=1, rich_help_panel=STEP)] = 40,
    length: Annotated[int, typer.Option(min=1, help="Tokens.", rich_help_panel=STEP)] = 256,
    method: Annotated[
        list[str] | None,
        typer.Option(help="One of the configuration's; default: all.", rich_help_panel=STEP),
    ] = None,
    classes: Annotated[int, typer.Option(min=1, rich_help_panel=STEP)] = 4,
    answer: Annotated[
        int | None,
        typer.Option(
            min=1, help="Tokens of an answer in text, in place of classes.", rich_help_panel=STEP
        ),
    ] = None,
    image_size: Annotated[
        int | None,
        typer.Option(min=1, help="Pixels of a side of each input's image.", rich_help_panel=STEP),
    ] = None,
    dtype: Annotated[
        str, typer.Option(help="float32 or bfloat16.", rich_help_panel=STEP)
    ] = "bfloat16",
    quantisation: Annotated[
        str | None,
        typer.Option(
            help="nf4 or none. [default: nf4; none for BERT, RoBERTa and all parameters]",
            rich_help_panel=STEP,
        ),
    ] = None,
    trainable: Annotated[str, typer.Option(help="lora or all.", rich_help_panel=STEP)] = "lora",
    rank: Annotated[int, typer.Option(min=1, help="Of LoRA.", rich_help_panel=STEP)] = 1,
    target: Annotated[
        list[str] | None,
        typer.Option(
            help="Linears with adapters. [default: queries, values]", rich_help_panel=STEP
        ),
    ] = None,
    optimizer: Annotated[
        str, typer.Option(help="adamw, sgd, adagrad, rmsprop or sign.", rich_help_panel=STEP)
    ] = "adamw",
    directions: Annotated[
        int | None,
        typer.Option(min=1, help="Of methods with several. [default: 10]", rich_help_panel=STEP),
    ] = None,
    at_once: Annotated[
        int | None,
        typer.Option(
            min=1, help="Directions together. [default: one, and all]", rich_help_panel=STEP
        ),
    ] = None,
    checkpointing: Annotated[
        str | None,
        typer.Option(help="Of all BP methods. [default: each its own]", rich_help_panel=STEP),
    ] = None,
    gpu: Annotated[
        str | None,
        typer.Option(help="A card by name, as l40: its memory and rate.", rich_help_panel=CARD),
    ] = None,
    gpu_memory: Annotated[
        str | None, typer.Option(help="As 24GB or 24GiB.", rich_help_panel=CARD)
    ] = None,
    reserve: Annotated[
        str, typer.Option(help="Left to CUDA and its allocator.", rich_help_panel=CARD)
    ] = "0.6GB",
    rate: Annotated[
        str | None,
        typer.Option(
            help="As 90TFLOPS; a run's record.json; or `measured`, on this machine.",
            rich_help_panel=CARD,
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON.", rich_help_panel=OUTPUT)
    ] = False,
    as_csv: Annotated[
        bool, typer.Option("--csv", help="Print CSV.", rich_help_panel=OUTPUT)
    ] = False,
    plot: Annotated[
        Path | None,
        typer.Option(help="Draw a bar chart: a .pdf or .svg.", rich_help_panel=OUTPUT),
    ] = None,
    processes: Annotated[
        int | None,
        typer.Option(min=1, help="[default: one a core, up to four]", rich_help_panel=OUTPUT),
    ] = None,
    study: Annotated[
        bool,
        typer.Option("--study", help="Price the runs that are to do.", rich_help_panel=STUDY),
    ] = False,
    config: Annotated[
        list[Path] | None,
        typer.Option(help="config.yaml, and the overlays to merge over it.", rich_help_panel=STUDY),
    ] = None,
) -> None:
    """Say what a step costs: memory by category, FLOPs, time, and whether it fits on a card.

    Counted on the model's real graph, without a GPU, weights or a network. With --study, say
    which runs of the study are to do, why, and what they cost.
    """
    from gradcost.cli.planner import Form, Planner

    options = {
        "batch": batch, "length": length, "classes": classes, "answer": answer,
        "image_size": image_size, "dtype": dtype,
        "quantisation": quantisation, "trainable": trainable, "ranks": [rank], "targets": target,
        "optimizer": optimizer, "directions": [directions] if directions else None,
        "at_once": at_once, "checkpointing": checkpointing,
    }  # fmt: skip
    form: Form = "json" if as_json else "csv" if as_csv else "table"
    try:
        if study == (model is not None):
            fail("give exactly one of --model and --study")
        if plot is not None and (study or plot.suffix not in (".pdf", ".svg")):
            fail(f"--plot {plot}: draws the steps of a --model, in a .pdf or an .svg")
        planner = Planner(config, gpu, rate, dtype, processes)
        if model is not None:
            text = planner.step(model, method, options, gpu_memory, reserve, form, plot)
        else:
            text = planner.study_ahead(form)
    except ValueError as error:  # the project's own errors are kinds of it
        fail(str(error))
    print(text, end="")
