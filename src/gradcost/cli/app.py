"""The program `gradcost`, to which the modules beside add their commands."""

from __future__ import annotations

import sys
from typing import NoReturn

import typer

app = typer.Typer(
    help="What does it cost to avoid backpropagation? A study in runs, records and one report.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
STAGES, PEOPLE = "Stages of the workflow", "For people"


def fail(message: str) -> NoReturn:
    """Say what is wrong, and end."""
    print(f"gradcost: {message}", file=sys.stderr)
    raise typer.Exit(2)


def tell(text: str) -> None:
    """Say how far it is, beside what is printed."""
    print(text, file=sys.stderr)
