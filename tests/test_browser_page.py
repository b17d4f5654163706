"""The page in a real browser: type, drop a file, play a result from its moment."""

from __future__ import annotations

import io
import urllib.error
import urllib.request

import pytest
from browsing import HERE, MARKS, SCREENSHOTS, ask, ask_afresh, drop, serving, settle
from PIL import Image

pytestmark = MARKS


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    home = tmp_path_factory.mktemp("page")
    with serving([HERE / "page_process.py", home], log=home / "log") as url:
        yield url


def test_another_name_for_this_machine_is_refused(address):
    request = urllib.request.Request(f"{address}/api/media/1", headers={"Host": "evil.example"})
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=20)
    assert refused.value.code == 400


def test_typing_finds_and_a_click_plays_from_the_moment(page):
    ask(page, "dog")
    page.wait_for_selector(".om-video .om-seek")
    assert "q=dog" in page.url
    page.locator(".om-video .om-seek", has_text="0:12").click()
    page.wait_for_function("document.querySelector('.om-video video').currentTime > 12.9")
    playing = page.evaluate(
        "(() => { const v = document.querySelector('.om-video video'); return [v.currentTime, v.paused, v.error] })()"
    )
    assert playing[0] < 20
    assert playing[1:] == [False, None]
    SCREENSHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SCREENSHOTS / "typed.png")


def test_the_timeline_shows_where_the_moments_are_and_plays_from_there(page):
    ask(page, "dog beach")
    marks = page.locator(".om-video .om-timeline .om-mark")
    places = marks.evaluate_all("all => all.map(mark => [mark.dataset.seek, parseFloat(mark.style.left)])")
    assert sorted(places) == [["12.40", 82.67], ["3.00", 20]], "of 15 seconds that are known"
    page.locator(".om-mark.om-seen").click()
    page.wait_for_function("document.querySelector('.om-video video').currentTime > 3.2")
    assert page.evaluate("document.querySelector('.om-video video').currentTime") < 10
    page.screenshot(path=SCREENSHOTS / "timeline.png")


def test_the_player_itself_starts_at_the_moment(page):
    ask(page, "dog")
    video = page.locator(".om-video video")
    video.evaluate("player => player.play()")
    page.wait_for_function("document.querySelector('.om-video video').currentTime > 12.5")


def test_a_file_dropped_anywhere_is_searched_by(page):
    picture = io.BytesIO()
    Image.new("RGB", (32, 32), "red").save(picture, "PNG")
    drop(page, "my dog.png", picture.getvalue(), "image/png")
    settle(page)
    page.wait_for_function("document.querySelectorAll('.om-image img')[0]?.naturalWidth > 0")
    assert page.locator(".om-name").first.inner_text() in ("red.png", "walk.mp4")
    assert page.get_by_text("my dog.png").count() == 1
    page.screenshot(path=SCREENSHOTS / "dropped.png")


def test_filter_chips_go_by_a_click_and_the_url_brings_everything_back(page, browser):
    ask(page, "dog kind:image type:png")
    chips = ".st-key-chips [class*='st-key-chip-']"
    assert [chip.locator("p").first.inner_text() for chip in page.locator(chips).all()] == ["kind:image", "type:png"]
    assert page.locator(".om-name").all_inner_texts() == ["red.png"]
    page.screenshot(path=SCREENSHOTS / "chips.png")
    again = browser.new_page()
    again.goto(page.url)
    settle(again)
    assert again.locator(".om-name").all_inner_texts() == ["red.png"]
    assert again.locator(chips).count() == 2
    again.close()
    for left in (1, 0):
        page.locator(f"{chips} button").first.click()
        page.wait_for_function("([chips, left]) => document.querySelectorAll(chips).length == left", arg=[chips, left])
    settle(page)
    assert page.get_by_placeholder("a dog on a beach").input_value() == "dog"
    assert page.locator(".om-name").count() > 1


def test_a_thumb_down_sinks_a_result_and_stays_given(page):
    ask_afresh(page, "dog")
    first = page.locator(".om-name").first.inner_text()
    page.locator("[class*='st-key-wrong-grid-results-0'] button").first.click()
    page.wait_for_function("name => document.querySelector('.om-name').textContent != name", arg=first)
    settle(page)
    page.screenshot(path=SCREENSHOTS / "thumbs.png")
    page.reload()
    settle(page)
    assert page.locator(".om-name").first.inner_text() != first
    page.get_by_text("weaker result").click()
    page.wait_for_timeout(500)  # what unfolds moves, and a click that begins on a button may end beside it
    page.locator("[class*='st-key-wrong-'] button[kind=primary]").first.click()
    page.wait_for_function("name => document.querySelector('.om-name').textContent == name", arg=first)


def test_more_like_this_asks_again(page):
    ask(page, "dog")
    page.get_by_text("More like this").first.click()
    page.get_by_text("More like walk.mp4").or_(page.get_by_text("More like red.png")).first.wait_for()
    page.wait_for_function("new URL(location).searchParams.has('like')")


def test_a_picture_enlarges_and_a_phone_needs_no_sideways_scrolling(page):
    page.set_viewport_size({"width": 390, "height": 844})
    ask(page, "dog")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.locator(".om-image .om-zoom").click()
    page.wait_for_selector("dialog.om-lightbox[open] img")
    page.screenshot(path=SCREENSHOTS / "phone.png")
    page.keyboard.press("Escape")
    page.wait_for_selector("dialog.om-lightbox", state="detached")


def test_paths_are_copied_where_the_browser_has_no_clipboard_for_pages(page):
    ask(page, "dog")
    page.wait_for_selector(".om-copy")
    copied = page.evaluate(
        """() => {
            Object.defineProperty(navigator, "clipboard", { value: undefined });  // as over plain HTTP
            let copied;
            document.execCommand = (what) => { copied = [what, document.activeElement.value]; return true; };
            const button = document.querySelector(".om-copy");
            button.click();
            return [...copied, button.dataset.copy, document.querySelectorAll("body > textarea").length];
        }"""
    )
    assert copied[:2] == ["copy", copied[2]]
    assert copied[2].endswith((".mp4", ".png", ".txt"))
    assert copied[3] == 0, "what carried it is gone"
    page.wait_for_selector(".om-copied")


def test_pasted_words_stay_words_though_a_picture_of_them_comes_along(page):
    pasted = """text => {
        const carried = new DataTransfer();
        carried.items.add(new File([new Uint8Array([1])], "image.png", { type: "image/png" }));
        if (text) carried.setData("text/plain", text);
        const paste = new ClipboardEvent("paste", { clipboardData: carried, bubbles: true, cancelable: true });
        return document.querySelector(".st-key-q input").dispatchEvent(paste);
    }"""
    page.wait_for_selector(".st-key-q input")
    page.evaluate("() => { window.omnia.give = (files) => { window.given = files.length; }; }")
    assert page.evaluate(pasted, "two cells") is True, "the browser writes the words"
    assert page.evaluate("window.given") is None
    assert page.evaluate(pasted, "") is False
    assert page.evaluate("window.given") == 1
