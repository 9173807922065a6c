"""The page in a browser: `GRADCOST_BROWSER=1 pytest tests/report`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.report import browser
from tests.report.synthetic import CLAIMS

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
SHOWN = "[...document.querySelectorAll('#ledger tr[data-verdict]')].filter(row => !row.hidden)"


@pytest.fixture(scope="session")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[browser.Page]:
    if browser.find() is None:
        pytest.fail("Chromium is not installed: apt-get install chromium", pytrace=False)
    with browser.page(tmp_path_factory.mktemp("browser")) as tab:
        yield tab


def test_it_opens_without_an_error_and_asks_for_nothing(tab: browser.Page, page: Path) -> None:
    tab.size(1400, 1000)
    tab.open(page.as_uri())
    said = [event["params"] for event in tab.events if event["method"] == "Log.entryAdded"]
    assert said == []
    assert not [e for e in tab.events if e["method"] == "Runtime.exceptionThrown"]
    sent = [e["params"] for e in tab.events if e["method"] == "Network.requestWillBeSent"]
    asked = {request["request"]["url"] for request in sent} - {page.as_uri(), "data:,"}
    assert asked == set()


@pytest.mark.parametrize(("width", "phone"), [(1400, False), (390, True)])
def test_all_has_a_size_and_fits(tab: browser.Page, page: Path, width: int, phone: bool) -> None:
    tab.size(width, 844, phone=phone)
    tab.open(page.as_uri())
    sizes = tab.run(
        "[...document.querySelectorAll('figure svg, figure table, math')].map(one => "
        "{ const box = one.getBoundingClientRect(); return [box.width, box.height]; })"
    )
    assert len(sizes) > 30
    assert all(width > 0 and height > 0 for width, height in sizes)
    # wide tables scroll, and the page does not
    assert tab.run("document.documentElement.scrollWidth <= innerWidth")


def test_the_contents_open_on_a_phone(tab: browser.Page, page: Path) -> None:
    tab.size(390, 844, phone=True)
    tab.open(page.as_uri())
    folded = "document.querySelector('nav > details').open"
    assert tab.run(folded) is False
    assert tab.run(f"document.querySelector('nav summary').click(); {folded}") is True
    tab.run("document.querySelector('.sections a').click()")
    assert tab.run(folded) is False


def test_claims_are_filtered_by_verdict_and_by_words(tab: browser.Page, page: Path) -> None:
    tab.size(1400, 1000)
    tab.open(page.as_uri())
    assert tab.run(f"{SHOWN}.length") == CLAIMS
    press = "document.querySelector('[data-choose=\"contradicted\"]').click()"
    tab.run(press)
    assert set(tab.run(f"{SHOWN}.map(row => row.dataset.verdict)")) == {"contradicted"}
    assert tab.run("document.querySelector('.filter output').textContent") == "4 of 16 claims"
    tab.run("""(() => { const field = document.querySelector('.filter input');
      field.value = 'CLAIM-5'; field.dispatchEvent(new Event('input')); })()""")
    assert tab.run(f"{SHOWN}.length") == 1
    # of the titles within the table that of the claim is left
    assert (
        tab.run("[...document.querySelectorAll('#ledger tr.group')].filter(r => !r.hidden).length")
        == 1
    )
    tab.run(press)
    assert tab.run(f"{SHOWN}.length") == 1
    tab.run("(document.querySelector('.filter input').value = '')")


def test_the_address_filters_claims_too(tab: browser.Page, page: Path) -> None:
    tab.size(1400, 1000)
    tab.open(f"{page.as_uri()}#ledger?verdict=supported,not%20tested&words=claim")
    shown = tab.run(f"{SHOWN}.map(row => row.dataset.verdict)")
    assert set(shown) == {"supported", "not tested"}
    assert len(shown) == CLAIMS // 2
    top = tab.run("document.querySelector('.filter').getBoundingClientRect().top")
    assert -5 < top < 1000
