"""What a report says that it is of."""

from __future__ import annotations

import yaml

from gradcost.results import paper
from gradcost.tables import contents
from tests.tables.test_report import SOURCES


def test_each_experiment_has_a_place_and_its_section_stands():
    text = contents.render({"accuracy": "../../results/demo/x.json", "lora-rank": "y.json"})
    assert r"\defstanding{accuracy}{../../results/demo/x.json}" in text
    assert r"\defstanding{sizes}{}" in text
    assert r"\defstanding{directions}" not in text


def test_every_experiment_of_the_report_has_a_part_of_it():
    study = yaml.safe_load((SOURCES.parent / "config.yaml").read_text())
    text = "".join(source.read_text() for source in SOURCES.rglob("*.tex"))
    for name in set(study["report"]) - {"accuracy"}:
        assert (SOURCES / "parts" / f"{name}.tex").exists()
        assert f"{{{name}}}" in text


def test_every_place_where_the_paper_disagrees_with_itself_is_an_item():
    text = contents.render({})
    assert text.count(r"\item ") == len(paper.inconsistencies()) > 20
    assert rf"\defresult{{paper/inconsistent}}{{{len(paper.inconsistencies())}}}" in text


def test_what_the_prose_has_of_the_paper_is_the_paper_s():
    text = contents.render({})
    assert r"\defresult{paper/window}{100}" in text
    assert r"\defresult{paper/length}{350}" in text
