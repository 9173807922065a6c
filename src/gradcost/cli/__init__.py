"""The command line: what the rules of the workflow call, and people too."""

from gradcost.cli import people, plan, stages
from gradcost.cli.app import app

__all__ = ["app", "people", "plan", "stages"]
