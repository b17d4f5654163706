"""The library panel, drawn without a browser."""

from __future__ import annotations

import sys
import time

import pytest
from streamlit import config
from streamlit.testing.v1 import AppTest
from test_app_page import SCRIPT, fill, html

from app import wiring
from app.ingests import Ingests
from data.catalogue import Outcome, Progress
from data.locks import ingest_lock
from data.records import FileState, Kind


@pytest.fixture
def panel(shelf, tmp_path, monkeypatch) -> AppTest:
    """The page with its panel open, over four files."""
    monkeypatch.setattr(wiring, "shared", lambda: shelf.library)
    fill(shelf, tmp_path)
    return AppTest.from_file(str(SCRIPT), default_timeout=90)


def draw(panel: AppTest) -> None:
    panel.session_state["library"] = True  # open, as a browser would say again
    panel.run()


def click(panel: AppTest, key: str) -> None:
    panel.button(key=key).click()
    draw(panel)


def fail(shelf, paths) -> None:
    catalogue = shelf.library.catalogue()
    run = catalogue.begin_run("/gone", shelf.fingerprint)
    outcomes = [
        Outcome(
            path=path,
            size_bytes=1,
            mtime_ns=1,
            state=FileState.FAILED,
            kind=Kind.IMAGE,
            reason="<torn>",
            hint="mend it",
        )
        for path in paths
    ]
    catalogue.record(run, shelf.fingerprint, outcomes)
    catalogue.finish_run(run, "/gone", sweep=False, offline_reason="is not there")


def test_it_tells_roots_kinds_and_models(panel, shelf, tmp_path):
    fail(shelf, ["/gone/<b>.png"])
    draw(panel)
    assert not panel.exception
    shown = html(panel)
    assert f"<span>{tmp_path}</span><b>4</b>" in shown
    assert "<em>it is not there</em>" in shown
    assert "</i> image</th><td>1</td><td>1</td>" in shown
    assert "<b>fake-1</b> <em>answers</em>" in shown
    assert "8 numbers a vector · none" in shown, "the licence"
    assert "<b>&lt;torn&gt;</b> · 1 file <em>mend it</em>" in shown
    assert "&lt;b&gt;.png <em>1 attempt</em>" in shown


def test_thousands_of_failures_come_a_page_at_a_time(panel, shelf):
    fail(shelf, [f"/gone/{number:04}.png" for number in range(2_000)])
    draw(panel)
    assert html(panel).count("1 attempt") == 20
    assert "2,000 files" in html(panel)
    panel.session_state["failures-100"] = 100
    draw(panel)
    assert "/gone/1999.png" in html(panel)
    assert "/gone/0000.png" not in html(panel)


def test_an_ingest_under_way_is_shown_with_its_progress_and_nothing_else_may_start(panel, shelf):
    catalogue = shelf.library.catalogue()
    told = Progress(files_done=30, bytes_done=5, files=60, size_bytes=10, at="/m/<slow>.mp4", left_s=170)
    catalogue.begin_run("/m", shelf.fingerprint, progress=told)
    draw(panel)
    assert 'class="om-busy"' not in html(panel), "it was killed"
    assert not panel.button(key="look").disabled
    with ingest_lock(shelf.library.settings.home):
        draw(panel)
        assert "ingesting 50 %" in html(panel)
        assert "/m/&lt;slow&gt;.mp4" in html(panel)
        assert panel.button(key="look").disabled


def test_buttons_start_the_indexer_with_every_root_and_say_when_they_may_not(panel, shelf, tmp_path, monkeypatch):
    fail(shelf, ["/gone/a.png"])
    started = []
    monkeypatch.setattr(shelf.library.ingests, "start", lambda *arguments: started.append(arguments))
    draw(panel)
    click(panel, "look")
    click(panel, "retry")
    assert started == [("ingest", "/gone", str(tmp_path)), ("retry",)]
    monkeypatch.undo()
    monkeypatch.setattr(wiring, "shared", lambda: shelf.library)
    draw(panel)
    with ingest_lock(shelf.library.settings.home):
        click(panel, "retry")
    assert "Not started: the library is being filled already" in html(panel)


def at_work(shelf, monkeypatch, *, code: str) -> Ingests:
    """Ingests that run Python code instead."""
    ingests = Ingests(shelf.library.settings, command=(sys.executable, "-c", code))
    monkeypatch.setattr(shelf.library, "ingests", ingests)
    return ingests


def ended(ingests: Ingests) -> None:
    deadline = time.monotonic() + 300
    while ingests.is_at_work:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_double_click_starts_one_run_and_leaves_no_complaint(panel, shelf, monkeypatch):
    ingests = at_work(shelf, monkeypatch, code="import time; time.sleep(10)")
    draw(panel)
    ingests.start()  # as the first click does, before the page is drawn again
    click(panel, "look")
    assert 'class="om-wrong' not in html(panel)
    assert [button.disabled for button in panel.button if button.label == "Add"] == [True]
    ingests.stop()
    ended(ingests)
    draw(panel)
    assert '<p class="om-wrong om-wished">The last run: stopped' in html(panel), "it was wished"


def test_why_nothing_was_started_is_told_until_it_may_start(panel, shelf):
    shelf.library.catalogue().begin_run("/m", shelf.fingerprint)
    draw(panel)
    with ingest_lock(shelf.library.settings.home):
        click(panel, "look")
        draw(panel)
        assert "Not started" in html(panel)
    draw(panel)
    assert "Not started" not in html(panel)


def test_a_run_that_went_wrong_alarms(panel, shelf, monkeypatch):
    ingests = at_work(shelf, monkeypatch, code="print('omnia: the disk is full'); raise SystemExit(2)")
    draw(panel)
    click(panel, "look")
    ended(ingests)
    draw(panel)
    assert '<p class="om-wrong">The last run: the disk is full' in html(panel)


def test_failures_come_before_models_and_a_folder_is_forgotten_in_a_terminal(panel, shelf):
    fail(shelf, ["/gone/a.png"])
    draw(panel)
    assert html(panel).index("om-failures") < html(panel).index("om-model")
    assert any("python -m indexer prune FOLDER" in caption.value for caption in panel.caption)


def test_a_folder_is_added_on_this_machine_only(panel, tmp_path, monkeypatch):
    draw(panel)
    assert any(field.key == "folder" for field in panel.text_input)
    asked = config.get_option
    monkeypatch.setattr(config, "get_option", lambda name: "0.0.0.0" if name == "server.address" else asked(name))
    draw(panel)
    assert not any(field.key == "folder" for field in panel.text_input)
