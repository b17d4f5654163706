"""The library panel in a real browser, over a real library that ingests of their own fill while it is looked at."""

from __future__ import annotations

import time
from itertools import count
from pathlib import Path

import pytest
from browsing import MARKS, SCREENSHOTS, ask, opened, serving, typed
from store_process import kill_those_at

from tests import life_process, make_media
from tests.life_process import environment, report_of, start_ingest
from tests.make_folder import mixed_folder, text_path, words_of

pytestmark = MARKS

BESIDE = 3_000  # files: some seconds
LATER = 2_000  # that are left after a stop


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def address(home, tmp_path):
    try:
        with serving([life_process.__file__, "serve"], log=tmp_path / "log", environment=environment(home)) as url:
            yield url
    finally:
        kill_those_at(home)  # also those that the page started, which outlive it


def names(page) -> list[str]:
    return page.locator(".om-name").all_inner_texts()


def errors(page) -> list[str]:
    return page.locator("[data-testid=stException], [data-testid=stAlertContentError]").all_inner_texts()


def test_a_mended_file_is_tried_again_by_a_click_and_found(browser, address, tmp_path):
    media = tmp_path / "media"
    media.mkdir()
    (media / "note.txt").write_text("a lantern in the harbour")
    letter = media / "letter.pdf"
    letter.write_bytes(b"%PDF-1.7\n1 0 obj\nthis is torn")
    with opened(browser, address) as page:
        page.get_by_role("button", name="Library").click()
        page.get_by_label("Add a folder of this machine").fill(str(media / "no such"))
        page.get_by_role("button", name="Add", exact=True).click()
        page.locator(".om-wrong", has_text="no folder of this machine").wait_for()
        folder = page.get_by_label("Add a folder of this machine")
        folder.fill(str(media))
        time.sleep(2.5)  # the panel is drawn anew each two seconds, around what is being typed
        assert folder.input_value() == str(media)
        page.get_by_role("button", name="Add", exact=True).click()
        failure = page.locator(".om-failures")
        failure.wait_for()
        shown = failure.inner_text()
        assert "broken PDF" in shown
        assert "whole copy" in shown, "the hint"
        assert str(letter) in shown
        page.locator(".om-table", has_text="failed").wait_for()
        SCREENSHOTS.mkdir(exist_ok=True)
        page.screenshot(path=SCREENSHOTS / "failure.png")
        assert "hash-1" in page.locator(".om-model").inner_text()

        make_media.pdf(letter, ["The keeper of the lighthouse counts ships and writes their names in a book."])
        page.get_by_role("button", name="Try again").click()
        failure.wait_for(state="detached")
        page.locator(".om-counts", has_text="2 files").wait_for()
        page.keyboard.press("Escape")
        ask(page, "keeper of the lighthouse")
        page.locator(".om-name", has_text="letter.pdf").wait_for()
        assert names(page)[0] == "letter.pdf"
        assert errors(page) == []


def test_the_page_shows_the_first_files_by_itself_and_later_ones_when_it_is_refreshed(browser, address, home, tmp_path):
    media = tmp_path / "media"
    media.mkdir()
    (media / "first.txt").write_text("a lantern in the harbour")
    with opened(browser, address) as page:
        page.get_by_text("Nothing here yet").wait_for()
        assert report_of(start_ingest(media, home))["indexed"] == 1
        page.locator(".om-name", has_text="first.txt").wait_for()
        ask(page, "lantern on the quay")
        page.locator(".om-took").wait_for()
        (media / "second.txt").write_text("a lantern on the quay")
        assert report_of(start_ingest(media, home))["indexed"] == 1
        again = page.get_by_role("button", name="Refresh")
        again.wait_for()
        assert names(page) == ["first.txt"]
        again.click()
        page.locator(".om-name", has_text="second.txt").wait_for()
        assert names(page)[0] == "second.txt"
        again.wait_for(state="detached")
        assert errors(page) == []


def later(home: Path) -> dict[str, str]:
    """The next version of the model, which nobody asked for by name."""
    named = environment(home) | {"HASH_FINGERPRINT": "hash-2"}
    return {key: value for key, value in named.items() if key != "OMNIA_MODEL"}


def test_a_library_of_an_earlier_version_is_refilled_by_a_click_and_answers(browser, address, home, tmp_path):
    media = tmp_path / "media"
    media.mkdir()
    (media / "note.txt").write_text("a lantern in the harbour")
    assert report_of(start_ingest(media, home))["indexed"] == 1
    with (
        serving([life_process.__file__, "serve"], log=tmp_path / "later", environment=later(home)) as newer,
        opened(browser, newer) as page,
    ):
        page.get_by_text("made by hash-1, which hash-2 cannot read").wait_for()
        SCREENSHOTS.mkdir(exist_ok=True)
        page.screenshot(path=SCREENSHOTS / "outdated.png")
        page.get_by_role("button", name="Refill").click()
        page.locator(".om-name", has_text="note.txt").wait_for()
        page.get_by_role("button", name="Refill").wait_for(state="detached")
        ask(page, "lantern")
        page.locator(".om-took").wait_for()
        assert names(page) == ["note.txt"]
        page.get_by_role("button", name="Library").click()
        answering = page.locator(".om-model", has_text="answers")
        answering.wait_for()
        assert "hash-2" in answering.inner_text()
        assert errors(page) == []


def test_a_refill_that_finds_a_folder_gone_says_so_and_answers_without_it_by_a_click(browser, address, home, tmp_path):
    here, drive = tmp_path / "here", tmp_path / "drive"
    for folder in (here, drive):
        folder.mkdir()
        (folder / f"{folder.name}.txt").write_text(f"a lantern in the harbour, {folder.name}")
        assert report_of(start_ingest(folder, home))["indexed"] == 1
    drive.rename(tmp_path / "pulled out")
    with (
        serving([life_process.__file__, "serve"], log=tmp_path / "later", environment=later(home)) as newer,
        opened(browser, newer) as page,
    ):
        page.get_by_role("button", name="Refill").click()
        page.locator(".om-wrong", has_text=f"Refilled but for 1 file of {drive}: it is not there").wait_for()
        page.screenshot(path=SCREENSHOTS / "refilled in part.png")
        page.get_by_role("button", name="Answer without them").click()
        page.get_by_role("button", name="Refill").wait_for(state="detached")
        ask(page, "lantern")
        page.locator(".om-took").wait_for()
        assert names(page) == ["here.txt"]
        assert errors(page) == []


def test_a_run_that_the_page_started_is_stopped_there_and_goes_on_later(browser, address, tmp_path):
    media = tmp_path / "media"
    texts = mixed_folder(media, 4 * BESIDE, pictures=4, sounds=2)
    with opened(browser, address) as page:
        page.get_by_role("button", name="Library").click()
        page.get_by_label("Add a folder of this machine").fill(str(media))
        page.get_by_role("button", name="Add", exact=True).click()
        page.locator(".om-at").wait_for()  # it has begun with the files
        page.get_by_role("button", name="Stop").click()
        page.locator(".om-wrong", has_text="stopped; what was indexed is kept").wait_for()
        page.get_by_role("button", name="Stop").wait_for(state="detached")
        for number in texts[LATER:]:
            text_path(media, number).unlink()
        page.get_by_role("button", name="Look for changes").click()
        rest = page.locator(".om-table", has_text=f"{LATER:,}")  # the others are pictures and sounds
        rest.wait_for(timeout=600_000)
        page.get_by_role("button", name="Stop").wait_for(state="detached")
        assert page.locator(".om-wrong").count() == 0
        assert errors(page) == []


def test_two_browsers_search_while_an_ingest_of_another_process_fills_the_library(browser, address, home, tmp_path):
    media = tmp_path / "media"
    texts = sorted(mixed_folder(media, BESIDE, pictures=4, sounds=2), key=lambda number: text_path(media, number))
    make_media.pdf(media / "9" / "last and long.pdf", [make_media.STORY] * 50)
    with opened(browser, address) as one, opened(browser, address) as other:
        ingest = start_ingest(media, home)
        pages, early, seen_busy = (one, other), 0, False
        for asked in count():
            if ingest.poll() is not None:
                break
            page, number = pages[asked % 2], texts[asked % 3]  # the first that the crawl comes to
            typed(page, words_of(number))
            early += f"note-{number:05}.txt" in names(page) and ingest.poll() is None
            seen_busy |= page.locator(".om-busy").count() > 0
            assert errors(page) == []
        report = report_of(ingest)
        assert report["indexed"] == BESIDE + 1
        assert early, "new files are found while the ingest goes on"
        assert seen_busy
        for page in pages:
            ask(page, f"{words_of(texts[-1])} please")  # other words than before: the same are not asked twice
            page.locator(".om-name", has_text=f"note-{texts[-1]:05}.txt").first.wait_for()
            page.wait_for_function("!document.querySelector('.om-busy')")
            assert errors(page) == []
