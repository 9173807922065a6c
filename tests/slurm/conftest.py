"""A Slurm cluster for the tests in this folder, which run only when they are asked for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.slurm.cluster import Cluster, missing


def pytest_configure(config: pytest.Config) -> None:
    """Without pytest-xdist its marker is unknown."""
    config.addinivalue_line("markers", "xdist_group(name): tests that share one worker")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.environ.get("GRADCOST_SLURM") == "1":
        return
    reason = "it starts a Slurm cluster, which `make test-slurm` or GRADCOST_SLURM=1 asks for"
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """The cluster that all tests share; one that kills its nodes starts them again."""
    if programs := missing():
        pytest.fail(f"Slurm is not installed, `make test-slurm` does it: {programs}", pytrace=False)
    with Cluster() as cluster:
        yield cluster
