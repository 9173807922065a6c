"""The figures of the experiments: what is drawn, and what is said where runs are missing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from gradcost.figures import curves, notes, scatter, style
from gradcost.figures.save import save
from gradcost.results import compare
from gradcost.results.tidy import Tidy
from tests.figures.experiments import METHODS, SETTINGS, TASK, experiment, failures, nothing
from tests.results.synthetic import study

VARIANCES = {"default": 1.0, "more": 0.1, "less": 0.01}
BP_FMAD = ["BP-Checkpointing", "FMAD-Vanilla", "FMAD-Multiple", "FMAD-Accumulate"]
FAMILIES = ["BP-Checkpointing", "ZO-Vanilla", "FMAD-Vanilla"]


@dataclass(frozen=True)
class Case:
    """An experiment and what its figure shows of it.

    `lines` are those of values over steps or time in each panel; `gone` and `ended` are how
    the note calls the first method's rows and the last's, if the first is missing and a run
    of the last diverged.
    """

    methods: tuple[str, ...]
    legend: list[str]
    lines: list[int]
    gone: list[str]
    ended: list[str]
    grid: dict[str, Any] = field(default_factory=dict)


def _more_of(strategy: str) -> Callable[[str, str], bool]:
    return lambda method, setting: setting == "default" or method.endswith(strategy)


CASES = {
    "time_to_accuracy": Case(
        ("bp-vanilla", "bp-checkpointing", "zo-vanilla", "zo-multiple", "fmad-vanilla"),
        ["BP-Vanilla", *FAMILIES], [4], ["BP-Vanilla"], ["FMAD-Vanilla"],
    ),
    "loss_curves": Case(
        ("bp-checkpointing", "zo-vanilla", "zo-svrg", "zo-multiple", "fmad-vanilla"),
        ["BP-Checkpointing", "ZO-Vanilla", "ZO-Multiple", "FMAD-Vanilla"], [4],
        ["BP-Checkpointing"], ["FMAD-Vanilla"],
    ),
    "gradient_norms": Case(
        ("bp-checkpointing", "zo-vanilla", "fmad-vanilla"), FAMILIES, [3],
        ["BP-Checkpointing"], ["FMAD-Vanilla"],
    ),
    "perturbations": Case(
        ("bp-checkpointing", "zo-vanilla", "zo-multiple", "fmad-vanilla", "fmad-multiple"),
        ["BP-Checkpointing"] + [f"{f}, $n$ = {n}" for f in ("ZO", "FMAD") for n in (1, 10, 50)],
        [4, 4, 4, 4], ["BP-Checkpointing"], ["FMAD, $n$ = 10", "FMAD, $n$ = 50"],
        {
            "settings": ("default", "more"), "only": _more_of("multiple"),
            "estimators": {
                f"{f}-multiple/more": {"perturbations": 50} for f in ("zo", "fmad")
            },
        },
    ),
    "accumulation": Case(
        ("bp-checkpointing", "zo-vanilla", "zo-accumulate", "fmad-vanilla", "fmad-accumulate"),
        ["BP-Checkpointing"]
        + [f"{f}, update {how}" for f in ("ZO", "FMAD")
           for how in ("each step", "every 10 steps", "every 20 steps")],
        [4, 4, 4, 4], ["BP-Checkpointing"],
        ["FMAD, update every 10 steps", "FMAD, update every 20 steps"],
        {
            "settings": ("default", "more"), "only": _more_of("accumulate"),
            "reductions": {f"{f}-accumulate/more": {"window": 20} for f in ("zo", "fmad")},
        },
    ),
    "encoders": Case(
        ("bp-checkpointing", "zo-vanilla", "fmad-vanilla"), FAMILIES, [3, 3, 3],
        ["BP-Checkpointing"], ["FMAD-Vanilla"], {"models": ("tiny", "small", "large")},
    ),
    "direction_variance": Case(
        ("zo-vanilla", "fmad-vanilla"),
        [f"ZO, variance {v}" for v in (0.01, 0.1, 1)] + ["ZO, step 0.001", "ZO, step 0.01"]
        + [f"FMAD, variance {v}" for v in (0.01, 0.1, 1)],
        [3, 2, 3],
        ["ZO-Vanilla", "ZO-Vanilla (n = 50)", "ZO-Vanilla (n = 1)", "ZO-Vanilla (wide)"],
        ["FMAD-Vanilla", "FMAD-Vanilla (n = 50)", "FMAD-Vanilla (n = 1)"],
        {
            "settings": ("default", "more", "less", "wide"),
            "only": lambda method, setting: method == "zo-vanilla" or setting != "wide",
            "estimators": {
                f"{method}/{setting}": {"directions": {"variance": variance}}
                for method in ("zo-vanilla", "fmad-vanilla")
                for setting, variance in VARIANCES.items()
            } | {"zo-vanilla/wide": {"epsilon": 1e-2, "directions": {"variance": 1.0}}},
        },
    ),
    "slopes": Case(
        ("bp-checkpointing", "fmad-vanilla", "fmad-multiple", "fmad-accumulate"), [],
        [2] * 6, [], ["FMAD-Accumulate (AdamW)", "FMAD-Accumulate (SGD)"],
        {"settings": ("adamw", "sgd")},
    ),
    "effective_gradients": Case(
        ("bp-checkpointing", "fmad-vanilla", "fmad-multiple", "fmad-accumulate"), BP_FMAD,
        [4, 4], ["BP-Checkpointing (AdamW)", "BP-Checkpointing (SGD)"],
        ["FMAD-Accumulate (AdamW)", "FMAD-Accumulate (SGD)"], {"settings": ("adamw", "sgd")},
    ),
    "svrg": Case(
        ("fmad-vanilla", "fmad-svrg"),
        ["estimate of the batch", "full gradient at the snapshot", "estimate of SVRG",
         "estimate of FMAD-Vanilla"],
        [2, 2, 2, 4], ["FMAD-Vanilla"], ["FMAD-SVRG"],
    ),
    "direction_distributions": Case(
        ("fmad-vanilla",),
        ["FMAD, normal", "FMAD, uniform", "FMAD, normal, normalised",
         "FMAD, uniform, normalised"],
        [4, 4], [], [],
        {
            "settings": ("default", "more", "less", "wide"),
            "estimators": {
                f"fmad-vanilla/{setting}": {
                    "directions": {"distribution": distribution, "normalise": normalise}
                }
                for setting, distribution, normalise in (
                    ("more", "normal", True), ("less", "uniform", False), ("wide", "uniform", True)
                )
            },
        },
    ),
    "signzo": Case(
        ("bp-checkpointing", "zo-vanilla", "signzo", "zo-accumulate", "zo-multiple"),
        ["BP-Checkpointing", "ZO-Vanilla", "SignZO", "ZO-Accumulate", "ZO-Multiple"], [5, 5],
        ["BP-Checkpointing"], ["ZO-Multiple"],
    ),
    "perturbation_budget": Case(
        ("zo-vanilla", "zo-multiple"), [f"ZO, $n$ = {n}" for n in (1, 10, 50)], [3, 3],
        ["ZO-Vanilla"], ["ZO, $n$ = 10", "ZO, $n$ = 50"],
        {
            "settings": ("default", "more"), "only": _more_of("multiple"),
            "estimators": {"zo-multiple/more": {"perturbations": 50}},
        },
    ),
    "forward_optimizers": Case(
        ("fmad-vanilla", "fmad-adaptive"), ["AdamW", "SGD", "n = 50"], [3, 3, 2, 2],
        ["FMAD-Vanilla (AdamW)", "FMAD-Vanilla (SGD)", "FMAD-Vanilla (n = 50)"],
        ["FMAD-Adaptive (AdamW)", "FMAD-Adaptive (SGD)"],
        {
            "settings": ("adamw", "sgd", "more"),
            "only": lambda method, setting: method == "fmad-vanilla" or setting != "more",
        },
    ),
}  # fmt: skip
SCATTERED = {"slopes"}  # which show a run that ended early as they show all others


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Tidy:
    """A study of which all experiments are parts."""
    folder = tmp_path_factory.mktemp("everything")
    return study(folder, methods=METHODS, tasks=(TASK,), settings=SETTINGS)


def draw(name: str, data: Tidy) -> Figure:
    figure = import_module(f"gradcost.figures.{name}").draw(data)
    assert isinstance(figure, Figure)
    return figure


def labels(figure: Figure) -> list[str]:
    """What the legend names."""
    texts = [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    return [text for text in texts if text.strip()]


def over(axes: Axes) -> list[Line2D]:
    """The lines of more than a few values."""
    return [line for line in axes.lines if np.size(line.get_xdata()) > 2]


def crosses(figure: Figure) -> list[Line2D]:
    return [line for axes in figure.axes for line in axes.lines if line.get_marker() == "x"]


def note(figure: Figure) -> str:
    """What stands below, as one line."""
    return figure.get_supxlabel().replace("\n", " ")


@pytest.mark.parametrize("name", CASES)
def test_every_row_has_a_line_in_its_panels_and_a_name(name: str, everything: Tidy) -> None:
    case = CASES[name]
    figure = draw(name, experiment(everything, case.methods, **case.grid))
    assert labels(figure) == case.legend
    assert [len(over(axes)) for axes in figure.axes] == case.lines
    assert "3 seeds" in note(figure)
    assert "not drawn" not in note(figure)
    assert "ended early" not in note(figure)
    assert not crosses(figure)
    assert not any(axes.texts for axes in figure.axes)  # over the curves
    has_accuracy = any("accuracy" in axes.get_ylabel() for axes in figure.axes)
    assert (curves.MAJORITY in note(figure)) == has_accuracy


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.ended])
def test_what_failed_is_said_and_a_cross_ends_it(name: str, everything: Tidy) -> None:
    case = CASES[name]
    data = experiment(everything, case.methods, failures(case.methods), **case.grid)
    figure = draw(name, data)
    total = 3 * len(data.columns)
    ended = "; ".join(f"{row}, {total // 3} of {total} diverged" for row in case.ended)
    assert f"ended early, at a cross: {ended}" in note(figure)
    for row in case.gone:
        assert f"{row}, {total} of {total} missing" in note(figure)
    assert ("not drawn" in note(figure)) == bool(case.gone)
    assert len(crosses(figure)) >= len(case.ended) * len(data.columns)
    # what is missing keeps its place
    assert len(labels(figure)) >= min(len(case.legend), len(data.trained))
    if name not in SCATTERED:
        assert "that completed" in note(figure)


@pytest.mark.parametrize("name", CASES)
def test_one_seed_has_no_band(name: str, everything: Tidy) -> None:
    case = CASES[name]
    figure = draw(name, experiment(everything, case.methods, seeds=(0,), **case.grid))
    assert "1 seed" in note(figure)
    assert "band" not in note(figure)
    assert [len(over(axes)) for axes in figure.axes] == case.lines


@pytest.mark.parametrize("name", CASES)
def test_without_a_completed_run_the_figure_says_so(
    name: str, everything: Tidy, tmp_path: Path
) -> None:
    case = CASES[name]
    data = experiment(everything, case.methods, nothing(case.methods), **case.grid)
    figure = draw(name, data)
    assert figure.axes
    for axes in figure.axes:
        assert [text.get_text() for text in axes.texts] == ["no run completed"]
        assert not axes.lines
    assert note(figure).startswith("no run completed")
    assert "missing" in note(figure)
    save(figure, tmp_path / "figure.pdf")


def test_a_figure_of_many_dots_is_the_same_twice(everything: Tidy, tmp_path: Path) -> None:
    case = CASES["slopes"]
    data = experiment(everything, case.methods, **case.grid)
    for name in ("one", "two"):
        save(draw("slopes", data), tmp_path / f"{name}.pdf")
    assert (tmp_path / "one.pdf").read_bytes() == (tmp_path / "two.pdf").read_bytes()


def seven(one: Tidy) -> Tidy:
    """The same runs on seven tasks, as many as the paper has."""
    tasks = [f"task-{number}" for number in range(7)]
    shown = dict(one.presentation)
    shown["tasks"] = [{"name": task, "label": task, "paper": None} for task in tasks]
    return Tidy(
        pd.concat([one.runs.assign(task=task) for task in tasks], ignore_index=True),
        pd.concat([one.history.assign(task=task) for task in tasks], ignore_index=True),
        shown,
    )


def test_seven_tasks_are_three_across(everything: Tidy) -> None:
    data = seven(experiment(everything, ("bp-checkpointing", "zo-vanilla"), seeds=(0, 1)))
    figure = draw("loss_curves", data)
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == [column.label for column in data.columns]
    columns = [axes.get_subplotspec().colspan.start for axes in figure.axes]  # type: ignore[union-attr]
    assert columns == [0, 1, 2, 0, 1, 2, 0]
    named = [axes.get_title(loc="left") for axes in figure.axes if axes.get_xlabel()]
    assert named == ["task-4", "task-5", "task-6"]  # with none below them


@pytest.mark.parametrize(
    "name",
    ["learning_curves", "variance_reductions", "trade_off", "time_to_accuracy", "gradient_norms"],
)
def test_seven_tasks_fit_a_page(name: str, everything: Tidy) -> None:
    methods = ("bp-vanilla", "zo-vanilla", "zo-accumulate", "zo-multiple", "fmad-vanilla")
    data = seven(experiment(everything, methods, seeds=(0,)))
    figure = draw(name, data)
    assert figure.get_size_inches()[1] < 9
    assert len(figure.axes) >= 7


def test_the_majority_class_stands_in_every_panel_of_accuracy_and_is_named_below(
    everything: Tidy,
) -> None:
    case = CASES["perturbations"]
    figure = draw("perturbations", experiment(everything, case.methods, **case.grid))
    for axes in figure.axes:
        flat = [line for line in axes.lines if np.ptp(np.asarray(line.get_ydata(), float)) == 0]
        assert [line.get_ydata()[0] for line in flat] == [25.0]  # type: ignore[index]
    assert curves.MAJORITY in note(figure)


def test_panels_that_share_an_axis_show_all_of_each(everything: Tidy) -> None:
    # the methods of later panels are better than those of the first
    methods = ("fmad-vanilla", "fmad-multiple")
    data = experiment(everything, methods, settings=("adamw", "sgd"))
    for axes in draw("forward_optimizers", data).axes[::2]:
        low, high = axes.get_ylim()
        for line in over(axes):
            assert low <= np.min(line.get_ydata()) <= np.max(line.get_ydata()) <= high


def test_lines_are_means_of_running_medians(everything: Tidy) -> None:
    data = experiment(everything, ("zo-vanilla",))
    row, column = data.rows[0], data.columns[0]
    width = curves.running_width(data)
    assert width == 15
    line = draw("gradient_norms", data).axes[0].lines[0]
    norms = data.curves(column, row).query("step > 0").pivot(
        index="step", columns="seed", values="gradient_norm"
    )  # fmt: skip
    medians = [norms.loc[at - 7 : at + 7].median().mean() for at in range(8, 294, 3)]
    assert np.asarray(line.get_ydata()) == pytest.approx(medians)
    assert "running medians over 15 steps" in note(draw("gradient_norms", data))


def test_of_accumulated_gradients_only_those_of_updates_are_drawn(everything: Tidy) -> None:
    data = experiment(everything, ("fmad-accumulate",), settings=("adamw",))
    line = draw("effective_gradients", data).axes[0].lines[0]
    # medians over 15 steps are of two updates
    assert list(line.get_xdata()) == list(range(20, 301, 10))  # type: ignore[arg-type]


def test_a_run_that_explodes_leaves_room_for_the_others(everything: Tidy) -> None:
    outcomes = {("fmad-vanilla", 0): "diverged"}
    data = experiment(everything, ("bp-checkpointing", "fmad-vanilla"), outcomes)
    history = data.history.copy()
    exploded = (history["method"] == "fmad-vanilla") & (history["seed"] == 0)
    history.loc[exploded & (history["step"] > 50), "loss"] = 1e30
    figure = draw("loss_curves", Tidy(data.runs, history, data.presentation))
    (cross,) = crosses(figure)
    highest = max(np.max(line.get_ydata()) for line in figure.axes[0].lines[:2])
    assert cross.get_ydata()[0] == pytest.approx(10 * highest)  # type: ignore[index]
    assert figure.axes[0].get_ylim()[1] < 100 * highest


def test_every_slope_is_a_dot_and_many_are_pixels(everything: Tidy) -> None:
    case = CASES["slopes"]
    data = experiment(everything, case.methods, failures(case.methods), **case.grid)
    figure = draw("slopes", data)
    dots = next(one for one in figure.axes[4].collections if isinstance(one, PathCollection))
    assert len(dots.get_offsets()) == 2 * 300 + 100  # one run ended a third of the way
    assert not dots.get_rasterized()
    many = pd.DataFrame({"seed": 0, "step": np.arange(scatter.RASTER + 1), "value": 1.0})
    axes = Figure().subplots()
    scatter.scatter(axes, many, style.look(data.rows[0]), 10)
    assert axes.collections[0].get_rasterized()


def test_ranges_hold_nine_tenths_of_the_slopes(everything: Tidy) -> None:
    data = experiment(everything, ("fmad-vanilla",))
    rng = np.random.default_rng(0)
    slopes = [[value] for value in rng.standard_normal(len(data.history))]
    data = Tidy(data.runs, data.history.assign(projections=slopes), data.presentation)
    axes = draw("slopes", data).axes[0]
    low, high = axes.lines[:2]
    points = scatter.slopes(data, data.columns[0], data.rows[0])
    inside = points[points["step"].between(8, 292)]
    between = (inside["value"] >= np.interp(inside["step"], low.get_xdata(), low.get_ydata())) & (
        inside["value"] <= np.interp(inside["step"], high.get_xdata(), high.get_ydata())
    )
    assert between.mean() == pytest.approx(0.9, abs=0.03)


def test_slopes_far_from_all_others_make_the_axis_logarithmic(everything: Tidy) -> None:
    data = experiment(everything, ("fmad-vanilla",))
    assert draw("slopes", data).axes[0].get_yscale() == "linear"
    history = data.history.copy()
    history.at[250, "projections"] = [1e6]
    far = draw("slopes", Tidy(data.runs, history, data.presentation))
    assert far.axes[0].get_yscale() == "symlog"
    assert "logarithmic beyond" in note(far)


def test_the_difference_of_slopes_is_taken_step_by_step(everything: Tidy) -> None:
    data = experiment(everything, ("fmad-svrg",), seeds=(0,))
    history = data.history[data.history["step"] > 0]
    wanted = [
        here[0] - there[0]
        for here, there in zip(history["projections"], history["snapshot_projections"], strict=True)
    ]
    dots = draw("svrg", data).axes[2].collections[0].get_offsets()
    assert np.asarray(dots)[:, 1] == pytest.approx(wanted)
    limits = {axes.get_ylim() for axes in draw("svrg", data).axes[:3]}
    assert len(limits) == 1


def test_convergence_stands_at_the_plateau_and_at_the_common_target(everything: Tidy) -> None:
    methods = ("bp-checkpointing", "zo-vanilla", "fmad-vanilla")
    data = experiment(everything, methods, models=("tiny", "small"))
    figure = draw("convergence_time", data)
    assert len(figure.axes) == 4
    column, rows = data.columns[0], {row.key: row for row in data.rows}
    own, common = figure.axes[:2]
    markers = [line.get_xdata()[0] for line in own.lines if len(line.get_xdata()) == 1]  # type: ignore[index, arg-type]
    assert markers == [compare.plateau(data, column, row).training_seconds for row in data.rows]
    goal = compare.target(data, column)
    assert goal is not None
    assert common.get_title(loc="left") == f"to a common {goal:g}%"
    (marker,) = [line for line in common.lines if len(line.get_xdata()) == 1]  # type: ignore[arg-type]
    reached = compare.reach(data, column, rows["bp-checkpointing"], goal)
    assert marker.get_xdata()[0] == reached.training_seconds  # type: ignore[index]
    assert [text.get_text() for text in common.texts] == ["", "never", "never"]
    steady = compare.steady(data, column, rows["zo-vanilla"]).mean()
    assert own.texts[1].get_text() == f"at {steady:.0f}%"
    # all markers within the middle of the axis, with room for words on the right
    low, high = own.get_xlim()
    times = [x for axes in figure.axes for line in axes.lines for x in line.get_xdata()]  # type: ignore[union-attr]
    assert low < min(times)
    assert high / low < 3 * (max(times) / min(times)) ** 2


def test_convergence_in_words_where_there_is_no_time(everything: Tidy) -> None:
    methods = ("bp-checkpointing", "zo-vanilla", "fmad-vanilla")
    data = experiment(everything, methods, failures(methods))
    history = data.history.copy()
    flat = (history["method"] == "zo-vanilla") & history["validation_accuracy"].notna()
    history.loc[flat, "validation_accuracy"] = 0.25
    figure = draw("convergence_time", Tidy(data.runs, history, data.presentation))
    said = [text.get_text() for text in figure.axes[0].texts]
    assert said[:2] == ["no run completed", "at 25%"]
    assert said[2].endswith("2 of 3 seeds")
    assert "not drawn: BP-Checkpointing, 3 of 3 missing" in note(figure)
    assert not crosses(figure)


def test_convergence_without_a_completed_run(everything: Tidy) -> None:
    methods = ("bp-checkpointing", "zo-vanilla")
    figure = draw("convergence_time", experiment(everything, methods, nothing(methods)))
    assert note(figure).startswith("no run completed")
    assert {text.get_text() for text in figure.axes[0].texts} == {"no run completed"}
    assert figure.axes[1].get_title(loc="left") == "no common accuracy"


def test_settings_go_from_light_to_dark_and_are_told_apart_without_colour(everything: Tidy) -> None:
    settings = ("default", "more", "less", "wide", "adamw")
    rows = experiment(everything, ("zo-vanilla",), settings=settings, seeds=(0,)).rows
    for count in (1, 2, 3, 5):
        looks = [look for _, look in style.scale(rows[:count])]
        grey = [float(np.dot(to_rgb(look.color), (0.299, 0.587, 0.114))) for look in looks]
        assert grey == sorted(grey, reverse=True)
        assert min([1.0, *-np.diff(grey)]) > 0.04
        assert len({str(look.linestyle) for look in looks}) == count
        # each dash begins with that below it, and leaves some of it to be seen
        dashes = [look.linestyle for look in looks[1:]]
        assert {start for start, _ in dashes} <= {0}
        assert len({on + off for _, (on, off) in dashes}) <= 1
        assert min([1.0, *-np.diff([on for _, (on, _) in dashes])]) > 0.9
        assert len({look.marker for look in looks}) == count


def test_a_note_says_on_which_task_runs_failed(tmp_path: Path) -> None:
    methods = ("bp-vanilla", "fmad-vanilla")
    some = {(TASK, "fmad-vanilla", 0): "diverged", (TASK, "bp-vanilla", 1): "out-of-memory"}
    data = study(tmp_path / "some", some, methods=methods)  # type: ignore[arg-type]
    assert notes.failures_text(data, data.rows, value="loss").split("\n") == [
        "ended early, at a cross: FMAD-Vanilla, 1 of 3 diverged on Reuters topics",
        "not drawn: BP-Vanilla, 1 of 3 out of memory on Reuters topics",
    ]
    both = some | {("ng-4", "fmad-vanilla", 2): "diverged"}
    data = study(tmp_path / "both", both, methods=methods)  # type: ignore[arg-type]
    assert "FMAD-Vanilla, 2 of 6 diverged" in notes.failures_text(data, data.rows, value=None)


def test_an_empty_panel_leaves_the_labels_to_its_neighbour(everything: Tidy) -> None:
    case = CASES["direction_variance"]
    data = experiment(everything, case.methods, failures(case.methods), **case.grid)
    empty, full = draw("direction_variance", data).axes
    assert not empty.yaxis.get_tick_params()["labelleft"]
    assert full.yaxis.get_tick_params()["labelleft"]
