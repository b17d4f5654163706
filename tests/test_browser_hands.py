"""The page in a real browser without a mouse, without eyes, in the dark and on a phone."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest
from browsing import HERE, MARKS, PHONE, SCREENSHOTS, ask, ask_afresh, drop, serving, settle
from PIL import Image

pytestmark = MARKS

NOTES = 30


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    home = tmp_path_factory.mktemp("hands")
    with serving([Path(__file__), home], log=home / "log") as url:
        yield url


@pytest.fixture
def phone(browser, address):
    page = browser.new_page(**PHONE)
    page.goto(address)
    page.wait_for_function("window.omnia?.marked")
    yield page
    page.close()


def scrolled(page) -> float:
    return page.evaluate("document.querySelector('[data-testid=stMain]').scrollTop")


def at_top(page) -> None:
    page.wait_for_function("document.querySelector('[data-testid=stMain]').scrollTop == 0")


def test_another_page_and_more_like_this_begin_at_the_top(page):
    ask(page, "rain")
    page.get_by_label("Page 2").scroll_into_view_if_needed()
    assert scrolled(page) > 0
    page.get_by_label("Page 2").click()
    page.wait_for_function("new URL(location).searchParams.get('page') == '2'")
    at_top(page)
    ask(page, "city rain")
    last = page.locator(".om-more:visible").last
    last.scroll_into_view_if_needed()
    assert scrolled(page) > 0
    last.click()
    page.wait_for_function("new URL(location).searchParams.has('like')")
    at_top(page)


def test_a_thumb_down_is_taken_back_above_the_results(page):
    ask_afresh(page, "dog night")
    before = page.locator(".om-name").first.inner_text()
    page.get_by_role("button", name="Wrong", exact=True).first.click()
    page.wait_for_function("name => document.querySelector('.om-name').textContent != name", arg=before)
    settle(page)
    page.locator(".st-key-bar").get_by_role("button", name="1 thumb").click()
    page.wait_for_function("name => document.querySelector('.om-name').textContent == name", arg=before)
    settle(page)
    assert page.get_by_role("button", name="1 thumb").count() == 0


def test_a_popover_that_a_key_opens_is_gone_into(page):
    ask(page, "dog")
    for name, first in (("Refine", "Not like"), ("Saved", "Save this search as"), ("Export", "")):
        button = page.get_by_role("button", name=name)
        button.focus()
        page.keyboard.press("Enter")
        page.wait_for_function("document.activeElement.closest('[data-testid=stPopoverBody]')")
        assert first in page.evaluate("document.activeElement.ariaLabel ?? ''")
        page.keyboard.press("Escape")
        page.wait_for_selector("[data-testid=stPopoverBody]", state="detached")
        assert button.evaluate("button => button == document.activeElement")
    page.get_by_role("button", name="Refine").click()
    page.get_by_label("Not like").wait_for()
    page.wait_for_timeout(500)
    assert not page.evaluate("document.activeElement.matches('input')"), "a mouse needs no help"


def test_arrows_and_copies_leave_out_what_is_folded_and_up_goes_back_to_the_box(page):
    ask(page, "dog")
    page.get_by_text("weaker result").wait_for()
    seen = page.locator(".om-card:visible").count()
    folded = page.locator(".om-card").count() - seen
    assert min(seen, folded) > 0
    page.evaluate("() => { window.omnia.copy = (text) => { window.copied = text.split('\\n').length; }; }")
    page.get_by_role("button", name="Export").click()
    page.get_by_text("Copy the paths on this page").click()
    assert page.evaluate("window.copied") == seen
    page.keyboard.press("Escape")
    page.locator(".st-key-q input").focus()
    for _ in range(seen + folded):
        page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.matches('.om-card') && document.activeElement.checkVisibility()")
    for _ in range(seen + folded):
        page.keyboard.press("ArrowUp")
    assert page.evaluate("document.activeElement.matches('.st-key-q input')")


def test_a_fault_is_one_line_and_the_page_goes_on(page):
    page.get_by_placeholder("a dog on a beach").fill("break")
    page.get_by_placeholder("a dog on a beach").press("Enter")
    said = page.get_by_text("ZeroDivisionError: a fault of Omnia; please report it with what the server's log says")
    said.wait_for()
    assert page.locator("[data-testid=stException]").count() == 0
    assert page.get_by_text("secret").count() == 0
    ask(page, "dog")
    said.wait_for(state="detached")


def test_what_was_found_is_told_in_one_lasting_place(page):
    told = page.locator("body > [role=status]")
    told.evaluate("place => { place.lasts = true; }")
    assert told.count() == 1
    for words, heard in (("rain", "result"), ("evidence:said", "Type what to look for besides"), ("dog", "result")):
        page.get_by_placeholder("a dog on a beach").fill(words)
        page.get_by_placeholder("a dog on a beach").press("Enter")
        page.wait_for_function(
            "heard => document.querySelector('body > [role=status]').textContent.includes(heard)", arg=heard
        )
    assert told.evaluate("place => place.lasts")
    page.get_by_role("heading", name="red.png", level=2).wait_for()


def test_what_is_seen_as_a_sign_has_a_name(page):
    ask(page, "dog")
    card = page.locator("[class*='st-key-card-']", has=page.locator(".om-video")).first
    for name in ("Mark walk.mp4", "Enlarge this frame of walk.mp4", "Right", "Wrong"):
        card.get_by_role("button", name=name, exact=True).wait_for()
    assert card.locator("video").get_attribute("aria-label") == "walk.mp4"
    page.get_by_role("button", name="Enlarge red.png", exact=True).wait_for()
    right = card.get_by_role("button", name="Right", exact=True)
    assert right.bounding_box()["width"] < 50, "the word is heard, not seen"
    right.click()
    card.get_by_role("button", name="Right, chosen", exact=True).click()
    right.wait_for()
    page.get_by_role("button", name="Saved").click()
    page.get_by_label("Save this search as").fill("dogs *")
    page.get_by_label("Save this search as").press("Enter")
    forget = page.get_by_role("button", name="Forget dogs *", exact=True)
    forget.wait_for()
    assert forget.bounding_box()["width"] < 60
    forget.click()
    forget.wait_for(state="detached")


def test_a_part_of_a_picture_is_a_question_of_its_own(page):
    picture = io.BytesIO()
    Image.new("RGB", (32, 32), "blue").save(picture, "PNG")
    drop(page, "night.png", picture.getvalue(), "image/png")
    page.locator(".om-took", has_text=" ms").wait_for()
    settle(page)
    page.get_by_text("night.png").wait_for()
    ask(page, "dog")
    page.locator(".om-image .om-zoom").first.click()
    page.wait_for_function("document.querySelector('dialog img')?.naturalWidth > 0")
    box = page.locator("dialog img").bounding_box()
    page.mouse.move(box["x"] + 40, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + 200, box["y"] + 150, steps=4)
    page.mouse.up()
    page.get_by_text("More like this part").click()
    page.get_by_text("part of red.png").first.wait_for()
    page.wait_for_function("!new URL(location).search")
    settle(page)
    assert page.get_by_text("night.png").count() == 0
    assert page.locator(".st-key-q input").input_value() == ""
    assert page.locator(".om-name").first.inner_text() in ("red.png", "walk.mp4")


def test_the_enlarged_picture_has_a_name_and_a_way_out(page):
    ask(page, "dog")
    page.locator(".om-image .om-zoom").first.click()
    dialog = page.get_by_role("dialog", name="red.png", exact=True)
    page.wait_for_function("document.querySelector('dialog img')?.naturalWidth > 0")
    shut = dialog.get_by_role("button", name="Close")
    assert shut.evaluate("button => button == document.activeElement")
    shut.click()
    dialog.wait_for(state="detached")


def test_a_refused_clipboard_is_gone_around(page):
    ask(page, "dog")
    copied = page.evaluate(
        """async () => {
            Object.defineProperty(navigator, "clipboard", { value: { writeText: () => Promise.reject("no") } });
            let copied;
            document.execCommand = () => { copied = document.activeElement.value; return true; };
            await window.omnia.copy("a path", document.querySelector(".om-copy"));
            return copied;
        }"""
    )
    assert copied == "a path"
    page.wait_for_selector(".om-copied")


@pytest.mark.parametrize(("wish", "way"), [("reduce", "auto"), ("no-preference", "smooth")])
def test_cards_glide_only_for_those_who_like_it(page, wish, way):
    page.emulate_media(reduced_motion=wish)
    ask(page, "dog")
    page.evaluate("() => { Element.prototype.scrollIntoView = (how) => { window.glided = how.behavior; }; }")
    page.locator(".st-key-q input").focus()
    page.keyboard.press("ArrowDown")
    assert page.evaluate("window.glided") == way


def test_in_the_dark_all_of_it_is_dark(page):
    page.emulate_media(color_scheme="dark")
    page.reload()
    page.wait_for_function("window.omnia?.marked")
    ask(page, "dog")
    page.locator(".om-card").first.focus()
    page.keyboard.press("x")
    bar = page.locator(".om-marked")
    bar.wait_for()
    assert bar.evaluate("bar => getComputedStyle(bar).backgroundColor") == "rgb(27, 26, 33)"
    SCREENSHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SCREENSHOTS / "dark.png")


def test_a_list_fits_a_phone_and_its_fingers(phone):
    ask(phone, "dog")
    phone.locator(".st-key-view button", has_text="list").tap()
    phone.locator("[class*='st-key-view-list'] .om-card").first.wait_for()
    settle(phone)
    phone.locator(".om-pick").first.tap()
    bar = phone.locator(".om-marked")
    bar.wait_for()
    box = bar.bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 360
    assert phone.evaluate("document.documentElement.scrollWidth") <= 360
    assert phone.locator(".om-name").first.evaluate("name => name.scrollWidth <= name.clientWidth"), "the whole name"
    card = phone.locator("[class*='st-key-card-list']").first
    more, thumb = card.locator(".om-more").bounding_box(), card.get_by_role("button", name="Right").bounding_box()
    assert more["x"] + more["width"] <= thumb["x"], "beside each other"
    assert min(thumb["width"], thumb["height"]) >= 40
    reached = phone.locator(".om-pick").first.evaluate(
        """pick => {
            pick.scrollIntoView({ block: "center" });
            const { left, top, width, height } = pick.getBoundingClientRect();
            const [x, y] = [left + width / 2, top + height / 2];
            return [[-19, 0], [19, 0], [0, -19], [0, 19]].map(
                ([aside, down]) => document.elementFromPoint(x + aside, y + down).className);
        }"""
    )
    SCREENSHOTS.mkdir(exist_ok=True)
    phone.screenshot(path=SCREENSHOTS / "phone-list.png")
    assert reached == ["om-pick"] * 4, "from around it"


def main(home: Path, port: int) -> None:
    """A page server in a process of its own, with notes enough for two pages."""
    from fakes import Shelf, text

    from app import page, wiring
    from data.records import Evidence, Kind

    media = home / "media"
    media.mkdir(parents=True, exist_ok=True)
    shelf = Shelf(home / "library")
    for number in range(NOTES):
        (media / f"note {number}.txt").write_text("rain " * (2 + number % 3) + f"city {number}")
        shelf.put(media / f"note {number}.txt")
    Image.new("RGB", (640, 400), "red").save(media / "red.png")
    shelf.put(media / "red.png")
    (media / "walk.mp4").write_bytes(b"not played here")
    said = text("dog night", kind=Kind.VIDEO, evidence=Evidence.SAID, start_s=12.4, end_s=15.0)
    shelf.put(media / "walk.mp4", [said])
    wiring.shared = lambda: shelf.library
    draw = page.answers

    def draw_or_break(library, asked):
        if asked.words == "break":
            raise ZeroDivisionError("secret")
        return draw(library, asked)

    page.answers = draw_or_break

    import streamlit_app

    streamlit_app.server.run(config={"server.port": port, "logger.level": "error"})


if __name__ == "__main__":
    sys.path[:0] = [str(HERE.parent), str(HERE)]
    main(Path(sys.argv[1]), int(sys.argv[2]))
