"""No verdict on memory or computation is fixed: other counts, and it turns."""

from __future__ import annotations

import copy
import json
import math
import random
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gradcost.results.accounting import Accounting
from gradcost.results.claims.evidence import Evidence
from gradcost.results.claims.judge import CLAIMS
from gradcost.results.claims.rules import Claim
from tests.results.synthetic_accounting import accounting

ON_COUNTS = [claim for claim in CLAIMS if claim.sheets]
PACK = Path(__file__).parents[3] / "reports/published/demo.zip"
Sheets = list[dict[str, Any]]
LAWS: list[Callable[[int], float]] = [
    lambda x: 1.0,
    math.sqrt,
    float,
    lambda x: x * math.log(x) if x > 1 else 1.0,
]
FACTORS = (0.1, 0.5, 1.0, 2.0, 20.0)
DRAWS = 60


@pytest.fixture(scope="module")
def priced() -> Sheets:
    """The paper's models, as they are priced and published with the demo's records."""
    with zipfile.ZipFile(PACK) as pack:
        names = [name for name in pack.namelist() if name.startswith("accounting/")]
        return [json.loads(pack.read(name)) for name in names]


def _steps(sheets: Sheets) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    return ((sheet, row) for sheet in sheets for row in sheet["rows"])


def _takes(row: dict[str, Any], activations: float, flops: float) -> None:
    row["peak"]["activations"] = round(activations)
    row["peak_bytes"] = sum(value for key, value in row["peak"].items() if key != "host")
    row["step_flops"] = round(flops)


def scaled(sheets: Sheets, factor: float) -> Sheets:
    """The same with all activations and computation multiplied."""
    made = copy.deepcopy(sheets)
    for _, row in _steps(made):
        _takes(row, factor * row["peak"]["activations"], factor * row["step_flops"])
    return made


def against_bp(sheets: Sheets, times: int) -> Sheets:
    """Each direction computes so many times what a step of any BP does."""
    made = copy.deepcopy(sheets)
    for _, row in _steps(made):
        passes = 1 if row["family"] == "bp" else times * row["directions"]
        _takes(row, row["peak"]["activations"], passes * row["forward_flops"])
    return made


def scrambled(sheets: Sheets, seed: int) -> Sheets:
    """What each method takes, and the law by which it grows, are drawn."""
    draw = random.Random(seed)
    made = copy.deepcopy(sheets)
    of: dict[Any, tuple[Any, float, float]] = {}
    shapes = {name: draw.choice(FACTORS) for name in ("wide", "deep")}
    for sheet, row in _steps(made):
        key = (row["method"], row["at_once"] > 1)
        if key not in of:
            laws = draw.choice(LAWS), draw.choice(LAWS), draw.choice((0, 1))
            of[key] = laws, draw.choice(FACTORS), draw.choice(FACTORS)
        (memory, computation, of_rank), much, many = of[key]
        varied, rank = row["layers"] * row["directions"], row["rank"] ** of_rank
        row["peak"]["directions"] = 0
        if row["family"] == "bp":
            much *= shapes.get(sheet["sheet"], 1.0)
        _takes(row, 1e8 * much * rank * memory(varied), 1e12 * many * rank * computation(varied))
    return made


@pytest.fixture(scope="module")
def counts(priced: Sheets, tmp_path_factory: pytest.TempPathFactory) -> list[Accounting]:
    many = [scaled(priced, 0.7 + 0.025 * place) for place in range(20)]
    many += [against_bp(priced, times) for times in (1, 2)]
    many += [scrambled(priced, seed) for seed in range(DRAWS)]
    folder = tmp_path_factory.mktemp("counts")
    return [accounting(folder / str(place), *sheets) for place, sheets in enumerate(many)]


@pytest.mark.xdist_group("counts")
@pytest.mark.parametrize("claim", ON_COUNTS, ids=lambda claim: claim.id)
def test_counts_decide(claim: Claim, counts: list[Accounting]) -> None:
    verdicts = {claim.test(Evidence("demo", accounting=one)).verdict for one in counts}
    assert {"supported", "contradicted"} <= verdicts
