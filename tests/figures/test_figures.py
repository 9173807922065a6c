"""The figures: whole, reproducible, and not thrown by runs that failed."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import pytest
from matplotlib.collections import PathCollection

from gradcost.figures import cost, learning_curves, style, trade_off
from gradcost.figures.save import save
from gradcost.results.tidy import Tidy
from tests.results.synthetic import FAILURES, study

MODULES = [learning_curves, cost, trade_off]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Tidy:
    return study(tmp_path_factory.mktemp("good"))


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory) -> Tidy:
    return study(tmp_path_factory.mktemp("failed"), FAILURES)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
@pytest.mark.parametrize("suffix", [".pdf", ".svg"])
def test_the_same_data_give_the_same_bytes(
    module: object, suffix: str, data: Tidy, tmp_path: Path
) -> None:
    for name in ("one", "two"):
        with mpl.rc_context({"font.family": "monospace" if name == "two" else "serif"}):
            save(module.draw(data), tmp_path / f"{name}{suffix}")  # type: ignore[attr-defined]
    first = (tmp_path / f"one{suffix}").read_bytes()
    assert first == (tmp_path / f"two{suffix}").read_bytes()
    assert len(first) > 5000


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_failed_runs_leave_a_figure(module: object, failed: Tidy, tmp_path: Path) -> None:
    save(module.draw(failed), tmp_path / "figure.pdf")  # type: ignore[attr-defined]


def test_curves_have_a_line_for_each_method_in_each_panel(data: Tidy) -> None:
    figure = learning_curves.draw(data)
    assert len(figure.axes) == len(data.columns) * 3
    for axes in figure.axes:
        drawn = [line for line in axes.lines if len(line.get_xdata()) > 2]  # type: ignore[arg-type]
        assert len(drawn) == len(data.trained)
    assert "3 seeds" in figure.get_supxlabel()
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert [text for text in texts if text.strip()] == [row.label for row in data.trained]


def test_seeds_that_failed_are_not_claimed(failed: Tidy) -> None:
    assert "1 to 3 seeds" in learning_curves.draw(failed).get_supxlabel()


def test_zeroth_order_lies_dashed_over_forward_mode(data: Tidy) -> None:
    looks = {row.key: style.look(row) for row in data.rows}
    zo, fmad = looks["zo-vanilla"], looks["fmad-vanilla"]
    assert zo.zorder > fmad.zorder
    assert zo.linestyle != fmad.linestyle
    # no two methods of a family are told apart by nothing but colour
    assert len({(row.family, looks[row.key].marker) for row in data.trained}) == len(data.trained)


def test_tasks_of_equal_cost_share_a_panel(data: Tidy) -> None:
    figure = cost.draw(data)
    assert len(figure.axes) == 2
    assert figure.axes[0].get_title(loc="left") == "Reuters topics, 20 Newsgroups"


def test_circles_are_as_large_as_the_memory(data: Tidy) -> None:
    axes = trade_off.draw(data).axes[0]
    circles = [one for one in axes.collections if isinstance(one, PathCollection)]
    areas = [float(one.get_sizes()[0]) for one in circles if len(one.get_offsets())]
    peaks = [float(data.cell(data.columns[0], row)["peak_bytes"].iloc[0]) for row in data.trained]
    assert [area / areas[0] for area in areas] == pytest.approx([p / peaks[0] for p in peaks])


def test_drawing_leaves_the_global_style_alone(data: Tidy) -> None:
    before = dict(mpl.rcParams)
    cost.draw(data)
    assert dict(mpl.rcParams) == before
