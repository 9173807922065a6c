"""The command line as people use it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gradcost.cli import app
from gradcost.study import record

ROOT = Path(__file__).parents[2]


def run(*arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output
    return result.output


def test_help_says_what_each_command_does():
    output = run("--help")
    for command in ("check", "show", "why", "train", "figure"):
        assert command in output
    assert "What does it cost to avoid backpropagation?" in output


def test_check_lists_the_experiments_of_a_configuration():
    output = run("check", ROOT / "config.yaml", ROOT / "workflow/scales/demo.yaml")
    assert output.startswith("scale demo: ")
    assert "accuracy: 114 runs" in output


def test_check_explains_what_is_wrong(tmp_path):
    overlay = tmp_path / "mine.yaml"
    overlay.write_text("experiments: {accuracy: {methods: [fmad-vanila]}}\n")
    output = run("check", ROOT / "config.yaml", overlay, code=2)
    assert "did you mean 'fmad-vanilla'?" in output
    run("check", tmp_path / "none.yaml", code=2)


def test_show_tells_a_record_in_short_and_refuses_a_bad_one(tmp_path):
    from tests.study.test_record import example

    record.write(tmp_path, *example(outcome="diverged", reason="step 2: loss = nan"))
    output = run("show", tmp_path)
    assert "m / t / x / default / seed 0" in output
    assert "diverged (step 2: loss = nan)" in output
    (tmp_path / "record.json").write_text("{}")
    assert "is not a record of schema 4" in run("show", tmp_path, code=2)


def test_why_names_what_differs_and_nothing_else(tmp_path):
    plans = []
    for name, rate in (("old", 0.1), ("new", 0.2)):
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps({"code": {"a.py": "1"}, "spec": {"rate": rate, "steps": 3}}))
        plans.append(path)
    assert run("why", *plans).strip() == "spec: rate: 0.1 -> 0.2"
    assert run("why", plans[0], plans[0]).strip() == "nothing differs"


def test_an_unknown_schema_is_refused():
    assert "config, overlay, record" in run("schema", "recrod", code=2)


@pytest.mark.parametrize("command", ["data", "model", "tokens", "train", "aggregate", "table"])
def test_stages_that_lack_an_option_name_it(command):
    assert "--plan" in run(command, code=2)
