"""Each macro of the reports, and what becomes of an unknown one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gradcost.report import flatten
from gradcost.report.flatten import LAYOUT, PANDOC, PRINTED, Flattener
from gradcost.report.html import pandoc
from gradcost.report.tex import TexError, without_comments
from tests.report.synthetic import SOURCES


@pytest.fixture
def flattener(tmp_path: Path) -> Flattener:
    return Flattener(
        tmp_path,
        results={"runs": "12", "say/gap": r"A \emph{gap} of \result{runs}."},
        standing={"accuracy": "../x.json", "theory": ""},
    )


@pytest.mark.parametrize(
    ("source", "flat"),
    [
        (r"\result{runs} runs", "12 runs"),
        (r"\result{say/gap}", r"A \emph{gap} of 12."),
        (r"$n=\result{runs}$", "$n=12$"),
        (r"\defresult{new}{3}\result{new}", "3"),
        (r"\standing{accuracy}{a}\standing{svrg}{b}", "a"),
        (r"\defstanding{svrg}{x}\standing{svrg}{b}", "b"),
        (r"\ifcsname standing@accuracy\endcsname a\else b\fi", "a"),
        (r"\ifcsname result@none\endcsname a\else b\fi", "b"),
        (r"\newif\ifpriced\ifpriced a\else b\fi\pricedtrue\ifpriced c\fi", "bc"),
        (r"\IfFileExists{none.tex}{a}{b}", "b"),
        (r"\newcommand{\two}[2]{#2 of #1}\two{a}{\emph{b}}", r"\emph{b} of a"),
        (r"\newcommand{\one}[2][x]{#1#2}\one{a}\one[y]{b}", "xayb"),
        (r"\newcommand{\x}{a}\providecommand{\x}{b}\x", "a"),
        (r"\newcommand{\F}{\mathcal{L}}$\F(w)$", r"$\mathcal{L}(w)$"),
        (r"\edef\scale{\csname result@runs\endcsname}\scale", "12"),
        (r"\sbox0{\emph{a}}\ifdim\wd0>\linewidth b\else\usebox0\fi", r"\emph{a}"),
        (r"\resizebox{\linewidth}{!}{a}\rlap{b}\shortstack{c\\d}", r"abc\\d"),
        (r"{\scriptsize[\href{a.py}{code}]}", r"{[\href{a.py}{code}]}"),
        (r"\vspace*{1ex}\setlength{\tabcolsep}{4pt}a\,\textpm\,b", r"a\,±\,b"),
        (r"{\ttfamily a-b} c", r"{\texttt{a-b}} c"),
    ],
)
def test_macros(flattener: Flattener, source: str, flat: str) -> None:
    assert flattener.text(source) == flat


def test_files_are_read_and_their_comments_are_not(flattener: Flattener) -> None:
    (flattener.folder / "part.tex").write_text("a% no\nb \\result{runs}\n")
    assert flattener.text(r"\newcommand{\which}{part}\input{\which}").split() == ["ab", "12"]
    assert flattener.text(r"\IfFileExists{part.tex}{yes}{no}") == "yes"


def test_what_made_a_float_is_linked(flattener: Flattener) -> None:
    links = flattener.text(r"\made{accuracy}{tables/cost}")
    assert r"\href{../../src/gradcost/tables/cost.py}{code}" in links
    assert r"\href{../x.json}{records}" in links
    assert "records" not in flattener.text(r"\made{theory}{tables/cost}")
    assert flattener.text(r"\made{svrg}{tables/cost}") == ""


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (r"a \unheard{b}", r"does not know \\unheard.*a \\unheard"),
        (r"\begin{unheard}\end{unheard}", "environment unheard"),
        (r"\result{none}", "no result is called none"),
        (r"\input{none}", "no file none"),
        (r"\usebox1", "nothing is in box 1"),
        (r"\begin{tabular}{l}a & b\end{tabular}", "more than 1 columns"),
        (r"\begin{tabular}{y}a\end{tabular}", "'y'"),
    ],
)
def test_what_is_not_understood_is_an_error(
    flattener: Flattener, source: str, message: str
) -> None:
    with pytest.raises(TexError, match=message):
        flattener.text(source)


@pytest.mark.parametrize("name", sorted(PANDOC - {"label", "item"}))
def test_pandoc_reads_the_commands_that_are_left_to_it(name: str) -> None:
    html = pandoc(f"aa \\{name}{{bb}} cc", "latex-auto_identifiers", "html5")
    assert re.sub(r"</?p>|<br />|\s|</?span>", "", html) != "aabbcc" or name == "newline"
    assert "aa" in html
    assert "cc" in html
    assert "bb" in html or "cite" in name


def test_no_part_of_the_report_uses_an_unknown_command() -> None:
    sources = [*SOURCES.glob("*.tex"), *SOURCES.glob("parts/*.tex")]
    texts = [without_comments(source.read_text()) for source in sources]
    macro = r"\\(?:re|provide)?(?:new)?command\{\\(\w+)\}|\\newif\\(\w+)|\\edef\\(\w+)"
    own = {name for text in texts for names in re.findall(macro, text) for name in names}
    own |= {f"{name.removeprefix('if')}true" for name in own}
    known = own | PANDOC | PRINTED.keys() | LAYOUT.keys() | flatten._OWN.keys()
    known |= flatten._OF_TABULARS | {"end", "else", "fi", "bibitem"}
    for source, text in zip(sources, texts, strict=True):
        prose = text.partition(r"\begin{document}")[2] or text
        prose = re.sub(r"\$[^$]*\$", "", prose)
        prose = re.sub(r"\\(?:setlength|newcommand|csname)\b.*", "", prose)
        unknown = set(re.findall(r"\\([a-zA-Z]+)", prose)) - known
        assert not unknown, source.name
