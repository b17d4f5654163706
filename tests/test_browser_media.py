"""Media in a real browser that does not play them by itself: clips take their place, and seeking lands right."""

from __future__ import annotations

import pytest
from browsing import HERE, MARKS, ask, serving

pytestmark = MARKS


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    home = tmp_path_factory.mktemp("page")
    with serving([HERE / "page_media_process.py", home], log=home / "log") as url:
        yield url


def plays_at(page, second: float, tag: str = "video") -> None:
    """Wait until the player of the first card plays at this second of its file, or a little later."""
    player = page.locator(f".om-card {tag}").first
    page.wait_for_function(
        "([player, second]) => { const at = player.currentTime + Number(player.dataset.begin ?? 0);"
        " return !player.error && !player.paused && at > second + 0.1 && at < second + 4; }",
        arg=[player.element_handle(), second],
    )


def first_clip(page) -> str:
    return page.locator(".om-card video").first.get_attribute("src")


def test_a_film_that_the_browser_cannot_play_plays_as_a_clip_from_any_of_its_moments(page):
    films = {"beach": "old.avi", "night": "strange codec.mp4", "rain": "silent strange codec.mp4"}
    for word, name in films.items():
        ask(page, word)
        page.wait_for_function("name => document.querySelector('.om-name').textContent == name", arg=name)
        card = page.locator(".om-video").first
        card.locator(".om-seek", has_text="0:12").click()
        plays_at(page, 12.4)
        assert first_clip(page).startswith("/api/play/")
        assert "t=12.40&end=15.00" in first_clip(page)
    card.locator(".om-mark.om-seen").click()
    plays_at(page, 30.0)
    before = first_clip(page)
    assert "t=30.00&end=34.00" in before
    card.locator(".om-seek", has_text="0:30").click()
    plays_at(page, 30.0)
    assert first_clip(page) == before, "what is there already is sought in"


def test_its_own_button_plays_from_the_best_moment(page):
    ask(page, "night")
    start = float(page.locator(".om-card video").first.get_attribute("data-seek"))
    page.locator(".om-card video").first.evaluate("player => { player.play().catch(() => {}); }")
    plays_at(page, start)


def test_a_sound_that_the_browser_cannot_play_is_heard_from_its_moment(page):
    ask(page, "city")
    page.locator(".om-audio .om-seek").first.click()
    plays_at(page, 8.0, "audio")


def test_what_cannot_be_made_into_a_clip_says_why(page):
    page.get_by_text("200MB").first.wait_for(state="attached")  # the limit of the drop zone, as that of the API
    ask(page, "music")
    page.locator(".om-video .om-seek").first.click()
    page.wait_for_function("document.querySelector('.om-video .om-missing')?.dataset.why?.includes('neither picture')")


def test_a_page_shows_its_passage_and_is_cut_out_by_a_link(page):
    ask(page, "page")
    card = page.locator(".om-document").first
    image = card.locator(".om-zoom img")
    assert "page=2&char_start=0&char_end=11" in image.get_attribute("src")
    card.locator(".om-page", has_text="page 1").click()
    page.wait_for_function("document.querySelector('.om-document .om-zoom img').src.includes('page=1&char_start=0')")
    page.wait_for_function("document.querySelector('.om-document .om-zoom img').naturalWidth > 0")
    page.screenshot(path=HERE / "screenshots" / "highlight.png")
    with page.expect_download() as download:
        card.locator(".om-cut").first.click()
    assert download.value.suggested_filename == "report (page 2).pdf"
