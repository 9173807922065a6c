"""The figures of prices: whole, reproducible, legible, and not thrown by what is missing."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gradcost.figures.accounting import depth, frontier, memory
from gradcost.figures.accounting.labels import place, spread
from gradcost.figures.save import save
from gradcost.figures.style import context
from gradcost.results.accounting import Accounting
from tests.results.synthetic_accounting import accounting, sheet, step

MODULES = [memory, frontier, depth]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Accounting:
    """All sheets."""
    return accounting(tmp_path_factory.mktemp("sheets"))


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
@pytest.mark.parametrize("suffix", [".pdf", ".svg"])
def test_the_same_data_give_the_same_bytes(
    module: object, suffix: str, data: Accounting, tmp_path: Path
) -> None:
    for name in ("one", "two"):
        save(module.draw(data), tmp_path / f"{name}{suffix}")  # type: ignore[attr-defined]
    first = (tmp_path / f"one{suffix}").read_bytes()
    assert first == (tmp_path / f"two{suffix}").read_bytes()
    assert len(first) > 5000


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
@pytest.mark.parametrize("name", ["llama-3.1-8b", "opt-13b", "depth", "directions", None])
def test_a_single_row_or_none_leaves_a_figure(
    module: object, name: str | None, tmp_path: Path
) -> None:
    one = accounting(tmp_path, sheet(name, "LLaMA", [step("zo-vanilla")])) if name else None
    figure = module.draw(one or Accounting.load([]))  # type: ignore[attr-defined]
    save(figure, tmp_path / "figure.pdf")


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_no_labels_collide(module: object, data: Accounting) -> None:
    with context():
        figure = module.draw(data)  # type: ignore[attr-defined]
        figure.draw_without_rendering()
        for axes in figure.axes:
            boxes = [text.get_window_extent() for text in axes.texts]
            for one, other in combinations(boxes, 2):
                assert not one.overlaps(other)
            assert max(box.x1 for box in boxes) <= figure.bbox.x1


def numbers(axes: Axes) -> list[str]:
    """At the bars, without the names of the cards."""
    return [text.get_text() for text in axes.texts if "GB" not in text.get_text()]


def names(axes: Axes) -> list[str]:
    """Of the bars."""
    return [tick.get_text() for tick in axes.get_yticklabels()]


def test_bars_say_their_peak_also_when_they_are_cut(data: Accounting) -> None:
    llama, opt = memory.draw(data).axes
    assert llama.get_title(loc="left") == "LLaMA 3.1 (8B)"
    found = dict(zip(names(llama), numbers(llama), strict=True))
    assert found["BP-Vanilla"] == "68.9"
    assert found["ZO-Vanilla"] == "ours 5.9, paper's 5.99"
    assert found["BP-Offload"] == "8.9"
    longest = max(patch.get_x() + patch.get_width() for patch in llama.patches)  # type: ignore[attr-defined]
    assert longest == pytest.approx(memory.EDGE)
    assert len(names(opt)) == 4


def test_bars_of_a_family_that_are_equal_are_drawn_once(data: Accounting) -> None:
    found = names(memory.draw(data).axes[0])
    assert "ZO-Accumulate" not in found
    assert "ZO-Multiple (10 in turn)" not in found
    assert "ZO-Multiple (10 together)" in found
    assert "BP-Checkpointing, as published" in found


def test_the_papers_totals_stand_at_methods_with_directions_in_turn(data: Accounting) -> None:
    llama, opt = memory.draw(data).axes
    marks = [float(line.get_xdata()[0]) for line in llama.lines if line.get_marker() == "D"]  # type: ignore[index,arg-type]
    assert marks == [11.66, 5.99]
    assert not [line for line in opt.lines if line.get_marker() == "D"]


def test_the_front_joins_backpropagation_as_described(data: Accounting) -> None:
    axes = frontier.draw(data).axes[0]
    line = axes.lines[0]
    assert list(line.get_xdata()) == sorted(line.get_xdata())  # type: ignore[type-var,arg-type]
    assert len(list(line.get_xdata())) == 2  # type: ignore[arg-type]
    labels = [text.get_text() for text in axes.texts]
    for name in ("BP-Nested", "FMAD-Multiple (10 together)", "FMAD-Vanilla, as published"):
        assert name in labels
    assert "ZO-Accumulate" not in labels
    hollow = [one for one in axes.lines[1:] if one.get_markerfacecolor() == "white"]
    assert len(hollow) == 3


def test_a_label_is_nearest_to_its_own_point_or_led_to_it() -> None:
    points = [
        (8.0, 2.7, "BP-Offload"), (8.0, 3.0, "FMAD-Vanilla, as published"),
        (8.0, 2.0, "FMAD-Vanilla"), (6.1, 2.0, "ZO-Vanilla"), (8.8, 3.6, "BP-Nested"),
        (10.6, 2.75, "BP-Checkpointing"), (11.0, 3.0, "BP-Checkpointing, as published"),
    ]  # fmt: skip
    with context():
        figure = Figure(figsize=(6.3, 3.9))
        axes = figure.subplots()
        axes.set(xscale="log", yscale="log", xlim=(3, 130), ylim=(1.5, 40))
        place(figure, axes, points)
        figure.draw_without_rendering()
    leads = {tuple(np.round(line.get_xydata()[0], 6)) for line in axes.lines}  # type: ignore[index]
    at = {text: axes.transData.transform((x, y)) for x, y, text in points}
    for x, y, text in points:
        written = next(one for one in axes.texts if one.get_text() == text)
        box = written.get_window_extent()
        gaps = {
            name: np.hypot(*(np.clip(point, box.min, box.max) - point))
            for name, point in at.items()
        }
        assert min(gaps, key=gaps.__getitem__) == text or (x, y) in leads


def test_points_that_coincide_share_a_label(tmp_path: Path) -> None:
    rows = [step("bp-vanilla"), step("bp-segments") | {"label": "Other"}]
    rows[1] |= {key: rows[0][key] for key in ("peak", "peak_bytes", "step_flops", "model_bytes")}
    one = accounting(tmp_path, sheet("llama-3.1-8b", "LLaMA", rows))
    assert [text.get_text() for text in frontier.draw(one).axes[0].texts] == ["BP-Vanilla, Other"]


def test_lines_end_in_their_exponents(data: Accounting) -> None:
    depths, directions = depth.draw(data).axes
    found = [text.get_text() for text in depths.texts]
    assert "BP-Vanilla  1.00" in found
    assert "ZO-Vanilla  0.00" in found
    assert "BP-Segments  0.50" in found
    assert "ZO-Multiple, in turn  0.00" in [text.get_text() for text in directions.texts]
    assert len(depths.lines) == 6
    assert len(directions.lines) == 4


def test_labels_are_spread_in_their_order() -> None:
    found = spread([(1, 5.0, "a"), (1, 5.1, "b"), (1, 50.0, "c")], 1.3)
    assert [text for *_, text in found] == ["a", "b", "c"]
    assert found[1][1] / found[0][1] == pytest.approx(1.3, rel=0.01)
    assert found[2][1] == 50.0
