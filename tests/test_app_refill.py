"""What the page shows of a library of another version's vectors, drawn without a browser."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest
from test_app_page import SCRIPT, fill, html
from test_app_panel import at_work, ended

from app import wiring
from app.escaping import literal
from data.errors import OutdatedVectorsError, StoreUnavailableError
from data.locks import ingest_lock

WHY = "this library was made by fake-0, which fake-1 cannot read"


@pytest.fixture
def page(shelf, tmp_path, monkeypatch) -> AppTest:
    def outdated():
        raise OutdatedVectorsError(WHY, fingerprint="fake-1")

    monkeypatch.setattr(wiring, "shared", lambda: shelf.library)
    fill(shelf, tmp_path)
    monkeypatch.setattr(shelf.library, "space", outdated)
    return AppTest.from_file(str(SCRIPT), default_timeout=90).run()


def errors(page: AppTest) -> list[str]:
    assert not page.exception
    return [error.value for error in page.error]


def test_a_click_ingests_all_roots_and_how_it_ended_is_told(page, shelf, tmp_path, monkeypatch):
    assert errors(page) == [literal(WHY)]
    started = []
    with monkeypatch.context() as patched:
        patched.setattr(shelf.library.ingests, "start", lambda *arguments: started.append(arguments))
        page.run().button(key="refill").click().run()
    assert started == [("ingest", str(tmp_path))]
    ingests = at_work(shelf, monkeypatch, code="print('omnia: the disk is full'); raise SystemExit(2)")
    page.run().button(key="refill").click().run()
    ended(ingests)
    page.run()
    assert '<p class="om-wrong">The last run: the disk is full' in html(page)


def test_nothing_starts_beside_an_ingest_and_what_was_refused_is_told_until_that_has_ended(page, shelf):
    with ingest_lock(shelf.library.settings.home):
        page.button(key="refill").click().run()
        assert page.button(key="refill").disabled
        assert "Not started: the library is being filled already" in html(page)
    page.run()
    assert not page.button(key="refill").disabled
    assert "Not started" not in html(page)


def test_what_goes_wrong_meanwhile_is_one_line(page, shelf, monkeypatch):
    def lost():
        raise StoreUnavailableError("the disk was pulled out; put it back")

    monkeypatch.setattr(shelf.library.catalogue(), "fillings", lost)
    del page.session_state["lacking"]  # it is told once
    page.run()
    assert errors(page) == [literal(WHY), literal("the disk was pulled out; put it back")]
