"""The audit: what the public code explains of a gap, and how well that is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from gradcost.results.tidy import Tidy
from gradcost.study import config
from gradcost.tables import audit
from tests.tables import experiments


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Tidy:
    return experiments.audited(experiments.one_model(tmp_path_factory.mktemp("audit")))


def cells(text: str, label: str) -> list[list[str]]:
    found = [line.removesuffix(r" \\").split(" & ") for line in text.splitlines()]
    return [line for line in found if line[0].strip() == label]


def test_a_method_stands_once_with_both_its_accuracies(data: Tidy) -> None:
    text = audit.render(data)
    accuracy, cost = cells(text, "FMAD-Vanilla")
    assert accuracy[1:] == [
        r"60.2\,\textpm\,4.1, 1.7", r"56.8\,\textpm\,5.1, 2.1", "3",
        r"\textbf{\boldmath $+3.4$} [$+2.1$, $+4.7$]",
        r"\textbf{\boldmath $-16.8$}", r"\textbf{\boldmath $-20.2$}", "0.17 [0.12, 0.24]",
        "80.5", "$-13.7$",
    ]  # fmt: skip
    assert cost[1:] == ["123~M", "123~M", "1.16~MB", "1.16~MB",
                        audit.DIFFERENCES["fmad-vanilla"]]  # fmt: skip
    assert "as published" not in text.partition(r"\midrule")[2]  # no line of its own
    assert "BP-Checkpointing" not in text  # is not run both ways here


def test_what_failed_is_said_of_either_way(data: Tidy) -> None:
    some = experiments.ended(
        data, "method == 'zo-svrg-published' and seed > 0", "diverged", "step 3: loss = inf"
    )
    gone = experiments.ended(some, "method == 'fmad-vanilla'", "missing")
    text = audit.render(gone)
    assert "as published: 2 of 3 diverged (step 3: loss = inf)" in text
    assert "as described: 3 of 3 missing" in text
    assert cells(text, "FMAD-Vanilla")[0][1:5] == ["---", r"56.8\,\textpm\,5.1, 2.1", "0", "---"]
    svrg = cells(text, "ZO-SVRG")[0]
    assert svrg[3] == "1"
    assert svrg[7] == "---"  # one seed explains nothing
    assert "no gap to backpropagation" in audit.say(gone)


def test_the_share_is_a_ratio_of_means_over_common_seeds(data: Tidy) -> None:
    column = data.columns[0]
    left, right = audit.pairs(data)[1]
    assert left.method == "fmad-vanilla"
    found = audit.share(data, column, left, right)
    described, published, bp = (
        np.array(values) for values in ((60.0, 58.7, 62.0), (57.0, 54.7, 58.8), (77.7, 77.7, 75.7))
    )
    assert found.value == pytest.approx((described - published).mean() / (bp - published).mean())
    assert found.n == 3


@given(st.lists(st.tuples(st.floats(-9, 9), st.floats(5, 20)), min_size=3, max_size=8))
def test_the_interval_holds_what_a_t_test_does_not_reject(pairs: list[tuple[float, float]]) -> None:
    above, below = (pd.Series(values, dtype=float) for values in zip(*pairs, strict=True))
    found = audit.fieller(above, below)
    n, spread = len(below), float(below.std())
    margin = below.mean() - stats.t.ppf(0.975, n - 1) * spread / n**0.5
    assume(abs(margin) > 1e-6)
    assert (found.interval is not None) == (margin > 0)
    if found.interval is None:
        return
    low, high = found.interval
    assert low <= found.value + 1e-9
    assert found.value <= high + 1e-9
    for end in (low, high):
        rest = above - end * below
        if rest.std() > 1e-6:
            t = abs(rest.mean()) / (rest.std() / len(rest) ** 0.5)
            assert t == pytest.approx(stats.t.ppf(0.975, len(rest) - 1), rel=1e-3)


def test_no_share_of_a_gap_that_may_be_none() -> None:
    even = pd.Series([1.0, 2.0, 3.0])
    for below in ([-1.0, 0.5, 2.0], [-5.0, -6.0, -5.5], [0.0, 0.0, 0.0]):
        assert audit.fieller(even, pd.Series(below)).value is None
    assert audit.fieller(even[:1], even[:1]).value is None


def test_every_audited_method_of_the_study_has_its_words() -> None:
    study = config.read(Path(__file__).parents[2] / "config.yaml")
    published = [name for name in study.methods if name.endswith("-published")]
    assert published
    assert {name.removesuffix("-published") for name in published} == set(audit.DIFFERENCES)
