"""`python -m gradcost`."""

from gradcost.cli import app

app(prog_name="gradcost")
