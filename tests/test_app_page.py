"""The page, run without a browser."""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from fakes import Shelf, text
from PIL import Image
from streamlit import config
from streamlit.runtime.forward_msg_queue import ForwardMsgQueue
from streamlit.testing.v1 import AppTest

from app import results, wiring
from app.cards import card, marked
from app.escaping import literal
from app.results import Moment, Result
from app.wiring import Library
from data.errors import StoreUnavailableError
from data.records import Evidence, Kind

SCRIPT = Path(wiring.__file__).parent.parent / "streamlit_app.py"


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    logging.getLogger("streamlit").setLevel(logging.ERROR)
    shelf = Shelf(tmp_path / "home")
    monkeypatch.setattr(wiring, "shared", lambda: shelf.library)
    yield shelf
    shelf.library.close()


@pytest.fixture
def page(shelf) -> AppTest:
    return AppTest.from_file(str(SCRIPT), default_timeout=90)


def fill(shelf: Shelf, folder: Path) -> None:
    for name, words in {"dog.txt": "dog", "wet.txt": "dog rain", "city.txt": "city"}.items():
        (folder / name).write_text(words)
        shelf.put(folder / name)
    Image.new("RGB", (4, 4), "red").save(folder / "red.png")
    shelf.put(folder / "red.png")


def html(page: AppTest) -> str:
    return "\n".join(element.proto.body for element in page.get("html"))


def names(page: AppTest) -> list[str]:
    titles = html(page).split('class="om-name"')[1:]
    return [re.sub("</?mark>", "", title.split(">", 1)[1].split("</span>")[0]) for title in titles]


def took(page: AppTest) -> str:
    """What is said of the results, without how long it took."""
    [said] = re.findall('class="om-took">(.*?)(?: · .*)?</p>', html(page))
    return said


def test_what_is_drawn_anew_by_itself_has_a_place_of_its_own(page, monkeypatch):
    sent: list[Any] = []
    monkeypatch.setattr(ForwardMsgQueue, "_before_enqueue_msg", sent.append)
    page.run()
    drawn = [message for message in sent if message.WhichOneof("type") == "delta"]
    beating = {tuple(one.metadata.delta_path) for one in drawn if one.delta.fragment_id}
    still = {tuple(one.metadata.delta_path) for one in drawn} - beating
    *place, first = min(beating, key=len)
    assert first == 0
    assert tuple(place) in still
    assert not [path for path in still if len(path) > len(place) and path[: len(place)] == tuple(place)], "and alone"


def test_an_empty_library_says_what_to_do_next(page):
    page.run()
    assert not page.exception
    assert "Nothing here yet" in html(page)
    assert page.code[0].value.startswith("python -m indexer ingest")
    assert "Open <b>Library</b>, at the top, and add a folder" in html(page)


def test_elsewhere_an_empty_library_is_filled_in_a_terminal(page, monkeypatch):
    asked = config.get_option
    monkeypatch.setattr(config, "get_option", lambda name: "0.0.0.0" if name == "server.address" else asked(name))
    page.run()
    assert "In a terminal:" in html(page)
    assert "add a folder" not in html(page)


def test_a_filled_library_shows_some_of_itself(page, shelf, tmp_path):
    fill(shelf, tmp_path)
    page.run()
    assert not page.exception
    assert "4 files" in html(page)
    assert set(names(page)) == {"dog.txt", "wet.txt", "city.txt", "red.png"}
    assert shelf.library.service.made is None, "the first page does not wait for the model"


def test_words_and_kind_in_the_url_are_asked(page, shelf, tmp_path):
    fill(shelf, tmp_path)
    page.query_params["q"] = "dog"
    page.query_params["kind"] = "image"
    page.run()
    assert not page.exception
    assert names(page) == ["red.png"]


def test_tokens_become_chips_and_a_click_takes_one_away(page, shelf, tmp_path):
    fill(shelf, tmp_path)
    page.query_params["q"] = "dog type:png longer:soon"
    page.run()
    assert not page.exception
    assert names(page) == ["red.png"]
    assert page.button(key="chip-0").label == r"type\:png"
    assert any(r"longer\:soon" in caption.value for caption in page.caption)
    page.button(key="chip-0").click().run()
    assert page.text_input(key="q").value == "dog longer:soon"
    assert len(names(page)) == 4


def test_a_thumb_is_kept_filled_and_taken_back(page, shelf, tmp_path):
    fill(shelf, tmp_path)
    page.query_params["q"] = "dog"
    page.run()
    catalogue = shelf.library.catalogue()
    first = names(page)[0]
    page.button(key="wrong-grid-results-0").click().run()
    assert not page.exception
    (verdict,) = catalogue.verdicts()
    assert not verdict.is_right
    assert catalogue.files_of([verdict.content])[verdict.content][0].path.endswith(first)
    assert names(page)[0] != first
    place = names(page).index(first)
    shown = [button.key for button in page.button if button.key.startswith("wrong-")]
    page.button(key=shown[place]).click().run()
    assert catalogue.verdicts() == []
    assert names(page)[0] == first


def test_what_was_said_to_be_right_is_shown_as_such_among_what_is_likely(page, shelf, tmp_path):
    fill_with_notes(shelf, tmp_path)
    page.query_params["q"] = "dog"
    page.run()
    said = names(page)[5]
    assert took(page) == "3 results"
    page.button(key="right-grid-weak-2").click().run()
    assert not page.exception
    assert took(page) == "4 results"
    assert said in names(page)[:4]
    shown = next(one.proto.body for one in page.get("html") if f">{said}</span>" in one.proto.body)
    assert '<b class="om-sure">right</b>' in shown
    assert "om-score" not in shown


def test_all_thumbs_of_a_question_are_taken_back_together(page, shelf, tmp_path):
    fill(shelf, tmp_path)
    page.query_params["q"] = "dog"
    page.run()
    assert not [button for button in page.button if button.key == "undo"], "nothing was said"
    before = names(page)
    page.button(key="right-grid-results-1").click().run()
    page.button(key="wrong-grid-results-0").click().run()
    page.text_input(key="q").set_value("rain").run()
    page.button(key="right-grid-results-0").click().run()
    page.text_input(key="q").set_value("dog").run()
    assert page.button(key="undo").label == "2 thumbs"
    page.button(key="undo").click().run()
    assert not page.exception
    assert names(page) == before
    (left,) = shelf.library.catalogue().verdicts()
    assert "rain" in left.question, "what was said of another question stays"


def test_what_is_like_no_moment_empties_the_box_for_a_file_to_come(page, shelf, tmp_path):
    fill(shelf, tmp_path)
    page.query_params.update({"q": "dog", "like": str(next(shelf.library.store().scan(batch_size=9))[0][0].id)})
    page.run()
    page.file_uploader[0].upload("red too.png", (tmp_path / "red.png").read_bytes(), "image/png").run()
    page.text_input(key="like").set_value("nothing").run()
    assert not page.exception
    assert (page.text_input(key="q").value, page.text_input(key="like").value) == ("", "")
    assert not page.file_uploader[0].value
    assert page.query_params == {}


def test_what_a_link_asks_for_is_no_markdown(page, shelf, tmp_path):
    fill(shelf, tmp_path)
    page.query_params["q"] = 'dog in:"![x](http://127.0.0.1:9/a.png)"'
    page.run()
    (told,) = page.info
    assert "no folder" in told.value.lower()
    assert "![x](" not in told.value


def test_filters_by_file_alone_show_the_newest(page, shelf, tmp_path):
    fill(shelf, tmp_path)
    os.utime(tmp_path / "wet.txt", ns=(2_000_000_000_000_000_000,) * 2)
    shelf.put(tmp_path / "wet.txt")
    page.query_params["q"] = "type:txt"
    page.run()
    assert not page.exception
    assert names(page)[0] == "wet.txt"
    assert set(names(page)) == {"dog.txt", "wet.txt", "city.txt"}
    assert shelf.library.service.made is None, "no model is needed"


def test_the_first_page_waits_for_neither_store_nor_model(page, shelf, tmp_path, monkeypatch):
    fill(shelf, tmp_path)
    page.run()
    assert "dog rain" in html(page), "the store is open: what is written is shown"
    assert 'class="om-moments"' not in html(page), "nothing was asked for"
    shelf.library.close()
    again = Library(shelf.library.settings)
    again.row_of = shelf.library.row_of
    monkeypatch.setattr(wiring, "shared", lambda: again)
    page.run()
    assert not page.exception
    assert set(names(page)) == {"dog.txt", "wet.txt", "city.txt", "red.png"}
    assert "dog rain" not in html(page)
    assert again.space().store.made is None
    assert again.space().service.made is None
    again.close()


def test_filters_by_what_is_said_ask_for_words_beside_them(page, shelf, tmp_path):
    fill(shelf, tmp_path)
    page.query_params["q"] = "evidence:said"
    page.run()
    assert not page.exception
    assert "what to look for besides" in page.info[0].value


def test_what_it_should_not_be_like_is_said_and_goes_by_a_click(page, shelf, tmp_path):
    fill(shelf, tmp_path)
    page.query_params["not"] = "rain"
    page.run()
    assert "what to look for besides" in page.info[0].value, "alone it finds nothing"
    page.text_input(key="q").set_value("dog").run()
    chip = page.button(key="chip-not")
    assert chip.label == "not like rain"
    chip.click().run()
    assert not page.exception
    assert "not" not in page.query_params
    assert not [button for button in page.button if button.key == "chip-not"]


def test_typing_finds_and_more_like_this_goes_on(page, shelf, tmp_path):
    fill(shelf, tmp_path)
    page.run()
    page.text_input(key="q").set_value("dog").run()
    assert names(page)[0] in ("dog.txt", "red.png")
    assert len(names(page)) == 4
    before = names(page)[0]
    segment = html(page).split('data-like="')[1].split('"')[0]
    page.text_input(key="like").set_value(segment).run()
    assert not page.exception
    assert page.text_input(key="q").value == ""
    assert before not in names(page)
    assert page.query_params == {"like": segment}
    assert before.replace(".", "") in page.button(key=f"like-{segment}").label.replace(".", "")
    page.button(key=f"like-{segment}").click().run()
    assert page.query_params == {}


def test_words_and_an_example_count_as_much_as_their_sliders_say(page, shelf, tmp_path):
    fill(shelf, tmp_path)
    page.query_params["q"] = "city"
    page.run()
    assert not page.slider, "one part needs no weight"
    segment = html(page).split('data-like="')[1].split('"')[0]
    page = AppTest.from_file(str(SCRIPT), default_timeout=90)
    page.query_params.update({"q": "dog", "like": segment, "weights": "words:0.5"})
    page.run()
    words, example = page.slider
    assert (words.value, example.value) == (0.5, 1.0)
    assert "“dog”" in words.label
    words.set_value(2.0).run()
    example.set_value(-1.0).run()
    assert not page.exception
    assert page.query_params["weights"] == f"words:2,{segment}:-1"
    assert page.button(key=f"like-{segment}").label.startswith("Less like")
    page.text_input(key="q").set_value("").run()
    assert "weights" not in page.query_params
    assert page.button(key=f"like-{segment}").label.startswith("More like"), "what is alone has no weight"
    assert names(page)
    page.text_input(key="q").set_value("rain").run()
    assert [slider.value for slider in page.slider] == [2.0, -1.0], "words are typed anew, and count as they did"
    assert page.query_params["weights"] == f"words:2,{segment}:-1"


def test_the_second_page_shows_what_the_first_does_not(page, shelf, tmp_path):
    for number in range(30):
        (tmp_path / f"{number}.txt").write_text("dog " * (1 + number % 3) + f"city {number}")
        shelf.put(tmp_path / f"{number}.txt")
    page.query_params["q"] = "dog"
    page.run()
    first = names(page)
    page.get("pagination")[0].set_value(2).run()
    second = names(page)
    assert (len(first), len(second)) == (24, 6)
    assert not set(first) & set(second)
    assert page.query_params["page"] == "2"
    page.text_input(key="q").set_value("city").run()
    assert "page" not in page.query_params, "another question begins with its first page"
    assert len(names(page)) == 24


def fill_with_notes(shelf: Shelf, folder: Path) -> None:
    """Two pages of texts, three of which are about dogs."""
    for number in range(30):
        path = folder / f"{number}.txt"
        path.write_text(("dog dog" if number < 3 else "city rain") + " other" * number)
        shelf.put(path)


def test_words_are_marked_in_the_name_that_holds_them(page, shelf, tmp_path):
    (tmp_path / "my dog & me.txt").write_text("dog")
    shelf.put(tmp_path / "my dog & me.txt")
    page.query_params["q"] = "dog"
    page.run()
    assert "my <mark>dog</mark> &amp; me.txt</span>" in html(page)


def test_what_is_weak_is_folded_only_beside_what_is_likely(page, shelf, tmp_path):
    fill_with_notes(shelf, tmp_path)
    page.query_params["q"] = "dog"
    page.run()
    assert took(page) == "3 results"
    [folded] = page.expander
    assert (folded.label, folded.proto.expanded) == ("21 weaker results", False)
    page.get("pagination")[0].set_value(2).run()
    assert took(page) == "Weaker results, page 2"
    assert len(names(page)) == 6
    assert not page.expander
    page.text_input(key="q").set_value("nothing").run()
    assert took(page) == "Nothing stands out; the nearest are below"
    assert len(names(page)) == 24
    assert not page.expander


def test_the_number_of_results_says_no_more_than_is_known(page, shelf, tmp_path, monkeypatch):
    monkeypatch.setattr(results, "LIKELY", 0.0)
    fill_with_notes(shelf, tmp_path)
    page.query_params["q"] = "dog"
    page.run()
    assert took(page) == "More than 24 results"
    page.get("pagination")[0].set_value(2).run()
    assert took(page) == "30 results"


def test_where_nothing_was_found_there_is_nothing_to_export_or_to_show_otherwise(page, shelf, tmp_path):
    fill(shelf, tmp_path)
    page.query_params["q"] = "dog"
    page.run()
    assert page.get("button_group")[-1].key == "view"
    assert len(page.get("download_button")) == 2
    page.text_input(key="q").set_value("dog in:nowhere/").run()
    assert page.info
    assert not page.get("download_button")
    assert not [group for group in page.get("button_group") if group.key == "view"]


def test_lanes_show_each_kind_by_itself(page, shelf, tmp_path):
    fill(shelf, tmp_path)
    page.query_params.update({"q": "dog", "view": "lanes"})
    page.run()
    assert not page.exception
    lanes = [lane.split("<")[0] for lane in html(page).split('class="om-icon om-i-image"></i>')[1:]]
    assert "image" in lanes
    assert names(page)[-1] == "red.png", "pictures after texts"
    assert len(names(page)) == 4


def test_a_saved_search_tells_what_is_new_since_it_was_looked_at(page, shelf, tmp_path):
    fill(shelf, tmp_path)
    catalogue = shelf.library.catalogue()
    catalogue.keep_search("dogs & wolves", "q=dog&kind=text")
    page.query_params["q"] = "dog"
    page.session_state["saved"] = True  # the popover is open
    page.run()
    assert not page.exception
    assert "dogs &amp; wolves</a>" in html(page)
    (tmp_path / "new.txt").write_text("dog dog city")
    shelf.put(tmp_path / "new.txt")
    page.run()
    assert 'dogs &amp; wolves<b class="om-new">1 new</b>' in html(page)
    [search] = catalogue.searches()
    opened = AppTest.from_file(str(SCRIPT), default_timeout=90)
    opened.query_params.update({"q": "dog", "kind": "text", "saved": str(search.id)})
    opened.run()
    assert html(opened).count('<b class="om-new">new</b>') == 1
    assert "saved" not in opened.query_params
    page.run()
    assert "1 new" not in html(page)


def test_the_question_of_the_page_is_saved_with_its_filters(page, shelf, tmp_path):
    fill(shelf, tmp_path)
    page.query_params.update({"q": "dog type:png", "kind": "image", "view": "list"})
    page.session_state["saved"] = True
    page.run()
    assert not page.exception
    next(field for field in page.text_input if field.label == "Save this search as").set_value("red ones")
    next(button for button in page.button if button.label == "Save").click().run()
    [search] = shelf.library.catalogue().searches()
    assert (search.name, search.address) == ("red ones", "q=dog+type%3Apng&kind=image")


def test_a_dropped_file_finds_what_it_is_like(page, shelf, tmp_path):
    fill(shelf, tmp_path)
    page.run()
    page.file_uploader[0].upload("red too.png", (tmp_path / "red.png").read_bytes(), "image/png").run()
    assert not page.exception
    assert {"red.png", "dog.txt"} == set(names(page)[:2])
    [shown] = [one.proto.body for one in page.get("html") if ">red.png</span>" in one.proto.body]
    assert '<b class="om-sure">the same file</b>' in shown
    assert "om-score" not in shown
    reads = shelf.readers.reads
    page.run()
    assert shelf.readers.reads == reads


def test_another_session_has_an_empty_drop_zone(page, shelf):
    page.run()
    other = AppTest.from_file(str(SCRIPT), default_timeout=90).run()
    assert page.file_uploader[0].key != other.file_uploader[0].key


def test_what_a_dropped_file_says_is_no_markdown(page, shelf, tmp_path):
    fill(shelf, tmp_path)
    page.run()
    name = "![seen](http://evil.example/a.png) " + "😀" * 200 + ".xyz"
    page.file_uploader[0].upload(name, b"?", "application/octet-stream").run()
    assert not page.exception
    assert r"\!\[seen\]\(http\://evil.example/a.png\)" in page.warning[0].value


def test_a_dropped_file_that_cannot_be_read_is_named(page, shelf, tmp_path):
    fill(shelf, tmp_path)
    page.run()
    page.file_uploader[0].upload("strange.xyz", b"?", "application/octet-stream").run()
    assert not page.exception
    assert page.warning[0].value == literal("strange.xyz: not a file this test reads (give .txt, .png or .wav)")


def test_an_error_is_one_line_and_no_traceback(page, shelf, monkeypatch):
    def unreachable():
        raise StoreUnavailableError("the store does not answer; start it")

    monkeypatch.setattr(shelf.library, "catalogue", unreachable)
    page.run()
    assert not page.exception
    assert page.error[0].value == "the store does not answer; start it"


def test_names_and_words_from_files_are_escaped():
    moment = Moment(
        segment=uuid4(),
        evidence=Evidence.WRITTEN,
        start_s=None,
        end_s=None,
        page=None,
        snippet="<script>alert(1)</script> dog",
        score=0.5,
    )
    result = Result(
        id=1,
        path='/m/"><img src=x onerror=alert(1)>\n🐕.txt',
        root="/m",
        kind=Kind.TEXT,
        content="c",
        score=0.5,
        moments=(moment,),
    )
    shown = card(result, words="dog script")
    assert "<script" not in shown
    assert "<img" not in shown
    assert "<mark>dog</mark>" in shown
    assert marked("a <b> dog", "dog") == "a &lt;b&gt; <mark>dog</mark>"
    assert marked("昨日、名古屋城へ", "名古屋城") == "昨日、<mark>名古屋城</mark>へ"
    assert marked("a cafe\u0301 & AI", "caf\u00e9 AI") == "a <mark>cafe\u0301</mark> &amp; <mark>AI</mark>"


@pytest.mark.parametrize(
    ("name", "kind", "span"),
    [("film.srt", Kind.TEXT, {"start_s": 12.0, "end_s": 15.0}), ("slides.pptx", Kind.DOCUMENT, {"page": 3})],
)
def test_what_neither_plays_nor_is_drawn_has_a_place_and_no_way_there(name, kind, span):
    place: dict[str, Any] = {"start_s": None, "end_s": None, "page": None} | span
    moment = Moment(segment=uuid4(), evidence=Evidence.WRITTEN, snippet="dog", score=0.5, **place)
    shown = card(Result(id=1, path=f"/m/{name}", root="/m", kind=kind, content="c", score=0.5, moments=(moment,)))
    assert '<span class="om-spot">' in shown
    assert "0:12–0:15" in shown or "page 3" in shown
    assert "om-seek" not in shown
    assert "om-cut" not in shown
    assert "data-page" not in shown


def test_players_and_buttons_without_words_are_named_after_their_file():
    place: dict[str, Any] = {"start_s": None, "end_s": None, "page": None, "snippet": ""}
    moment = Moment(segment=uuid4(), evidence=Evidence.SEEN, score=0.5, **place)
    for kind, named in {
        Kind.IMAGE: ("Enlarge a &amp; b",),
        Kind.VIDEO: ("Enlarge this frame of a &amp; b", "a &amp; b"),
        Kind.AUDIO: ("a &amp; b",),
    }.items():
        shown = card(Result(id=1, path="/m/a & b", root="/m", kind=kind, content="c", score=0.5, moments=(moment,)))
        for name in ("Mark a &amp; b", *named):
            assert f'aria-label="{name}"' in shown.split(">", 1)[1], "besides the card itself"


def test_a_picture_kept_by_the_browser_is_not_taken_for_another_with_its_number():
    moment = Moment(segment=uuid4(), evidence=Evidence.SEEN, start_s=None, end_s=None, page=None, snippet="", score=0.5)
    one, other = (
        card(Result(id=1, path="/m/a.jpg", root="/m", kind=Kind.IMAGE, content=content, score=0.5, moments=(moment,)))
        for content in ("a" * 64, "b" * 64)
    )
    assert "/api/thumb/1?side=640&amp;v=aaaaaaaaaaaa" in one
    assert "/api/thumb/1?side=640&amp;v=bbbbbbbbbbbb" in other


def test_the_view_is_kept_where_none_is_shown(page, shelf, tmp_path):
    fill(shelf, tmp_path)
    page.query_params["q"] = "dog"
    page.query_params["view"] = "list"
    page.run()
    page.text_input(key="q").set_value("").run()
    page.text_input(key="q").set_value("city").run()
    assert page.session_state["view"] == "list"


def test_the_page_comes_back_after_an_error_before_its_last_field(page, shelf, tmp_path, monkeypatch):
    fill(shelf, tmp_path)
    page.run()
    record = next(shelf.library.store().scan(batch_size=9))[0][0]
    with monkeypatch.context() as broken:
        broken.setattr(shelf.library, "store", _unreachable)
        page.text_input(key="like").set_value(str(record.id)).run()
        assert "does not answer" in page.error[0].value
    page.run()
    assert not page.exception
    assert not page.error


def _unreachable():
    raise StoreUnavailableError("the store does not answer; start it")


def test_a_spoken_moment_starts_its_player_there(page, shelf, tmp_path):
    path = tmp_path / "talk.mp4"
    path.write_bytes(b"x")
    shelf.put(path, [text("dog", kind=Kind.VIDEO, evidence=Evidence.SAID, start_s=12.4, end_s=15)])
    page.query_params["q"] = "dog"
    page.run()
    assert f'src="/api/media/{shelf.id_of(path)}#t=12.40"' in html(page)
    assert 'data-seek="12.40"' in html(page)
