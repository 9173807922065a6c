"""A report on made-up studies, laid out once, and its page."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gradcost.report.html import render
from tests.report.synthetic import GRIDS, lay_out


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.environ.get("GRADCOST_BROWSER") == "1":
        return
    reason = "it opens the page in Chromium, which GRADCOST_BROWSER=1 asks for"
    for item in items:
        if item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What lies in reports/<scale>."""
    return lay_out(tmp_path_factory.mktemp("report") / "reports", GRIDS)


@pytest.fixture(scope="session")
def page(folder: Path) -> Path:
    """The page in it."""
    path = folder / "report.html"
    path.write_text(render(folder.parent / "report.tex", folder), encoding="utf-8")
    return path
