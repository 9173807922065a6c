"""Statistics against values computed by hand, and properties that hold of all values."""

from __future__ import annotations

import math

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcost.results.statistics import (
    first_reach,
    median_of_reached,
    paired,
    running_median,
    running_quantiles,
    steady_state,
    summarise,
    window,
)

numbers = st.floats(-1e6, 1e6)


def test_mean_deviation_and_interval_by_hand() -> None:
    summary = summarise([1.0, 2.0, 3.0])
    assert summary is not None
    assert (summary.mean, summary.sd, summary.n) == (2.0, 1.0, 3)
    # t(0.975, 2) = 4.302653 from any table
    assert summary.half_width == pytest.approx(4.302653 / math.sqrt(3), rel=1e-6)
    assert summary.sign == 0


def test_one_seed_has_no_interval_and_none_has_no_summary() -> None:
    summary = summarise([5.0])
    assert summary is not None
    assert (summary.mean, summary.sd, summary.interval, summary.sign) == (5.0, None, None, None)
    assert summarise([]) is None


def test_a_value_that_is_not_finite_is_refused() -> None:
    with pytest.raises(ValueError, match="not finite"):
        summarise([1.0, math.nan])


@given(st.lists(numbers, min_size=2, max_size=8), numbers)
def test_shifting_all_values_shifts_the_interval(values: list[float], shift: float) -> None:
    one, other = summarise(values), summarise([value + shift for value in values])
    assert one is not None
    assert other is not None
    assert one.half_width is not None
    assert one.interval is not None
    assert one.interval[0] <= one.mean <= one.interval[1]
    assert min(values) - 1e-6 <= one.mean <= max(values) + 1e-6
    assert other.mean == pytest.approx(one.mean + shift, abs=1e-5)
    assert other.half_width == pytest.approx(one.half_width, rel=1e-3, abs=1e-3)


def test_differences_are_paired_by_seed_and_not_by_place() -> None:
    left = pd.Series([3.0, 1.0, 9.0], index=[2, 0, 7])
    right = pd.Series([0.0, 1.0, 5.0], index=[0, 2, 3])
    summary = paired(left, right)
    assert summary is not None
    assert (summary.mean, summary.n) == (1.5, 2)  # seed 0: 1 - 0, seed 2: 3 - 1


@given(st.lists(numbers, min_size=2, max_size=8))
def test_a_method_does_not_differ_from_itself(values: list[float]) -> None:
    series = pd.Series(values)
    summary = paired(series, series)
    assert summary is not None
    assert (summary.mean, summary.half_width, summary.sign) == (0.0, 0.0, 0)


def test_sign_says_on_which_side_of_zero_the_interval_is() -> None:
    cases = ([9.0, 9.1], [-10.0, -9.9], [-1.0, 2.0])
    signs = [summary.sign for values in cases if (summary := summarise(values))]
    assert signs == [1, -1, 0]


def test_steady_state_is_the_mean_of_the_last_evaluations() -> None:
    accuracy = pd.Series([0.1, math.nan, 0.5, math.nan, 0.6, 0.7])
    assert steady_state(accuracy) == pytest.approx(0.6)
    assert steady_state(accuracy, last=1) == 0.7
    assert steady_state(accuracy, last=99) == pytest.approx(0.475)
    assert math.isnan(steady_state(pd.Series([math.nan])))


def test_first_reach_takes_the_first_evaluation_at_or_above_the_target() -> None:
    history = pd.DataFrame(
        {
            "step": [0, 1, 2, 3],
            "forward_equivalents": [0.0, 2.0, 4.0, 6.0],
            "training_seconds": [0.0, 0.5, 1.0, 1.5],
            "validation_accuracy": [0.2, math.nan, 0.6, 0.7],
        }
    )
    assert first_reach(history, 0.6).tolist() == [2.0, 4.0, 1.0]
    assert first_reach(history, 0.9).isna().all()


@pytest.mark.parametrize(
    ("values", "median"),
    [
        ([1.0, 2.0, 3.0], 2.0),
        ([1.0, 3.0], 2.0),
        ([1.0, math.nan, 5.0], 5.0),
        ([1.0, math.nan, math.nan], math.nan),
        ([1.0, math.nan], math.nan),
        ([], math.nan),
    ],
)
def test_a_seed_that_never_arrives_is_later_than_all(values: list[float], median: float) -> None:
    assert median_of_reached(values) == pytest.approx(median, nan_ok=True)


def test_a_running_median_stands_where_its_window_is_full() -> None:
    values = pd.Series([1.0, 2.0, 90.0, 4.0, 5.0], index=[10, 20, 30, 40, 50])
    found = running_median(values, 3)
    assert found.dropna().to_dict() == {20: 2.0, 30: 4.0, 40: 5.0}
    assert running_median(values, 1).tolist() == values.tolist()
    # of a series that is shorter than the window, all that there is
    assert running_median(values, 11).tolist() == [4.0] * 5


def test_running_quantiles_are_of_all_that_lies_in_the_window() -> None:
    at = [3, 1, 1, 2, 2, 3]  # two seeds, in any order
    values = [30.0, 10.0, 11.0, 20.0, 21.0, 31.0]
    found = running_quantiles(at, values, 1.0, (0.0, 0.5, 1.0), points=2)
    assert found.index.tolist() == [1.5, 2.5]
    assert found.loc[1.5].tolist() == [10.0, 15.5, 21.0]
    assert found.loc[2.5].tolist() == [20.0, 25.5, 31.0]
    whole = running_quantiles(at, values, 100.0, (0.0, 1.0))
    assert whole.loc[2.0].tolist() == [10.0, 31.0]
    assert running_quantiles([], [], 1.0, (0.5,)).empty


def test_the_window_grows_with_the_run() -> None:
    assert [window(steps) for steps in (20, 300, 9000)] == [5, 15, 450]
