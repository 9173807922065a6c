"""The page of a made-up report: all that the PDF has, and nothing from elsewhere."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pytest

from gradcost.report import svg
from gradcost.report.html import render
from gradcost.report.tex import TexError
from tests.report.synthetic import CLAIMS

VOID = ("meta", "link", "br", "hr", "input", "img", "col")


class Reading(HTMLParser):
    """Elements of a page with their attributes, and the text within tables and outside."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.tables = ""
        self.prose = ""
        self.captions: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {key: value or "" for key, value in attrs}))
        if tag == "figcaption":
            self.captions.append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {key: value or "" for key, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "annotation" in self.open or self.open[-1:] in (["style"], ["script"]):
            return
        if "table" in self.open:
            self.tables += data + " " * (self.open[-1] in ("td", "th"))
        else:
            self.prose += data
        if "figcaption" in self.open:
            self.captions[-1] += data

    def attributes(self, name: str) -> list[str]:
        return [given[name] for _, given in self.elements if name in given]


@pytest.fixture(scope="session")
def reading(page: Path) -> Reading:
    found = Reading(page)
    assert not found.open
    return found


def test_nothing_is_asked_of_any_network(page: Path, reading: Reading) -> None:
    for tag, given in reading.elements:
        if tag in ("img", "script", "link", "iframe", "source", "image", "use", "object"):
            for key in ("src", "href", "xlink:href", "data"):
                assert re.match(r"#|data:|$", given.get(key, "")), (tag, given)
    assert not re.search(r"url\((?!#)|@import|fetch\(|XMLHttp", page.read_text())
    links = [given["href"] for tag, given in reading.elements if tag == "a"]
    assert not [link for link in links if link.startswith(("http", "/", "file"))]


def test_ids_come_once_and_links_lead_to_them(reading: Reading) -> None:
    ids = reading.attributes("id")
    assert [name for name, count in Counter(ids).items() if count > 1] == []
    wanted = [link[1:] for link in reading.attributes("href") if link.startswith("#")]
    wanted += reading.attributes("aria-describedby") + reading.attributes("aria-labelledby")
    assert set(wanted) <= set(ids)


def test_links_below_floats_lead_to_what_made_them(reading: Reading, folder: Path) -> None:
    code = [link for link in reading.attributes("href") if link.endswith(".py")]
    assert len(code) > 20
    for link in code:
        assert (Path(__file__).parents[2] / link.removeprefix("../../")).exists(), link
    assert "../../results/demo/experiments/accuracy/manifest.json" in reading.attributes("href")


def test_all_floats_are_there_numbered_in_order(reading: Reading, folder: Path) -> None:
    for kind, label in (("table", "Table"), ("figure", "Figure")):
        shown = [given for tag, given in reading.elements if tag == "figure"]
        count = sum(given["class"] == kind for given in shown)
        captions = [text.strip() for text in reading.captions if label in text.split()[0]]
        assert len(captions) == count
        for number, text in enumerate(captions, 1):
            assert text.startswith(f"{label} {number}: ")
    assert sum(tag == "svg" for tag, _ in reading.elements) == len(list(folder.glob("*/*.svg")))


def test_every_word_and_number_of_every_table_is_there(reading: Reading, folder: Path) -> None:
    found = Counter(words(reading.tables))
    sought: Counter[str] = Counter()
    for path in sorted(folder.glob("*/*.tex")):
        # a tabular within a cell does not end on a line of its own, and notes below are prose
        tabulars = r"^\\begin\{(tabular|longtable)\}.*?^\\end\{\1\}"
        for one in re.finditer(tabulars, path.read_text(), re.DOTALL | re.MULTILINE):
            sought += Counter(words(without_commands(one[0])))
    assert sum(sought.values()) > 1000
    assert sought - found == Counter()


def without_commands(text: str) -> str:
    """The cells of tabulars, more or less."""
    text = re.sub(r"\\begin\{(tabular|longtable)\}(\[t\])?\{(?:[^{}]|\{[^{}]*\})*\}", " ", text)
    text = re.sub(r"\\multicolumn\{\d+\}\{(?:[^{}]|\{[^{}]*\})*\}", " ", text)
    text = re.sub(r"\\cmidrule(\([lr]+\))?\{[\d-]+\}|\\(begin|end)\{\w+\}", " ", text)
    text = re.sub(r"\$[^$]*[\\_^][^$]*\$", " ", text)
    return re.sub(r"\\allowbreak\{\}", "", re.sub(r"\\(?!allow)[a-zA-Z]+|\\,", " ", text))


def words(text: str) -> list[str]:
    return re.findall(r"[A-Za-z]{4,}|\d+\.\d+", text.replace("\N{ZERO WIDTH SPACE}", ""))


def test_nothing_of_latex_is_left(reading: Reading) -> None:
    for text in (reading.prose, reading.tables):
        assert not re.search(r"\\[a-zA-Z]|gc-|\{|\}|\[tab:|\[sec:|\?\?", text)
    assert not [name for value in reading.attributes("class") for name in [value] if "gc-" in name]


def test_numbers_are_those_of_the_data(reading: Reading) -> None:
    assert "76 runs" in reading.prose
    assert "\N{MINUS SIGN}" in reading.tables
    assert " ± " in re.sub(r"\s", " ", reading.tables)


def test_the_ledger_says_its_verdicts(reading: Reading) -> None:
    tables = [given for tag, given in reading.elements if tag == "table"]
    assert [given["id"] for given in tables if "ledger" in given.get("class", "")] == ["ledger"]
    verdicts = Counter(reading.attributes("data-verdict"))
    # those of the ledger, and those that the first page leads with
    assert set(verdicts) == {"supported", "contradicted", "inconclusive", "not tested"}
    assert sum(verdicts.values()) >= CLAIMS


def test_the_same_sources_give_the_same_page(page: Path, folder: Path) -> None:
    assert render(folder.parent / "report.tex", folder) == page.read_text(encoding="utf-8")


def test_what_is_missing_is_an_error(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "reports"
    shutil.copytree(folder.parent, copy, ignore=shutil.ignore_patterns("data", "sheets"))
    (copy / "demo/accuracy/cost.svg").unlink()
    with pytest.raises(TexError, match=r"no figure accuracy/cost\.svg"):
        render(copy / "report.tex", copy / "demo")
    (copy / "demo/accuracy/cost.tex").unlink()
    with pytest.raises(TexError, match="no file accuracy/cost"):
        render(copy / "report.tex", copy / "demo")


def test_a_figure_keeps_to_itself(tmp_path: Path) -> None:
    (tmp_path / "a.svg").write_text(
        '<?xml version="1.0"?>\n<svg width="9pt" viewBox="0 0 9 4" xmlns="x">'
        "<metadata>http://a</metadata><style>*{fill: none}</style>"
        '<path id="p" d="M 1.23456 -2.0001"/><use xlink:href="#p" clip-path="url(#p)"/></svg>'
    )
    text = svg.inline(tmp_path / "a.svg", "image-1", "caption")
    assert "http" not in text
    assert "<style>#image-1 *{fill" in text
    assert '<path id="image-1-p" d="M 1.23 -2"/>' in text
    assert '<use href="#image-1-p" clip-path="url(#image-1-p)"/>' in text
    assert 'viewBox="0 0 9 4"' in text
