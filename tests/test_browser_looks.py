"""The page in a real browser, where a thing looks or behaves other than one would think."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from browsing import HERE, MARKS, PHONE, SCREENSHOTS, ask, serving, settle
from PIL import Image

pytestmark = MARKS

NOTES = 30
LONG = "city " + "rain falls on the roofs and runs down the street " * 8
ARABIC = "هذا نص عن كلب كبير city"
AWAY = {"status": 404, "content_type": "application/json", "body": '{"error": "the file is not there"}'}


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    home = tmp_path_factory.mktemp("looks")
    with serving([Path(__file__), home], log=home / "log") as url:
        yield url


def shot(page, name: str) -> None:
    SCREENSHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png")


def test_what_was_unfolded_for_one_question_is_folded_for_the_next(page):
    ask(page, "dog")
    before = page.locator(".om-card:visible").count()
    page.get_by_text("weaker result").click()
    page.wait_for_function("before => omnia.cards().length > before", arg=before)
    ask(page, "dog dog")
    page.wait_for_function("before => omnia.cards().length == before", arg=before)
    page.get_by_label("Page 2").click()
    page.locator(".om-took", has_text="Weaker results, page 2").wait_for()
    settle(page)
    page.wait_for_function("omnia.cards().length > 5")


def test_an_enlarged_picture_has_its_place_and_a_way_out_before_it_has_come(page):
    ask(page, "dog kind:image")
    held: list[Any] = []
    page.route("**/api/thumb/*side=2048*", lambda route: held.append(route))
    page.locator(".om-zoom").first.click()
    page.wait_for_function("document.querySelector('.om-sheet')?.style.backgroundImage")
    assert page.evaluate("document.querySelector('dialog img').naturalWidth") == 0
    shot(page, "enlarging")
    dialog = page.locator("dialog").bounding_box()
    assert (dialog["width"], dialog["height"]) == (1280, 900)
    loading = page.locator(".om-sheet").bounding_box()
    assert page.get_by_role("button", name="Close").bounding_box()["y"] < 50
    held[0].continue_()
    page.wait_for_function("!document.querySelector('.om-sheet').hasAttribute('style')")
    assert page.locator("dialog img").bounding_box() == pytest.approx(loading, abs=1)


def test_an_enlarged_picture_that_cannot_come_says_so_and_arrows_go_to_others(page):
    ask(page, "dog kind:image")
    names = page.locator(".om-name:visible").all_inner_texts()[:2]
    page.route("**/api/thumb/*side=2048*", lambda route: route.fulfill(**AWAY))
    page.locator(".om-zoom").first.click()
    page.locator("dialog .om-missing").wait_for()
    shot(page, "not-enlarged")
    assert not page.locator("dialog img").is_visible()
    for key, name in (("ArrowRight", names[1]), ("ArrowRight", names[1]), ("ArrowLeft", names[0])):
        page.keyboard.press(key)
        page.get_by_role("dialog", name=name, exact=True).wait_for()
        assert page.locator("dialog").count() == 1
    page.keyboard.press("Escape")
    page.wait_for_selector("dialog", state="detached")
    assert page.evaluate("document.activeElement.ariaLabel") == f"Enlarge {names[0]}"


def test_a_page_that_could_not_be_drawn_comes_with_the_next_click(page):
    ask(page, "page kind:document")
    page.route("**/api/thumb/*page=1*", lambda route: route.fulfill(**AWAY))
    card = page.locator(".om-document").first
    card.locator(".om-page", has_text="page 1").click()
    card.locator(".om-missing").wait_for()
    shot(page, "not-drawn")
    page.unroute_all()
    card.locator(".om-page", has_text="page 2").click()
    page.wait_for_function("document.querySelector('.om-document .om-zoom img').naturalWidth > 0")
    assert card.locator(".om-missing").count() == 0
    assert card.locator(".om-zoom img").is_visible()


def test_what_cannot_be_cut_out_says_why_on_its_card_and_is_no_download(page):
    ask(page, "night kind:video")
    downloads: list[Any] = []
    page.on("download", lambda download: downloads.append(download))
    page.route("**/api/cut/**", lambda route: route.fulfill(**AWAY))
    page.locator(".om-cut").first.click()
    page.wait_for_function("document.querySelector('.om-cut').dataset.why == 'the file is not there'")
    assert "the file is not there" in page.evaluate(
        "getComputedStyle(document.querySelector('.om-cut'), '::after').content"
    )
    page.wait_for_timeout(300)
    assert downloads == []


def test_space_on_a_card_that_does_not_play_leaves_the_page_where_it_is(page):
    ask(page, "rain kind:text")
    page.locator(".om-card:visible").first.focus()
    page.keyboard.press(" ")
    page.wait_for_timeout(300)
    assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollTop") == 0


def test_back_goes_to_the_question_before_and_not_to_half_of_this_one(page):
    def pause(words: str) -> None:
        page.keyboard.type(words)
        page.wait_for_function("words => new URL(location).searchParams.get('q').endsWith(words)", arg=words)
        settle(page)

    ask(page, "dog")
    page.locator(".st-key-q input").press("ControlOrMeta+a")
    before = page.evaluate("history.length")
    for words in ("city", " rain", " night"):
        pause(words)
    assert page.evaluate("history.length") == before + 1
    page.keyboard.press("Enter")
    pause(" page")
    assert page.evaluate("history.length") == before + 2, "what was sent is one to go back to"
    for words in ("city rain night", "dog"):
        page.go_back()
        page.wait_for_function("words => document.querySelector('.st-key-q input').value == words", arg=words)
        assert page.url.endswith(f"q={words.replace(' ', '+')}")


@pytest.mark.parametrize("width", [2560, 1280, 1000, 700, 420])
def test_no_line_of_a_text_is_cut_in_half_at_any_width(page, width):
    page.set_viewport_size({"width": width, "height": 1000})
    ask(page, "roofs")
    for view in ("list", "grid"):
        page.locator(".st-key-view button", has_text=view).click()
        page.locator(f"[class*='st-key-view-{view}'] .om-passage").first.wait_for()
        settle(page)
        lines = page.locator(".om-passage p").evaluate_all(
            """all => all.filter(one => one.checkVisibility()).map(one => {
                const line = parseFloat(getComputedStyle(one).lineHeight);
                const { clientHeight } = one.parentElement, { paddingTop } = getComputedStyle(one.parentElement);
                return [one.clientHeight / line, one.clientHeight - (clientHeight - 2 * parseFloat(paddingTop))];
            })"""
        )
        assert lines
        assert all(abs(count - round(count)) < 0.06 and over <= 1 for count, over in lines), lines


def test_a_text_is_aligned_as_its_letters_are_read(page):
    ask(page, "city kind:text in:arabic/")
    passage = page.locator(".om-passage p").first
    assert passage.evaluate("one => getComputedStyle(one).unicodeBidi") == "plaintext"
    shot(page, "right-to-left")
    right = passage.evaluate(
        """one => {
            const range = document.createRange();
            range.selectNodeContents(one);
            const [text, box] = [range, one].map(of => of.getBoundingClientRect());
            return [text.left - box.left, box.right - text.right];
        }"""
    )
    assert right[0] > right[1] + 20


def test_a_wide_screen_is_used(page):
    page.set_viewport_size({"width": 2560, "height": 1200})
    ask(page, "nothing kind:text")
    shot(page, "wide")
    tops = page.locator(".om-card:visible").evaluate_all("all => all.map(one => one.getBoundingClientRect().top)")
    assert tops.count(tops[0]) == 6
    assert page.locator(".st-key-ask").bounding_box()["width"] == 1240


def test_a_player_in_a_list_on_a_phone_has_room_for_its_buttons(browser, address):
    page = browser.new_page(**PHONE)
    page.goto(f"{address}/?q=night&view=list")
    page.locator(".om-video video").first.wait_for()
    assert page.locator(".om-video video").first.bounding_box()["width"] > 300
    shot(page, "phone-list-player")
    page.close()


def test_a_server_that_is_gone_is_no_matter_of_the_internet(browser, tmp_path):
    with serving([Path(__file__), tmp_path], log=tmp_path / "log") as url:
        page = browser.new_page()
        page.goto(url)
        page.wait_for_function("window.omnia?.marked")
    told = page.locator("[role=dialog] [data-instead]")
    told.wait_for(timeout=60_000)
    shot(page, "gone")
    assert told.get_attribute("data-instead").startswith("Omnia's server is not running.")
    assert not told.locator("div").first.is_visible(), "what Streamlit says"
    page.close()


def main(home: Path, port: int) -> None:
    """A page server in a process of its own."""
    from fakes import Shelf, text

    from app import wiring
    from data.records import Evidence, Kind

    media = home / "media"
    (media / "arabic").mkdir(parents=True, exist_ok=True)
    shelf = Shelf(home / "library")
    texts = {f"note {number}.txt": "rain " * 2 + "other " * number for number in range(NOTES)}
    texts |= {f"dog {number}.txt": "dog dog " + "other " * number for number in range(3)}
    texts |= {f"long {number}.txt": f"{LONG}{number}" for number in range(3)}
    for name, words in (texts | {"arabic/kalb.txt": ARABIC}).items():
        (media / name).write_text(words)
        shelf.put(media / name)
    for name, colour in {"red.png": (255, 0, 0), "reddish.png": (255, 40, 0)}.items():
        Image.new("RGB", (640, 400), colour).save(media / name)
        shelf.put(media / name)
    (media / "walk.mp4").write_bytes(b"not played here")
    shelf.put(media / "walk.mp4", [text("night", kind=Kind.VIDEO, evidence=Evidence.SAID, start_s=12.4, end_s=15.0)])
    (media / "report.pdf").write_bytes(b"drawn by the fake reader")
    pages = [text("page", kind=Kind.DOCUMENT, page=1), text("page page other", kind=Kind.DOCUMENT, page=2)]
    shelf.put(media / "report.pdf", pages)
    wiring.shared = lambda: shelf.library

    import streamlit_app

    streamlit_app.server.run(config={"server.port": port, "logger.level": "error"})


if __name__ == "__main__":
    sys.path[:0] = [str(HERE.parent), str(HERE)]
    main(Path(sys.argv[1]), int(sys.argv[2]))
