"""`python -m gradcost.report --plan PLAN reports/report.tex reports/demo/report.html`."""

from __future__ import annotations

import argparse
from pathlib import Path

from gradcost.report.html import render
from gradcost.study.files import read_json, write_atomic
from gradcost.study.pipeline import load_code


def main() -> None:
    """Write the page, if the code is that of the plan."""
    parser = argparse.ArgumentParser(prog="python -m gradcost.report", description=__doc__)
    parser.add_argument("--plan", type=Path, help="the job's plan, a JSON file")
    parser.add_argument("source", type=Path, help="the LaTeX document")
    parser.add_argument("out", type=Path, help="the page, in the folder where LaTeX would run")
    given = parser.parse_args()
    if given.plan:
        load_code(read_json(given.plan))
    page = render(given.source, given.out.parent)
    write_atomic(given.out, lambda path: path.write_text(page, encoding="utf-8"))


main()
