"""The figures of what was verified: whole, reproducible, and not thrown by what is missing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gradcost.figures.save import save
from gradcost.figures.style import context
from gradcost.figures.theory import epsilon, step_size, variance
from tests.results.synthetic_theory import series, theory

MODULES = [variance, step_size, epsilon]


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
@pytest.mark.parametrize("suffix", [".pdf", ".svg"])
def test_the_same_data_give_the_same_bytes(module: object, suffix: str, tmp_path: Path) -> None:
    data = theory(tmp_path)
    for name in ("one", "two"):
        save(module.draw(data), tmp_path / f"{name}{suffix}")  # type: ignore[attr-defined]
    first = (tmp_path / f"one{suffix}").read_bytes()
    assert first == (tmp_path / f"two{suffix}").read_bytes()
    assert len(first) > 5000


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
@pytest.mark.parametrize("count", [0, 1, 4])
def test_some_series_or_none_leave_a_figure(module: object, count: int, tmp_path: Path) -> None:
    figure = module.draw(theory(tmp_path, series=series()[:count]))  # type: ignore[attr-defined]
    save(figure, tmp_path / "figure.pdf")
    texts = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert ("nothing was verified" in texts) == (count < 4 or module is epsilon)


def test_points_and_lines_are_those_of_the_data(tmp_path: Path) -> None:
    figure = variance.draw(theory(tmp_path))
    drawn = [line.get_xydata() for line in figure.axes[0].lines]
    expected = np.array([(2, 3), (8, 9), (32, 33)])
    assert sum(np.shape(one) == (3, 2) and np.allclose(one, expected) for one in drawn) >= 4


def test_intervals_are_drawn(tmp_path: Path) -> None:
    bars = variance.draw(theory(tmp_path)).axes[0].collections[0].get_segments()
    assert np.allclose(bars[0], [(2, 2.7), (2, 3.3)])


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_nothing_is_cut_off(module: object, tmp_path: Path) -> None:
    with context():
        figure = module.draw(theory(tmp_path))  # type: ignore[attr-defined]
        figure.draw_without_rendering()
        for axes in figure.axes:
            for text in axes.texts:
                box = text.get_window_extent()
                assert figure.bbox.x0 <= box.x0
                assert box.x1 <= figure.bbox.x1
        for legend in figure.legends:
            box = legend.get_window_extent()
            assert figure.bbox.x0 <= box.x0
            assert box.x1 <= figure.bbox.x1
