"""The examples of the README, put together and run."""

from __future__ import annotations

import re
import shutil

import pytest
import typer
import yaml

from gradcost.study import architectures
from gradcost.study.config import merge
from tests.workflow.conftest import ROOT, Project

README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"<!-- file: (\S+) -->\n```\w+\n(.*?)```", README, re.DOTALL)


@pytest.mark.xdist_group("readme")
def test_the_examples_run(fresh, llama_folder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("readme") / "project"
    shutil.copytree(fresh.folder, folder, symlinks=True)
    project = Project(folder, folder / "tiny.yaml")
    overlay: dict = {}
    for name, text in BLOCKS:
        if name.endswith(".py"):
            (folder / name).write_text(text)
        else:
            # the demo's task and model, in a size for tests
            text = text.replace("small-llama", "llama").replace("r8", "agnews")
            overlay = merge(overlay, yaml.safe_load(text.replace("steps: 300", "steps: 2")))
    assert {"methods", "tasks", "models", "experiments", "settings"} <= set(overlay)
    (folder / "mine.yaml").write_text(yaml.safe_dump(overlay))
    shutil.copytree(llama_folder, folder / "my/llama")
    (folder / "my/reviews").mkdir()
    for split in ("train", "test"):
        lines = [f"{'positive' if i % 2 else 'negative'}\t{split} text {i}" for i in range(60)]
        (folder / f"my/reviews/{split}.tsv").write_text("\n".join(lines) + "\n")
    targets = [
        f"reports/tiny/{name}/{artefact}.{suffix}"
        for name, experiment in overlay["experiments"].items()
        for kind, suffix in (("tables", "tex"), ("figures", "pdf"))
        for artefact in experiment.get(kind, [])
    ]
    project.snakemake("--configfile", "tiny.yaml", "mine.yaml", "--", *targets)
    for target in targets:
        assert (folder / target).stat().st_size > 0
    assert "ZO-Clipped" in (folder / "reports/tiny/clipped/accuracy.tex").read_text()


def test_the_readme_s_first_screen_has_the_figure_and_the_two_commands():
    first = "\n".join(README.splitlines()[:20])
    assert "reports/published/learning-curves.svg" in first
    assert (ROOT / "reports/published/learning-curves.svg").stat().st_size > 1000
    assert "make report" in first
    assert "make test" in first


def test_every_target_of_make_that_the_readme_names_exists():
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"(?:^    |`)make ([a-z-]+)", README, re.MULTILINE)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_every_path_that_the_readme_names_exists():
    tree = re.findall(r"`((?:src|workflow|envs|reports/published|slurm)[\w/.-]*)`", README)
    for path in tree:
        assert (ROOT / path).exists(), path


def test_every_option_of_gradcost_plan_that_the_readme_names_exists():
    from gradcost.cli import app

    command = typer.main.get_command(app).commands["plan"]
    known = {name for option in command.params for name in option.opts}
    section = README.partition("## What will it cost?")[2].partition("## Run")[0]
    named = set(re.findall(r"--[a-z][a-z-]*", section))
    assert {"--model", "--study", "--gpu-memory"} <= named <= known
    for architecture in architectures.names():
        assert f"`{architecture}`" in section
