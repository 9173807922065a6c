"""Table 1 of the paper, and the line of this study below it."""

from __future__ import annotations

from gradcost.results.tidy import Tidy
from gradcost.tables import related_work
from tests.tables.test_tables import line_of


def test_every_study_has_a_line_with_as_many_cells_as_the_header(data: Tidy, failed: Tidy) -> None:
    for source in (data, failed):
        text = related_work.render(source)
        lines = [line for line in text.splitlines() if line.endswith(r" \\")]
        assert {line.count("&") for line in lines} == {4}
        assert len(lines) == 1 + 7 + 1
        assert "nan" not in text.lower()


def test_ticks_are_those_of_table_1(data: Tidy) -> None:
    text = related_work.render(data)
    assert line_of(text, "MEZO (")[1:4] == ["---", "yes", "---"]
    assert line_of(text, "ZOSPARSE")[1:4] == ["yes", "---", "---"]
    assert line_of(text, "SPRY")[1:4] == ["yes", "yes", "---"]
    assert line_of(text, "FoMoH")[1:4] == ["---", "---", "---"]
    assert line_of(text, "The paper")[1:4] == ["yes", "yes", "yes"]


def test_this_study_ticks_what_all_of_its_runs_measured(data: Tidy) -> None:
    cells = line_of(related_work.render(data), "This study")
    assert cells[1:4] == ["yes", "yes", "yes"]
    assert cells[4].startswith("17 methods on Reuters topics and 20 Newsgroups, 102 runs")
    assert "checkpointing" in cells[4]
    runs = data.runs.copy()
    runs.loc[runs["method"] == "zo-vanilla", "peak_bytes"] = None
    runs.loc[runs["method"] == "bp-checkpointing", "outcome"] = "out-of-memory"
    cells = line_of(related_work.render(Tidy(runs, data.history, data.presentation)), "This study")
    assert cells[1:4] == ["yes", "---", "yes"]
    assert "checkpointing" not in cells[4]
    assert "96 runs" in cells[4]
    none = Tidy(runs.assign(outcome="missing"), data.history, data.presentation)
    assert line_of(related_work.render(none), "This study")[1:4] == ["---", "---", "---"]
