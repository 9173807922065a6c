"""The tables of claims: what must stand in them."""

from __future__ import annotations

import re

import pytest

from gradcost.results.claims.ledger import VERDICTS, Entry, Finding, Kind, Ledger, Verdict
from gradcost.tables.claims import cells, ledger, ledger_short, numbers


def entry(
    name: str, verdict: Verdict = "supported", kind: Kind = "accuracy", **of: object
) -> Entry:
    """A claim with a finding."""
    tested = verdict != "not tested"
    number = {"value": 3.25, "low": -1.5, "high": 8.0, "n": 3} if tested else {}
    fields = {"unit": "points", "scale": "demo", "said": "A_b minus B.", **number, **of}
    return Entry(
        id=name,
        source="Table 3",
        kind=kind,
        statement="50% & more.",
        headline=True,
        finding=Finding.model_validate({"verdict": verdict} | fields),
    )


def of(*entries: Entry) -> Ledger:
    """A ledger."""
    return Ledger(scale="demo", claims=list(entries))


SOME = of(
    entry("bp-most-accurate", size="not tested", differs="tiny"),
    entry("comparable-memory", "contradicted", "memory", n=None, low=3.25, high=3.25),
    entry("other", "inconclusive"),
    entry("last", "not tested", "theory"),
)


@pytest.mark.parametrize("data", [SOME, of()], ids=["some", "none"])
@pytest.mark.parametrize("module", [ledger, ledger_short, numbers], ids=lambda one: one.__name__)
def test_tables_are_latex(module: object, data: Ledger) -> None:
    text = module.render(data)  # type: ignore[attr-defined]
    assert not re.search(r"\b(nan|None|inf)\b|(?<!\\)50%|A_b", text)
    for line in text.splitlines():
        assert line.count("{") == line.count("}")


def test_the_first_page_counts_and_leads() -> None:
    text = ledger_short.render(SOME)
    assert r"accuracy & 1 & 0 & 1 & 0 \\" in text
    assert r"all & 1 & 1 & 1 & 1 \\" in text
    assert r"$-$~contradicted & 3.25 points & --- \\" in text
    assert r"3.25 [$-$1.50, 8.00] points & 3 \\" in text


def test_verdicts_differ_in_word_and_in_symbol() -> None:
    assert len(set(cells.SYMBOLS.values())) == len(VERDICTS) == len(cells.SYMBOLS)
    for one in VERDICTS:
        assert one in cells.verdict(entry("x", one).finding)


def test_the_ledger_has_every_claim() -> None:
    text = ledger.render(SOME)
    names = [one.id.replace("-", r"-\allowbreak{}") for one in SOME.claims]
    assert all(name in text for name in names)
    assert r"\emph{Here:} tiny." in text
    assert "size: " in text
    corrected = ledger.render(of(entry("x", "contradicted", formula="$q$", correction="$c$")))
    assert r"$q$: A\_b" in corrected
    assert r"\emph{Right is:} $c$." in corrected


def test_numbers_follow_the_ledger() -> None:
    found = numbers.results(SOME)
    assert found["tested"] == "3"
    assert found["contradicted/memory"] == "1"
    assert found["say/verdicts"].startswith("Of 4 claims, 1 are supported, 1 are contradicted")
    assert "for none" in found["say/sizes"]
