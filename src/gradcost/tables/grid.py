"""Tables of one shape: a line a method in a setting, and beside it what a list of entries says.

    ENTRIES = [*grid.ACCURACY, grid.minus("BP", references.bp), *grid.STEP]
    grid.table(data, ENTRIES)

Lines stand under the model and task that they are of, and settings under their method. A method
none of whose runs completed has, in place of its accuracy, how they ended and why; where some did
not, a line below says so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby, takewhile

from gradcost.results import compare
from gradcost.results.tidy import OUTCOMES, Column, Row, Tidy
from gradcost.tables import latex
from gradcost.tables.references import Reference

LONGEST = 56  # characters of a reason
Cell = Callable[[Tidy, Column, Row], str]


@dataclass(frozen=True)
class Entry:
    """One column: its heading (LaTeX), what stands in it, and the heading it shares with others.

    `completed`: it tells of completed runs alone, and has nothing to tell without one.
    """

    head: str
    cell: Cell
    over: str = ""
    align: str = "r"
    completed: bool = False


def table(
    data: Tidy,
    entries: Sequence[Entry],
    *,
    columns: Sequence[Column] | None = None,
    rows: Sequence[Row] | None = None,
    group: Callable[[Row], object] = lambda row: row.family,
    title: Callable[[Column], str] = lambda column: latex.escape(column.label),
) -> str:
    """A table of all models and tasks or of `columns`, and of all rows or of `rows`.

    Args:
        group: what lines have in common between two gaps.
        title: what stands above the lines of a model and task, LaTeX.
    """
    width = 1 + len(entries)
    body: list[list[str] | str] = []
    for column in data.columns if columns is None else columns:
        body.append(latex.heading(title(column), width, first=not body))
        asked = data.rows if rows is None else rows
        here = [row for row in asked if len(data.cell(column, row))]
        apart = len({group(row) for row in here}) < len(here)  # else gaps would be everywhere
        for index, row in enumerate(here):
            if apart and index and group(row) != group(here[index - 1]):
                body.append(latex.GAP)
            settings = [other.setting for other in here if other.method == row.method]
            below = len(settings) > 1 and row.setting != "default"
            if below and settings[0] == row.setting:  # none is the method as such
                body.append([_method(row), *[""] * len(entries)])
            label = (
                rf"\quad {latex.escape(row.setting_label)}" if below else latex.escape(row.label)
            )
            body += _lines(data, column, row, entries, label)
    aligned = "".join(entry.align for entry in entries)
    return latex.tabular(f"@{{}}l{aligned}@{{}}", heads("Method", entries), body)


def heads(first: str, entries: Sequence[Entry]) -> list[str]:
    """The header: headings that several neighbours share, with a rule each, and their own."""
    second = " & ".join([first, *(entry.head for entry in entries)]) + r" \\"
    if not any(entry.over for entry in entries):
        return [second]
    shared, rules, last = [""], [], 1
    for over, members in groupby(entries, key=lambda entry: entry.over):
        count = len(list(members))
        shared.append(rf"\multicolumn{{{count}}}{{c}}{{{over}}}" if over else "& " * (count - 1))
        if over:
            rules.append(rf"\cmidrule(lr){{{last + 1}-{last + count}}}")
        last += count
    return [" & ".join(shared) + r" \\", "".join(rules), second]


def failures(data: Tidy, column: Column, row: Row) -> str:
    """`2 of 3 diverged (step 57: loss = nan)`, LaTeX; nothing if all runs of a cell completed."""
    cell = data.cell(column, row)
    found = []
    for outcome in OUTCOMES[1:]:
        ended = cell[cell["outcome"] == outcome]
        if ended.empty:
            continue
        reasons = ended["reason"].dropna()
        why = f" ({latex.escape(_short(reasons.iloc[0]))})" if len(reasons) else ""
        found.append(f"{len(ended)} of {len(cell)} {outcome}{why}")
    return "; ".join(found)


def _short(reason: str) -> str:
    """The first sentence of why a run ended, for the width of a table."""
    first = reason.split(". ")[0].strip()
    return first if len(first) <= LONGEST else first[: LONGEST - 3].rstrip() + "..."


def _method(row: Row) -> str:
    """What a row's method is called, without its setting."""
    return latex.escape(row.label.removesuffix(f" ({row.setting_label})"))


def _lines(
    data: Tidy, column: Column, row: Row, entries: Sequence[Entry], label: str
) -> list[list[str]]:
    """The line of a row, and one below it for failures."""
    line, failed = [label], failures(data, column, row)
    some = compare.accuracy(data, column, row) is not None
    if failed and not some:
        # how they ended stands in the first cells that have nothing to tell
        before = list(takewhile(lambda entry: not entry.completed, entries))
        place = list(takewhile(lambda entry: entry.completed, entries[len(before) :]))
        line += [entry.cell(data, column, row) for entry in before]
        if place:
            line.append(_across(len(place), failed))
            failed = ""
        entries = entries[len(before) + len(place) :]
    for entry in entries:
        line.append(entry.cell(data, column, row) if some or not entry.completed else latex.DASH)
    return [line, ["", _across(len(line) - 1, failed)]] if failed else [line]


def _across(count: int, text: str) -> str:
    return rf"\multicolumn{{{count}}}{{l}}{{{text}}}"


# Entries that several tables have.


def _accuracy(data: Tidy, column: Column, row: Row) -> str:
    return latex.plus_minus(compare.accuracy(data, column, row))


def _sd(data: Tidy, column: Column, row: Row) -> str:
    summary = compare.accuracy(data, column, row)
    return latex.number(summary.sd if summary else None)


def seeds(data: Tidy, column: Column, row: Row) -> str:
    """Completed runs, and of how many where some did not complete."""
    done, asked = len(data.cell(column, row, completed=True)), len(data.cell(column, row))
    return str(done) if done == asked else f"{done} of {asked}"


ACCURACY = (
    Entry(r"accuracy [\%]", _accuracy, completed=True),
    Entry("sd", _sd, completed=True),
    Entry("$n$", seeds, completed=True),
)


def minus(name: str, reference: Reference) -> Entry:
    """Accuracy minus that of a reference, in points, paired by seed; bold if not of zero."""

    def cell(data: Tidy, column: Column, row: Row) -> str:
        other = reference(data, row)
        if other is None:
            return latex.DASH
        return latex.difference(compare.difference(data, column, row, other))

    return Entry(f"minus {name}", cell, align="l", completed=True)


def cost(head: str, key: str, show: Callable[[float], str], over: str = "") -> Entry:
    """One of the costs that `compare.cost` counts."""
    return Entry(
        head, lambda data, column, row: show(float(compare.cost(data, column, row)[key])), over
    )


def plain(value: float) -> str:
    """A number with its decimal prefix."""
    return latex.scaled(value, "")


TRAINABLE = cost("trained", "trainable_parameters", plain)
FORWARDS = cost("forwards", "forward_equivalents", lambda value: latex.number(value, 2), "step")
FLOPS = cost("FLOPs", "step_flops", plain, "step")
MEMORY = cost("memory", "activation_bytes", lambda value: latex.scaled(value, "B"), "step")
TIME = cost("ms", "seconds_per_step", lambda value: latex.significant(1e3 * value), "step")
STEP = (FORWARDS, MEMORY, TIME)


Arrival = Callable[[Column, Row], compare.Reach | None]


def to_plateau(data: Tidy) -> Arrival:
    """What it takes to a run's own plateau, the paper's measure. Each is computed once."""
    return cache(lambda column, row: compare.plateau(data, column, row))


def to_target(data: Tidy) -> Arrival:
    """What it takes to the common target; None where there is no target."""
    goals = {column: compare.target(data, column) for column in data.columns}

    def arrival(column: Column, row: Row) -> compare.Reach | None:
        goal = goals[column]
        return None if goal is None else compare.reach(data, column, row, goal)

    return cache(arrival)


def spent(head: str, arrival: Arrival, show: Callable[[compare.Reach], str], over: str) -> Entry:
    """What had been spent on arrival, a median over seeds."""

    def cell(data: Tidy, column: Column, row: Row) -> str:
        reach = arrival(column, row) if row.family != "none" else None
        return latex.DASH if reach is None else show(reach)

    return Entry(head, cell, over)


def seconds(reach: compare.Reach) -> str:
    """The time of training."""
    return latex.significant(reach.training_seconds, 2)


def computation(data: Tidy, column: Column, row: Row, reach: compare.Reach | None) -> str:
    """The FLOPs of training."""
    if reach is None:
        return latex.DASH
    forward = float(compare.cost(data, column, row)["forward_flops"])
    return latex.scaled(reach.forward_equivalents * forward, "")


def time_to_plateau(data: Tidy) -> Entry:
    """Seconds of training to the own plateau."""
    return spent("plateau", to_plateau(data), seconds, "seconds to")


def times(data: Tidy) -> tuple[Entry, Entry]:
    """Seconds of training to the own plateau and to the common target."""
    return time_to_plateau(data), spent("target", to_target(data), seconds, "seconds to")


def aimed(data: Tidy) -> Callable[[Column], str]:
    """What stands above a model and task where a column tells the time to the common target."""

    def title(column: Column) -> str:
        goal = compare.target(data, column)
        aim = "no target" if goal is None else rf"target {goal:.0f}\,\% on validation"
        return f"{latex.escape(column.label)}, {aim}"

    return title


def paper(
    value: Callable[[Row], float | None],
    head: str = "paper",
    show: Callable[[float | None], str] = latex.number,
    over: str = "",
) -> Entry:
    """What the paper has of a method in a setting."""
    return Entry(head, lambda data, column, row: show(value(row)), over)
