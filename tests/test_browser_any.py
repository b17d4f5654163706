"""Anything finds anything in a real browser, with the shipped model on a few of the samples."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from browsing import BROWSER, FLAGS, HERE, MARKS, SCREENSHOTS, ask, ask_afresh, drop, opened, serving, settle
from make_media import silence, speech, wav

pytestmark = MARKS

SAMPLES = HERE.parent / "data" / "samples"
SHELF = (
    "animals/dog walk.mp4",
    "animals/Rex in the field.jpg",
    "animals/hens in the garden.jpg",
    "holiday/waves at the beach.jpg",
    "music/Girls at the Piano (Renoir).jpg",
    "recipes/pizza dough.txt",
    "recipes/espresso.jpg",
    "talks/rocket on the launch pad.jpg",
    "town/church at Auvers.tif",
    "town/fire engine passes.mp4",
    "town/parish newsletter.md",
    "trains/how a steam engine works.rst",
    "trains/museum railway.mp4",
)
SPOKEN = "The meeting about the new harbour was moved to Friday afternoon."
ASKED = "Which meeting was moved to Friday?"
NOTES = 30
LEAD_S = 6.0  # of another sentence and silence before it


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    home = tmp_path_factory.mktemp("any")
    media = home / "media"
    for name in SHELF:
        place = media / name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(SAMPLES / name, place)
    for number in range(NOTES):
        (media / f"note {number}.txt").write_text(f"Invoice {number} for garden tools: rakes, spades and a hose.")
    lead = speech("My grandmother planted three apple trees behind the old barn.")
    sound = [lead, silence(LEAD_S - len(lead) / 16_000), speech(SPOKEN), silence(1.0)]
    wav(media / "memo.wav", np.concatenate(sound))
    environment = os.environ | {"OMNIA_HOME": str(home / "library"), "OMNIA_DEVICE": "cpu"}
    ingest = [sys.executable, "-m", "indexer", "ingest", str(media)]
    done = subprocess.run(ingest, env=environment, cwd=HERE.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with serving(["-m", "app", "serve", "--port"], log=home / "log", environment=environment) as url:
        yield url


def names(page) -> list[str]:
    return page.locator(".om-name").all_inner_texts()


def percent(page, name: str) -> int:
    card = page.locator(".om-card", has=page.locator(".om-name", has_text=name))
    return int(card.locator(".om-score").get_attribute("data-percent"))


def shot(page, name: str) -> None:
    SCREENSHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png")


def drop_sample(page, name: str, kind: str) -> None:
    drop(page, Path(name).name, (SAMPLES / name).read_bytes(), kind)
    page.locator(".om-took", has_text=" ms").wait_for()  # before it, the newest files are shown
    settle(page)


def only(page, kind: str) -> None:
    page.locator(".st-key-filters").get_by_text(kind).click()
    page.wait_for_function("kind => new URL(location).searchParams.get('kind') == kind", arg=kind)
    settle(page)


def test_a_dropped_sound_finds_the_video_in_which_it_is_heard(page):
    only(page, "video")
    drop_sample(page, "town/siren.mp3", "audio/mpeg")
    assert names(page)[0] == "fire engine passes.mp4"
    assert page.locator(".om-card").first.locator(".om-moments li").first.inner_text().startswith("heard")
    shot(page, "sound-finds-video")


def test_a_dropped_document_finds_the_text_that_is_about_the_same(page):
    only(page, "text")
    drop_sample(page, "recipes/tomato pasta.pdf", "application/pdf")
    assert names(page)[0] == "pizza dough.txt"
    shot(page, "document-finds-text")


def test_a_photo_and_words_and_what_it_should_not_be_like(page):
    only(page, "image")
    drop_sample(page, "town/church at Auvers.tif", "image/tiff")
    ask(page, "at night")
    assert names(page)[0] == "church at Auvers.tif"
    before = percent(page, "Girls at the Piano")
    assert before > 0
    page.get_by_text("Refine").click()
    page.get_by_label("Not like").fill("people")
    page.get_by_label("Not like").press("Enter")
    page.wait_for_function("new URL(location).searchParams.get('not') == 'people'")
    settle(page)
    page.keyboard.press("Escape")
    assert names(page)[0] == "church at Auvers.tif"
    assert percent(page, "Girls at the Piano") < before
    shot(page, "photo-words-not")


def test_what_is_said_into_the_microphone_finds_where_it_is_said(tmp_path, browser, address):
    said = wav(tmp_path / "said.wav", np.concatenate([speech(ASKED), silence(3.0)]))
    microphone = [
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-audio-capture={said}",
    ]
    listening = browser.browser_type.launch(executable_path=BROWSER, args=[*FLAGS, *microphone])
    with opened(listening, address) as page:
        page.get_by_text("Hum, play or say it").click()
        page.get_by_label("Record").click()
        page.wait_for_timeout(4_500)
        page.get_by_label("Stop recording").click()
        settle(page)
        page.keyboard.press("Escape")
        card = page.locator(".om-card", has=page.locator(".om-name", has_text="memo.wav")).first
        moment = card.locator(".om-moments li", has_text="said").first
        moment.wait_for()
        start_s = float(moment.locator(".om-seek").get_attribute("data-seek"))
        assert abs(start_s - LEAD_S) < 1.5
        shot(page, "microphone")
    listening.close()


def test_more_like_this_moment_and_the_way_back(page):
    ask(page, "a steam train")
    first = names(page)[0]
    before = page.url
    page.locator(".om-more").first.click()
    page.locator(".st-key-liked").get_by_text(first.split(".")[0]).first.wait_for()
    settle(page)
    assert first not in names(page)
    assert "q=" not in page.url
    shot(page, "more-like-this")
    page.go_back()
    page.wait_for_function("name => document.querySelector('.om-name')?.textContent == name", arg=first)
    assert page.url == before
    page.wait_for_function("document.querySelector('.st-key-q input').value == 'a steam train'")


def test_more_like_one_moment_of_several(page):
    ask(page, "a dog")
    card = page.locator(".om-card", has=page.locator(".om-like")).first
    moment = card.locator(".om-like").nth(1)
    segment = moment.get_attribute("data-like")
    moment.click()
    page.locator(".st-key-liked").wait_for()
    settle(page)
    assert f"like={segment}" in page.url
    assert names(page)


def test_a_thumb_up_raises_what_is_like_it(page):
    ask_afresh(page, "something to look at")
    before = page.locator(".om-name:visible").all_inner_texts()
    raised = next(name for name in before[1:] if name.endswith((".jpg", ".tif", ".mp4")))
    card = page.locator("[class*='st-key-card-']", has=page.locator(".om-name", has_text=raised)).first
    card.get_by_role("button", name="Right", exact=True).click()
    page.locator(".st-key-undo button").first.wait_for()
    settle(page)
    after = page.locator(".om-name:visible").all_inner_texts()
    shot(page, "thumb-up")
    assert after.index(raised) < before.index(raised)
    assert [name for name in after if name != raised] != [name for name in before if name != raised]
    page.locator(".st-key-undo button").first.click()
    page.wait_for_function("!document.querySelector('.st-key-undo')")
    settle(page)
    assert page.locator(".om-name:visible").all_inner_texts() == before


def test_the_second_page_shows_what_the_first_does_not(page):
    ask(page, "an invoice for garden tools")
    first = page.locator(".om-name").all_text_contents()
    page.get_by_label("Page 2").click()
    page.wait_for_function("new URL(location).searchParams.get('page') == '2'")
    settle(page)
    second = page.locator(".om-name").all_text_contents()
    assert len(first) == 24
    assert len(second) >= NOTES - 24
    assert not set(first) & set(second)
    shot(page, "page-2")
    page.reload()
    settle(page)
    assert page.locator(".om-name").all_text_contents() == second


def test_a_part_of_a_picture_finds_what_is_in_it(page):
    ask(page, "a dog in a field kind:image")
    page.locator(".om-zoom").first.click()
    picture = page.locator("dialog img")
    page.wait_for_function("document.querySelector('dialog img')?.naturalWidth > 0")
    box = picture.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.2, box["y"] + box["height"] * 0.05)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.95, box["y"] + box["height"] * 0.9, steps=5)
    page.mouse.up()
    shot(page, "part")
    page.get_by_text("More like this part").click()
    page.locator(".st-key-ask").get_by_text("part of").first.wait_for()
    page.wait_for_function("!new URL(location).searchParams.get('q')")
    settle(page)
    assert set(names(page)[:2]) == {"Rex in the field.jpg", "dog walk.mp4"}


def part_of(page, name: str, picture: str) -> None:
    """Draw a rectangle over most of what a card shows, enlarged."""
    card = page.locator(".om-card", has=page.locator(".om-name", has_text=name))
    card.hover()  # what enlarges is seen then
    card.locator(".om-frame").click()
    page.wait_for_function("what => document.querySelector(what)?.naturalWidth > 0", arg=picture)
    box = page.locator(picture).bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.1, box["y"] + box["height"] * 0.1)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.9, box["y"] + box["height"] * 0.9, steps=5)
    page.mouse.up()
    page.get_by_text("More like this part").click()
    page.locator(".st-key-ask").get_by_text("part of").first.wait_for()
    settle(page)


def test_a_part_of_a_frame_finds_what_is_in_it(page):
    ask(page, "a steam train kind:video")
    part_of(page, "museum railway.mp4", "dialog img")
    assert "museum railway.mp4" in names(page)[:2]


def paused(page) -> list[bool]:
    return page.locator(".om-card video").evaluate_all("all => all.map(player => player.paused)")


def test_keys_ask_play_one_at_a_time_and_open(page):
    ask(page, "a steam train kind:video")
    page.keyboard.press("Escape")
    page.locator(".om-card").nth(0).focus()
    page.keyboard.press(" ")
    page.wait_for_function("!document.querySelectorAll('.om-card video')[0].paused")
    page.keyboard.press("ArrowRight")
    assert page.locator(".om-card").nth(1).evaluate("card => card == document.activeElement")
    page.keyboard.press(" ")
    page.wait_for_function("!document.querySelectorAll('.om-card video')[1].paused")
    assert paused(page)[:2] == [True, False], "one at a time"
    page.keyboard.press(" ")
    page.wait_for_function("document.querySelectorAll('.om-card video')[1].paused")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.matches('.st-key-q input')")
    page.locator(".om-card").nth(1).focus()
    page.keyboard.press("m")
    page.locator(".st-key-liked").wait_for()
    settle(page)
    ask(page, "a dog kind:image")
    page.locator(".om-card").nth(0).focus()
    page.keyboard.press("Enter")
    page.locator("dialog[open]").wait_for()
    page.keyboard.press("Escape")
    page.locator("dialog[open]").wait_for(state="detached")


def test_what_was_found_is_taken_along_for_other_programs(page):
    ask(page, "a steam train")
    found = names(page)
    page.get_by_role("button", name="Export").click()
    taken = {}
    for label in ("CSV", "JSON"):
        with page.expect_download() as download:
            page.get_by_role("button", name=label).click()
        taken[label] = Path(download.value.path()).read_text(encoding="utf-8-sig")
    told = json.loads(taken["JSON"])["results"]
    assert [Path(one["path"]).name for one in told][:3] == found[:3]
    rows = list(csv.DictReader(io.StringIO(taken["CSV"])))
    assert len(rows) == sum(len(one["moments"]) for one in told)
    assert Path(rows[0]["path"]).name == found[0]
