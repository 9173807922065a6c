"""The figures: whole, reproducible, and not thrown by runs that failed."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import matplotlib as mpl
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure

from gradcost.figures import cost, learning_curves, style, trade_off, variance_reductions
from gradcost.figures.save import save
from gradcost.results import compare
from gradcost.results.tidy import Row, Tidy
from gradcost.study import config
from tests.results.synthetic import study

MODULES = [learning_curves, cost, trade_off, variance_reductions]


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


def test_curves_have_a_line_for_each_of_their_methods_in_each_panel(data: Tidy) -> None:
    rows = [row for row in data.trained if row.strategy in learning_curves.STRATEGIES]
    assert len(rows) == 6
    figure = learning_curves.draw(data)
    assert len(figure.axes) == len(data.columns) * 3
    for axes in figure.axes:
        drawn = [line for line in axes.lines if len(line.get_xdata()) > 2]  # type: ignore[arg-type]
        assert len(drawn) == len(rows)
    assert "3 seeds" in figure.get_supxlabel()
    assert labels(figure) == [row.label for row in rows]


def labels(figure: Figure) -> list[str]:
    """What the legend names."""
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    return [text for text in texts if text.strip()]


def test_curves_of_methods_without_a_vanilla_are_drawn_all_the_same(tmp_path: Path) -> None:
    one = study(tmp_path, methods=("mezo", "fmad-svrg"), tasks=("r8-4",), seeds=(0,))
    assert labels(learning_curves.draw(one)) == ["MeZO", "FMAD-SVRG"]


def test_seeds_that_failed_are_not_claimed(failed: Tidy) -> None:
    assert "1 to 3 seeds" in learning_curves.draw(failed).get_supxlabel()


def test_zeroth_order_lies_dashed_over_forward_mode(data: Tidy) -> None:
    looks = {row.key: style.look(row) for row in data.rows}
    zo, fmad = looks["zo-vanilla"], looks["fmad-vanilla"]
    assert zo.zorder > fmad.zorder
    assert zo.linestyle != fmad.linestyle
    # no two methods of a family are told apart by nothing but colour
    assert len({(row.family, looks[row.key].marker) for row in data.trained}) == len(data.trained)


def test_no_two_methods_look_alike() -> None:
    study = config.read(Path(__file__).parents[2] / "config.yaml")
    rows = [
        Row(name, "default", method.label, method.family)
        for name, method in study.methods.items()
        if method.family != "none"  # which no figure has
    ]
    # told apart without colour: by family, marker and whether that is hollow
    seen = {
        (row.family, one.marker, one.face == "white") for row in rows for one in [style.look(row)]
    }
    assert len(seen) == len(rows)
    forward = [row for row in rows if row.family != "bp" and not row.published]
    marks = {(one.marker, one.fill) for row in forward for one in [style.look(row)]}
    assert len(marks) == len(forward)
    described = [row for row in rows if row.family == "bp" and not row.published]
    lines = [str(style.look(row).linestyle) for row in described]
    assert len(set(lines)) == len(lines)


def test_each_strategy_has_a_panel_with_its_methods_and_the_references(data: Tidy) -> None:
    figure = variance_reductions.draw(data)
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == [
        "Accumulate", "Multiple", "Adaptive", "SVRG", "Sparse", "MeZO and SignZO",
    ] * len(data.columns)  # fmt: skip
    assert figure.get_supylabel() == "validation accuracy [%]"
    counts = [
        sum(len(line.get_xdata()) > 2 for line in axes.lines)  # type: ignore[arg-type]
        for axes in figure.axes
    ]
    assert counts == [3 + 3, 3 + 2, 3 + 2, 3 + 2, 3 + 2, 3 + 2] * len(data.columns)
    assert labels(figure) == [
        "BP-Vanilla", "ZO-Vanilla", "FMAD-Vanilla", "FMAD with the strategy",
        "ZO with the strategy", "BP-Accumulate", "MeZO", "SignZO",
    ]  # fmt: skip
    assert "3 seeds" in figure.get_supxlabel()


def test_strategies_are_drawn_against_flops_and_with_bands(data: Tidy) -> None:
    figure = variance_reductions.draw(data)
    column, axes = data.columns[0], figure.axes[1]
    row = next(row for row in data.rows if row.key == "zo-multiple")
    spent = data.curves(column, row)["forward_equivalents"].max()
    forward = compare.cost(data, column, row)["forward_flops"]
    ends = [max(line.get_xdata()) for line in axes.lines]  # type: ignore[type-var]
    assert max(ends) == pytest.approx(spent * forward / 1e9)
    assert figure.axes[-1].get_xlabel() == "computation [GFLOP]"
    curves = data.curves(column, row).dropna(subset=["validation_accuracy"]).query("step > 0")
    seeds = 100 * curves.groupby("step")["validation_accuracy"].agg(["min", "max"])
    zeroth = axes.collections[0].get_paths()[0].vertices[:, 1]
    assert (zeroth.min(), zeroth.max()) == pytest.approx((seeds["min"].min(), seeds["max"].max()))


def test_strategies_that_are_not_run_have_no_panel(tmp_path: Path) -> None:
    one = study(tmp_path / "one", methods=("bp-vanilla", "zo-svrg"), tasks=("r8-4",), seeds=(0,))
    shown = [axes for axes in variance_reductions.draw(one).axes if axes.get_visible()]
    assert [axes.get_title(loc="left") for axes in shown] == ["SVRG"]
    sign = study(tmp_path / "sign", methods=("zo-vanilla", "signzo"), tasks=("r8-4",), seeds=(0,))
    shown = [axes for axes in variance_reductions.draw(sign).axes if axes.get_visible()]
    assert [axes.get_title(loc="left") for axes in shown] == ["SignZO"]
    none = study(tmp_path / "none", methods=("bp-vanilla",), tasks=("r8-4",), seeds=(0,))
    assert not variance_reductions.draw(none).axes


def test_no_labels_of_the_cost_figure_collide(data: Tidy) -> None:
    figure = cost.draw(data)
    figure.canvas.draw()
    for axes in figure.axes:
        boxes = [text.get_window_extent() for text in axes.texts]
        for one, other in pairwise(boxes):
            assert not one.overlaps(other)
        assert max(box.x1 for box in boxes) <= figure.bbox.x1


def test_tasks_of_equal_cost_share_a_panel(data: Tidy) -> None:
    figure = cost.draw(data)
    assert len(figure.axes) == 2
    assert figure.axes[0].get_title(loc="left") == "Reuters topics, 20 Newsgroups"


def test_tasks_share_a_panel_if_a_page_has_no_room_for_theirs(
    data: Tidy, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = data.runs.copy()
    of_one = runs["task"] == "r8-4"
    runs.loc[of_one, "peak_bytes"] += (runs["peak_bytes"] - runs["model_bytes"])[of_one]
    wide = Tidy(runs, data.history, data.presentation)
    assert len(cost.draw(wide).axes) == 4
    monkeypatch.setattr(cost, "HEIGHT", 2.0)
    memory, flops = cost.draw(wide).axes
    assert memory.get_title(loc="left") == "one mark for each task"
    assert [text.get_text() for text in memory.texts][:2] == ["4.31–8.62", "1.72–3.44"]
    assert [text.get_text() for text in flops.texts][:2] == ["1.99", "2.79"]
    marks = [line for line in memory.lines if line.get_marker() not in ("", "None")]
    assert [len(line.get_xdata()) for line in marks] == [2] * len(data.trained)


def test_circles_are_as_large_as_the_memory(data: Tidy) -> None:
    axes = trade_off.draw(data).axes[0]
    areas = [float(one.get_sizes()[0]) for one in circles(axes)]
    peaks = [float(data.cell(data.columns[0], row)["peak_bytes"].iloc[0]) for row in data.trained]
    assert [area / areas[0] for area in areas] == pytest.approx([p / peaks[0] for p in peaks])


def test_circles_stand_at_time_and_accuracy_with_their_interval(data: Tidy) -> None:
    column = data.columns[1]
    figure = trade_off.draw(data)
    axes = figure.axes[1]
    assert axes.get_title(loc="left") == column.label
    for circle, bar, row in zip(circles(axes), axes.containers, data.trained, strict=True):
        accuracy = compare.accuracy(data, column, row)
        assert accuracy is not None
        seconds = data.cell(column, row)["training_seconds"].mean()
        assert circle.get_offsets()[0].tolist() == pytest.approx([seconds, accuracy.mean])
        low, high = bar.lines[2][0].get_segments()[0][:, 1]
        assert (low, high) == pytest.approx(accuracy.interval)
    assert labels(figure) == [row.label for row in data.trained]
    assert "3 seeds; bars: 95% interval" in figure.legends[1].get_title().get_text()


def circles(axes: Axes) -> list[PathCollection]:
    """Those with a place; the key of sizes has none."""
    found = [one for one in axes.collections if isinstance(one, PathCollection)]
    return [one for one in found if len(one.get_offsets())]


def test_bands_reach_from_the_lowest_to_the_highest_seed(data: Tidy) -> None:
    column, row = data.columns[0], data.trained[0]
    axes = learning_curves.draw(data).axes[0]
    curves = data.curves(column, row).dropna(subset=["validation_accuracy"])
    seeds = 100 * curves.groupby("step")["validation_accuracy"].agg(["min", "mean", "max"])
    assert axes.lines[0].get_ydata() == pytest.approx(seeds["mean"].to_numpy())
    band = axes.collections[0].get_paths()[0].vertices[:, 1]
    assert (band.min(), band.max()) == pytest.approx((seeds["min"].min(), seeds["max"].max()))
    assert [axes.get_xlabel() for axes in learning_curves.draw(data).axes[3:]] == [
        "iterations", "forward-equivalents", "training time [s]",
    ]  # fmt: skip


def test_bars_say_their_cost(data: Tidy) -> None:
    memory, flops = cost.draw(data).axes
    assert [text.get_text() for text in memory.texts][:2] == ["4.31", "1.72"]
    assert [text.get_text() for text in flops.texts][:2] == ["1.99", "2.79"]
    assert [tick.get_text() for tick in memory.get_yticklabels()] == [
        row.label for row in data.trained
    ]


@pytest.mark.parametrize("ends", [(0.98, 1.55), (0.6, 1.8), (0.15, 9.0), (0.03, 700.0)])
def test_a_logarithmic_axis_has_two_numbers_or_more(ends: tuple[float, float]) -> None:
    with style.context():
        axes = Figure().subplots()
        axes.plot(ends, ends)
        style.log_x(axes)
        style.log_y(axes)
        for axis, (low, high) in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim())):
            numbers = [label.get_text() for label in axis.get_ticklabels()]
            shown = [low <= place <= high for place in axis.get_majorticklocs()]
            assert sum(map(bool, (n for n, there in zip(numbers, shown, strict=True) if there))) > 1


def test_drawing_leaves_the_global_style_alone(data: Tidy) -> None:
    before = dict(mpl.rcParams)
    cost.draw(data)
    assert dict(mpl.rcParams) == before
