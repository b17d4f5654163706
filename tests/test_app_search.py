"""The search service over a real catalogue and real vectors, with a model that can be worked out by hand."""

from __future__ import annotations

import hashlib
from contextlib import closing
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from uuid import UUID, uuid4

import make_media
import numpy as np
import pytest
from fakes import Shelf, text
from PIL import Image

from app.asking import answered, joined
from app.grammar import understood
from app.once import Once
from app.query import BadQueryError, FilePart, Filters, JudgedPart, Query, SegmentPart, TextPart
from app.results import Band
from app.verdicts import as_question, from_question
from data.errors import UnreadableMediaError, UnsupportedMediaError
from data.records import Evidence, FileChoice, Kind, Span
from embedder.media.sandbox import ReaderPool
from embedder.segment import Modality, Segment


@pytest.fixture
def media(tmp_path: Path) -> Path:
    folder = tmp_path / "media"
    folder.mkdir()
    return folder


def written(media: Path, name: str, *lines: str) -> Path:
    path = media / name
    path.write_text("\n".join(lines))
    return path


def painted(media: Path, name: str, colour: tuple[int, int, int]) -> Path:
    Image.new("RGB", (4, 4), colour).save(media / name)
    return media / name


def ask(shelf: Shelf, *parts, kinds=(), limit=20, **filters):
    query = Query(parts=tuple(parts), filters=Filters(kinds=frozenset(kinds), **filters), limit=limit)
    return shelf.library.service().search(query).results


def names(results) -> list[str]:
    return [Path(result.path).name for result in results]


def test_words_find_the_file_that_says_them_first(shelf, media):
    shelf.put(written(media, "beach.txt", "beach beach"))
    shelf.put(written(media, "dog.txt", "dog"))
    results = ask(shelf, TextPart("dog"))
    assert names(results)[0] == "dog.txt"
    assert results[0].score > 0.5 > results[1].score
    assert results[0].band == "strong"


def test_words_find_a_picture_and_a_picture_finds_words(shelf, media):
    red = painted(media, "red.png", (255, 0, 0))
    shelf.put(red)
    shelf.put(written(media, "dog.txt", "dog"))
    shelf.put(written(media, "night.txt", "night"))
    assert names(ask(shelf, TextPart("dog"), kinds=[Kind.IMAGE])) == ["red.png"]
    assert names(ask(shelf, FilePart(red), kinds=[Kind.TEXT]))[0] == "dog.txt"


def test_a_mix_prefers_what_has_both(shelf, media):
    for name, line in {"dog.txt": "dog", "night.txt": "night", "both.txt": "dog night"}.items():
        shelf.put(written(media, name, line))
    results = ask(shelf, TextPart("dog"), TextPart("night"))
    # cosines with the two wishes: both 1/√2 + 1/√2, the others 1 + 0
    assert names(results)[0] == "both.txt"


def test_the_very_words_count_beside_what_they_mean(shelf, media):
    # For the model all names are "other": these four are alike to it.
    for name in ("amelie", "bruno", "chiara", "dunja"):
        shelf.put(written(media, f"{name}.txt", f"{name} and her dog went away"))
    results = ask(shelf, TextPart("Chiara"))
    assert names(results)[0] == "chiara.txt"
    assert results[0].score > results[1].score
    assert results[1].score == pytest.approx(results[3].score)


def test_words_are_found_where_the_model_would_not_look(shelf, media):
    for number in range(300):
        shelf.put(written(media, f"{number}.txt", f"{number} invoice"))
    shelf.put(written(media, "dogs.txt", "dog dog dog 4711"))
    assert "dogs.txt" not in names(ask(shelf, TextPart("other"), limit=10))
    assert names(ask(shelf, TextPart("4711"), limit=10))[0] == "dogs.txt"


def test_the_same_cosine_is_less_likely_right_where_more_is_like_it(shelf, media):
    shelf.put(written(media, "found.txt", "dog dog night"))
    for number in range(5):
        shelf.put(written(media, f"{number}.txt", f"city {number}"))
    alone = ask(shelf, TextPart("dog"))[0]
    for number in range(60):
        shelf.put(written(media, f"more {number}.txt", "dog dog beach rain" + " music" * (number % 4)))
    shelf.library.service()._background._draw()
    among = next(result for result in ask(shelf, TextPart("dog")) if result.path == alone.path)
    assert 1 - among.score > 5 * (1 - alone.score)


def test_a_filter_that_leaves_few_judges_by_those_few(shelf, media):
    folder = media / "trip"
    folder.mkdir()
    shelf.put(written(folder, "dog.txt", "dog dog beach"))
    for number in range(300):
        shelf.put(written(media, f"{number}.txt", f"dog city night {number}"))
    everywhere = ask(shelf, TextPart("dog"))[0]
    (here,) = ask(shelf, TextPart("dog"), files=FileChoice(folders=("trip",)))
    assert here.path == everywhere.path
    assert here.score > everywhere.score


def recording(media: Path, name: str, *moments: tuple[str, float]) -> tuple[Path, list[Segment]]:
    """A film with a sentence of three seconds at each of these times."""
    path = media / f"{name}.mp4"
    path.write_bytes(name.encode())
    said = {"kind": Kind.VIDEO, "evidence": Evidence.SAID}
    return path, [text(words, start_s=start_s, end_s=start_s + 3, **said) for words, start_s in moments]


def test_what_follows_in_a_recording_is_found_in_this_order(shelf, media):
    shelf.put(*recording(media, "right", ("city", 0), ("dog", 20), ("rain", 40), ("dog", 300)))
    shelf.put(*recording(media, "wrong order", ("rain", 10), ("dog", 30)))
    shelf.put(*recording(media, "too far", ("dog", 10), ("rain", 200)))
    shelf.put(*recording(media, "half", ("dog", 10), ("dog", 20)))
    shelf.put(written(media, "both.txt", "dog and rain"))
    found = shelf.library.service().search(Query(parts=(TextPart("dog"),), then=(TextPart("rain"),))).results
    assert names(found)[0] == "right.mp4"
    assert [moment.start_s for moment in found[0].moments] == [20, 40]
    assert found[0].score > 0.4
    assert all(result.score < 0.2 for result in found[1:])
    assert "both.txt" not in names(found)


def test_the_steps_of_a_sequence_stay_apart_where_they_touch(shelf, media):
    path = media / "farm.mp4"
    path.write_bytes(b"farm")
    seen = {"kind": Kind.VIDEO, "evidence": Evidence.SEEN}
    shots = [text(word, start_s=4.0 * n, end_s=4.0 * n + 4, **seen) for n, word in enumerate(("dog", "rain"))]
    shelf.put(path, shots)
    (found,) = shelf.library.service().search(Query(parts=(TextPart("dog"),), then=(TextPart("rain"),))).results
    assert [(moment.start_s, moment.end_s) for moment in found.moments] == [(0, 4), (4, 8)]


def test_a_phrase_of_a_sequence_must_be_said_where_it_belongs(shelf, media):
    shelf.put(*recording(media, "right", ("the dog city", 0), ("rain at night", 20)))
    shelf.put(*recording(media, "other words", ("city dog", 0), ("night rain", 20)))
    steps = (TextPart("rain at night", phrases=("rain at night",)),)
    query = Query(parts=(TextPart("dog city", phrases=("dog city",)),), then=steps)
    assert names(shelf.library.service().search(query).results) == ["right.mp4"]
    assert from_question(as_question(query), shelf.library.catalogue()) == query


def test_a_sequence_that_somebody_says_in_one_breath_is_found_there(shelf, media):
    shelf.put(written(media, "diary.txt", "dog city, then rain night"))
    shelf.put(*recording(media, "talk", ("music", 0), ("dog city, then rain night", 20)))
    shelf.put(*recording(media, "other", ("dog city", 0), ("rain then night", 200)))
    for number in range(60):
        shelf.put(written(media, f"{number}.txt", f"dog city {number}"))
    query = Query(parts=(TextPart("dog city,"),), then=(TextPart("rain night"),))
    found = shelf.library.service().search(query).results
    assert set(names(found)) == {"diary.txt", "talk.mp4"}
    talk = next(result for result in found if result.kind is Kind.VIDEO)
    assert [moment.start_s for moment in talk.moments] == [20]
    liked = JudgedPart((talk.moments[0].segment,), weight=1)
    judged = shelf.library.service().search(replace(query, parts=(*query.parts, liked))).results
    assert set(names(judged)) == {"diary.txt", "talk.mp4"}, "a thumb does not take it away"


def test_a_sequence_may_have_several_steps_and_something_not_wanted(shelf, media):
    shelf.put(*recording(media, "all", ("dog", 0), ("rain", 10), ("music", 20)))
    shelf.put(*recording(media, "two", ("dog", 0), ("rain", 10)))
    steps = (TextPart("rain"), TextPart("music"))
    found = shelf.library.service().search(Query(parts=(TextPart("dog"),), then=steps)).results
    assert names(found) == ["all.mp4"]
    parts = (TextPart("dog"), TextPart("music", -1))
    assert shelf.library.service().search(Query(parts=parts, then=steps)).results[0].score < found[0].score


def test_filters_leave_out_what_they_do_not_fit(shelf, media):
    folder = media / "Trips"
    folder.mkdir()
    shelf.put(written(media, "dog.txt", "dog and the red kite"))
    shelf.put(written(folder, "far.txt", "beach dog night"))
    shelf.put(painted(folder, "red.png", (255, 0, 0)))
    dog = TextPart("dog")
    assert names(ask(shelf, dog, files=FileChoice(folders=("trips",)), kinds=[Kind.TEXT])) == ["far.txt"]
    assert names(ask(shelf, dog, files=FileChoice(suffixes=("png",)))) == ["red.png"]
    assert names(ask(shelf, dog, evidence=frozenset({Evidence.SEEN}))) == ["red.png"]
    assert names(ask(shelf, dog, phrases=("red kite",))) == ["dog.txt"]
    assert set(names(ask(shelf, dog, without=("kite",)))) == {"far.txt", "red.png"}
    assert ask(shelf, dog, evidence=frozenset({Evidence.SAID})) == ()
    assert ask(shelf, dog, files=FileChoice(longer_s=1)) == ()


def test_a_filter_that_fits_many_files_leaves_the_others_out_too(shelf, media, monkeypatch):
    monkeypatch.setattr("app.search._FEW", 3)
    for number in range(12):
        shelf.put(written(media, f"{number}.txt", f"dog {number}"))
        shelf.put(written(media, f"{number}.md.txt", f"dog night {number}"))
    found = names(ask(shelf, TextPart("dog"), limit=30, files=FileChoice(suffixes=("md.txt",))))
    assert sorted(found) == sorted(f"{number}.md.txt" for number in range(12))


def test_not_like_this_pushes_down(shelf, media):
    shelf.put(written(media, "wet.txt", "dog rain"))
    shelf.put(written(media, "dry.txt", "dog beach"))
    results = ask(shelf, TextPart("dog"), TextPart("rain", -0.5))
    assert names(results) == ["dry.txt", "wet.txt"]
    assert 1 - results[1].score > 5 * (1 - results[0].score)


def test_being_unlike_what_is_not_wanted_earns_nothing(shelf, media):
    for name in ("dog", "city", "rain"):
        shelf.put(written(media, f"{name}.txt", name))
    alone = ask(shelf, TextPart("dog"))[0]
    assert ask(shelf, TextPart("dog"), TextPart("rain", -1))[0].score == pytest.approx(alone.score)


def test_of_copies_the_one_that_a_filter_means_is_shown(shelf, media):
    (media / "copy").mkdir()
    first, copy = written(media, "a.txt", "dog"), written(media / "copy", "b.md.txt", "dog")
    shelf.put(first)
    shelf.put(copy)
    for files, shown, other in (
        (FileChoice(), first, copy),
        (FileChoice(folders=("copy",)), copy, first),
        (FileChoice(suffixes=("md.txt",)), copy, first),
    ):
        (result,) = ask(shelf, TextPart("dog"), files=files)
        assert (result.path, result.other_paths) == (str(shown), (str(other),))
        question = joined(understood(""))
        filtered = replace(question, filters=Filters(files=files, kinds=frozenset({Kind.TEXT})))
        (result,) = answered(shelf.library, filtered, limit=5).results
        assert (result.path, result.other_paths) == (str(shown), (str(other),))


def test_what_is_left_out_is_looked_for_on_pages_that_are_pictures_too(shelf, media):
    def paged(name: str, *pages: str) -> tuple[Path, list[Segment]]:
        seen = np.zeros((1, 4, 4, 3), np.uint8)
        seen[..., 0] = 255  # a dog
        return written(media, name, *pages), [
            segment
            for number, words in enumerate(pages, start=1)
            for segment in (
                Segment(kind=Kind.DOCUMENT, evidence=Evidence.SEEN, span=Span(page=number), pixels=seen),
                text(words, kind=Kind.DOCUMENT, page=number),
            )
        ]

    shelf.put(*paged("both.pdf", "city", "rain"))
    shelf.put(*paged("city.pdf", "city"))
    (result,) = ask(shelf, TextPart("dog"), evidence=frozenset({Evidence.SEEN}), without=("city",))
    assert Path(result.path).name == "both.pdf"
    assert [moment.page for moment in result.moments] == [2]


def test_of_very_many_pages_all_that_say_what_is_left_out_are_left_out(shelf, media, monkeypatch):
    monkeypatch.setattr("app.words._MOST_PASSAGES", 3)
    monkeypatch.setattr("app.words._MOST_CONTENTS", 4)
    seen = np.zeros((1, 4, 4, 3), np.uint8)
    seen[..., 0] = 255  # a dog
    page = Segment(kind=Kind.DOCUMENT, evidence=Evidence.SEEN, span=Span(page=1), pixels=seen)
    for number in range(12):
        words = text("rain" if number == 7 else "city", kind=Kind.DOCUMENT, page=1)
        shelf.put(written(media, f"{number}.pdf", f"{number}"), [page, words])
    found = ask(shelf, TextPart("dog"), evidence=frozenset({Evidence.SEEN}), without=("city",))
    assert names(found) == ["7.pdf"]


def test_letters_of_full_width_are_the_same_letters(shelf, media):
    shelf.put(written(media, "dog.txt", "dog"))
    shelf.put(written(media, "city.txt", "city"))
    answer = shelf.library.service().search(Query(parts=(TextPart("ｄｏｇ"),)))
    assert names(answer.results)[0] == "dog.txt"
    assert answer.unread == ()


UNREAD = "สวัสดี"  # words of which the fake model, as omnia-mini, knows none


def test_words_that_the_model_does_not_know_are_found_by_themselves_alone(shelf, media):
    shelf.put(written(media, "greeting.txt", f"{UNREAD} dog"))
    for name in ("dog", "city", "other"):
        shelf.put(written(media, f"{name}.txt", name))
    answer = shelf.library.service().search(Query(parts=(TextPart(UNREAD),)))
    assert names(answer.results) == ["greeting.txt"]
    assert answer.unread == (UNREAD,)
    assert answer.hints[0].startswith(f"{UNREAD}: the model knows none of these words")
    assert ask(shelf, TextPart("ขอบคุณ")) == ()


def test_words_that_the_model_does_not_know_leave_the_rest_of_the_question_as_it_is(shelf, media):
    for name in ("dog", "city", "rain"):
        shelf.put(written(media, f"{name}.txt", name))
    alone = ask(shelf, TextPart("dog"))
    for also in (TextPart(UNREAD), TextPart(UNREAD, -1)):
        mixed = shelf.library.service().search(Query(parts=(TextPart("dog"), also)))
        assert names(mixed.results) == names(alone)
        assert [one.band for one in mixed.results] == [one.band for one in alone]
        assert mixed.unread == ((UNREAD,) if also.weight > 0 else ())
    assert ask(shelf, TextPart(UNREAD), TextPart("dog", -1)) == ()


def test_a_step_that_the_model_does_not_know_must_be_said(shelf, media):
    shelf.put(*recording(media, "right", ("dog", 20), (UNREAD, 40)))
    shelf.put(*recording(media, "wrong", ("dog", 20), ("rain", 40)))
    found = shelf.library.service().search(Query(parts=(TextPart("dog"),), then=(TextPart(UNREAD),)))
    assert names(found.results) == ["right.mp4"]
    assert found.unread == (UNREAD,)


def test_a_file_of_many_ideas_matches_by_its_best_one(shelf, media):
    shelf.put(written(media, "city.txt", "city"))
    shelf.put(written(media, "mixed.txt", "dog night"))
    example = written(media, "example.txt", "rain", "city", "page")
    results = ask(shelf, FilePart(example))
    assert names(results) == ["city.txt", "mixed.txt"]


def test_a_negative_file_of_many_ideas_pushes_down_too(shelf, media):
    shelf.put(written(media, "wet.txt", "dog rain"))
    shelf.put(written(media, "dry.txt", "dog beach"))
    example = written(media, "example.txt", "rain", "city")
    results = ask(shelf, TextPart("dog"), FilePart(example, -0.5))
    assert names(results) == ["dry.txt", "wet.txt"]


def test_more_like_this_calls_no_model_and_leaves_its_own_file_out(shelf, media):
    shelf.put(written(media, "dog.txt", "dog"))
    shelf.put(written(media, "dogs.txt", "dog dog night"))
    segment = ask(shelf, TextPart("dog"))[0].moments[0].segment
    calls = len(shelf.model.calls)
    assert names(ask(shelf, SegmentPart(segment))) == ["dogs.txt"]
    assert len(shelf.model.calls) == calls


def test_the_query_file_itself_stays_visible_and_is_marked(shelf, media):
    path = written(media, "dog.txt", "dog")
    shelf.put(path)
    shelf.put(written(media, "dogs.txt", "dog dog night"))
    results = ask(shelf, FilePart(path))
    assert names(results) == ["dog.txt", "dogs.txt"]
    assert [result.same for result in results] == [True, False]


def test_the_very_file_that_is_asked_with_comes_first(shelf, media):
    for number in range(60):
        shelf.put(written(media, f"{number}.txt", *["city", "rain", "night", "music"] * 3, str(number)))
    mixed = written(media, "mixed.txt", *["city", "rain", "night", "music"] * 3)
    shelf.put(mixed)
    first = ask(shelf, FilePart(mixed), limit=3)[0]
    assert (first.path, first.same, first.band) == (str(mixed), True, Band.STRONG)
    assert names(ask(shelf, FilePart(mixed), limit=1, kinds=(Kind.IMAGE,))) == []
    elsewhere = ask(shelf, FilePart(mixed), limit=1, files=FileChoice(folders=("nowhere",)))
    assert elsewhere == ()
    beside = ask(shelf, FilePart(mixed), TextPart("dog"), limit=100)
    assert [result.same for result in beside].count(True) == 1
    assert all(result.score < 0.999 for result in beside if result.same)


def test_what_was_said_to_be_wrong_comes_last(shelf, media):
    wrong = shelf.put(written(media, "wrong.txt", "dog dog"))
    for number, words in enumerate(("dog", "dog rain", "city", "night", "music") * 3):
        shelf.put(written(media, f"{number}.txt", f"{words} {number}"))
    query = Query(parts=(TextPart("dog"),), wrong=frozenset({wrong}), limit=100)
    assert names(shelf.library.service().search(query).results)[-1] == "wrong.txt"
    asked = FilePart(media / "wrong.txt")
    found = shelf.library.service().search(replace(query, parts=(asked,))).results[-1]
    assert (Path(found.path).name, found.same, found.band) == ("wrong.txt", True, Band.WEAK)


def test_a_query_is_embedded_once(shelf, media):
    example = written(media, "example.txt", "rain", "city")
    shelf.put(written(media, "dog.txt", "dog"))
    for _ in range(2):
        ask(shelf, TextPart("dog"), FilePart(example))
    calls, reads = len(shelf.model.calls), shelf.readers.reads
    ask(shelf, TextPart("dog"), FilePart(example))
    ask(shelf, FilePart(Path("moved away.txt"), content=_sha256(example)))
    assert (len(shelf.model.calls), shelf.readers.reads) == (calls, reads)


def test_copies_are_one_result_with_its_other_paths(shelf, media):
    content = shelf.put(written(media, "b.txt", "dog"))
    shelf.record(written(media, "a.txt", "dog"), Kind.TEXT, content, 1)
    (result,) = ask(shelf, TextPart("dog"))
    assert Path(result.path).name == "a.txt"
    assert [Path(path).name for path in result.other_paths] == ["b.txt"]


def test_contents_that_left_the_catalogue_do_not_hide_the_rest(shelf, media):
    shelf.put(written(media, "dog.txt", "dog night"))
    gone = [written(media, f"gone-{i}.txt", f"dog {i}", *["dog"] * 150) for i in range(3)]
    for path in gone:
        shelf.put(path)
    shelf.library.catalogue().forget_root(str(media))
    shelf.record(media / "dog.txt", Kind.TEXT, _sha256(media / "dog.txt"), 1)
    assert names(ask(shelf, TextPart("dog"), limit=1)) == ["dog.txt"]


def test_one_long_file_does_not_crowd_out_the_others(shelf, media):
    shelf.put(written(media, "long.txt", *[f"dog {i}" for i in range(400)]))
    shelf.put(written(media, "short.txt", "dog other night rain city"))
    assert names(ask(shelf, TextPart("dog"), limit=2)) == ["long.txt", "short.txt"]


def test_a_spoken_moment_keeps_its_own_times_and_windows_of_sound_are_merged(shelf, media):
    path = written(media, "talk.mp4", "bytes")
    shelf.put(
        path,
        [
            text("dog", kind=Kind.VIDEO, evidence=Evidence.SAID, start_s=3.0, end_s=4.0),
            text("dog dog", kind=Kind.VIDEO, evidence=Evidence.SAID, start_s=4.0, end_s=5.5),
            text("dog", kind=Kind.VIDEO, evidence=Evidence.HEARD, start_s=0.0, end_s=5.0),
            text("dog", kind=Kind.VIDEO, evidence=Evidence.HEARD, start_s=5.0, end_s=10.0),
            text("dog", kind=Kind.VIDEO, evidence=Evidence.HEARD, start_s=60.0, end_s=65.0),
            text("rain", kind=Kind.VIDEO, evidence=Evidence.SEEN, start_s=0.0, end_s=5.0),
        ],
    )
    (result,) = ask(shelf, TextPart("dog"))
    times = {(moment.evidence, moment.start_s, moment.end_s) for moment in result.moments}
    assert times == {
        (Evidence.SAID, 3.0, 4.0),
        (Evidence.SAID, 4.0, 5.5),
        (Evidence.HEARD, 0.0, 10.0),
        (Evidence.HEARD, 60.0, 65.0),
    }


def test_questions_without_a_wish_are_refused_with_the_next_step(shelf):
    with pytest.raises(BadQueryError, match="give words or an example"):
        ask(shelf, TextPart("rain", -1))
    with pytest.raises(BadQueryError, match="type what you are looking for"):
        ask(shelf, TextPart("  "))
    with pytest.raises(BadQueryError, match="search again"):
        ask(shelf, SegmentPart(uuid4()))
    with pytest.raises(BadQueryError, match="limit"):
        ask(shelf, TextPart("dog"), limit=0)


def test_an_unreadable_example_names_file_reason_and_next_step(shelf, media):
    with pytest.raises(UnreadableMediaError, match=r"gone\.txt.*no such file.*check the path"):
        ask(shelf, FilePart(media / "gone.txt"))
    with pytest.raises(UnreadableMediaError, match=r"strange\.xyz.*not a file this test reads"):
        ask(shelf, FilePart(written(media, "strange.xyz", "?")))


def test_of_an_example_counts_what_the_model_takes_in(shelf, media):
    shelf.model.row = replace(shelf.model.row, modalities=frozenset({Modality.WORDS}))
    shelf.put(written(media, "dog.txt", "dog"))
    page = make_media.pdf(media / "page.pdf", ("A dog on the beach at night",))
    with closing(ReaderPool(1)) as readers:
        shelf.library.readers = Once(lambda: readers)
        assert names(ask(shelf, FilePart(page))) == ["dog.txt"]
        hum = make_media.wav(media / "hum.wav", make_media.tone(2))
        why = "model fake-1 does not take in sound .choose another model, or try another file.$"
        with pytest.raises(UnsupportedMediaError, match=why):
            ask(shelf, FilePart(hum))


def test_an_empty_library_answers_with_nothing(shelf):
    assert ask(shelf, TextPart("dog")) == ()


def test_the_answer_as_json_has_the_promised_keys(shelf, media):
    shelf.put(written(media, "dog.txt", "dog"))
    service = shelf.library.service()
    answer = service.search(Query(parts=(TextPart("dog"),))).to_json()
    assert set(answer["took_ms"]) == {"embed", "search"}
    (result,) = answer["results"]
    assert {"path", "kind", "score", "band", "moments"} <= set(result)
    (moment,) = result["moments"]
    assert {"evidence", "start_s", "end_s", "page", "snippet", "score"} <= set(moment)
    assert (moment["evidence"], moment["start_s"], moment["page"], moment["snippet"]) == (
        "written",
        None,
        None,
        "dog",
    )
    UUID(moment["segment"])


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_file_is_found_by_its_name(shelf, tmp_path):
    for name in ("IMG_2041.txt", "beach walk.txt", "IMG_7.txt"):
        (tmp_path / name).write_text(f"city {name[:3]}x")
        shelf.put(tmp_path / name)
    for typed in ("img 2041", "IMG_2041.txt", "2041"):
        first = shelf.library.service().search(Query(parts=(TextPart(typed),))).results[0]
        assert Path(first.path).name == "IMG_2041.txt"
        assert first.band is not Band.WEAK


def test_a_name_does_not_get_around_a_filter(shelf, tmp_path):
    (tmp_path / "walk.txt").write_text("city")
    shelf.put(tmp_path / "walk.txt")
    for filters in (
        Filters(kinds=frozenset({Kind.IMAGE})),
        Filters(evidence=frozenset({Evidence.SAID})),
        Filters(phrases=("walk",)),
        Filters(without=("city",)),
        Filters(languages=frozenset({"fr"})),
    ):
        assert shelf.library.service().search(Query(parts=(TextPart("walk"),), filters=filters)).results == ()


def test_a_name_does_not_get_around_a_phrase_that_is_parted_by_other_signs(shelf, tmp_path):
    (tmp_path / "walk.txt").write_text("education about a red-kite")
    shelf.put(tmp_path / "walk.txt")

    def found(*without: str) -> list[str]:
        query = Query(parts=(TextPart("walk"),), filters=Filters(without=without))
        return names(shelf.library.service().search(query).results)

    assert found("red kite") == []
    assert found("cat") == ["walk.txt"]


def test_how_many_results_are_wanted_changes_no_score(shelf, tmp_path):
    (tmp_path / "diary.txt").write_text("\n".join(f"dog and city, day {number}" for number in range(100)))
    (tmp_path / "other.txt").write_text("\n".join(f"rain on day {number}" for number in range(300)))
    for number in range(4):
        (tmp_path / f"{number}.txt").write_text(f"{'a dog ' * number} and rain at last")
    for path in sorted(tmp_path.glob("*.txt")):
        shelf.put(path)
    for filters in (Filters(), Filters(files=FileChoice(suffixes=("txt",)))):
        query = Query(parts=(TextPart("dog day"),), filters=filters, limit=3)
        few = shelf.library.service().search(query).results
        many = shelf.library.service().search(replace(query, limit=100)).results
        assert [one.path for one in few] == [one.path for one in many[:3]]
        assert [one.score for one in few] == pytest.approx([one.score for one in many[:3]], abs=1e-3)


def test_a_longer_list_begins_as_a_shorter_one_does(shelf, media):
    beside = ("cat", "rain", "city", "night", "snow", "sea")
    for number in range(130):
        words = " ".join(word for place, word in enumerate(beside) if number >> place & 1)
        shelf.put(written(media, f"{number}.txt", f"dog {words} {number}", f"{words} {number}"))
    wrong = _sha256(media / "0.txt")
    for parts in ((TextPart("dog city"),), (TextPart("dog"), TextPart("night", weight=-0.5))):
        query = Query(parts=parts, wrong=frozenset({wrong}), limit=25)
        lists = [shelf.library.service().search(replace(query, limit=limit)).results for limit in (25, 49, 100, 200)]
        for few, many in pairwise(lists):
            assert many[: len(few)] == few
        assert len({one.content for one in lists[-1]}) == len(lists[-1]) == 130
        assert [one.score for one in lists[-1]] == sorted((one.score for one in lists[-1]), reverse=True)
        assert [one.content for one in lists[-1]].index(wrong) == 129


def test_the_best_of_two_steps_need_not_be_among_the_nearest_of_both(shelf, media):
    random = np.random.default_rng(3)

    def film(name: str, *looks: tuple[float, float]) -> None:
        """Shots that show so much of a dog and of a beach; the rest is night."""
        shots = []
        for number, (dog, beach) in enumerate(looks):
            pixels = np.full((1, 2, 2, 3), (dog, beach, (1 - dog**2 - beach**2) ** 0.5), np.float32)
            span = Span(start_s=number * 5, end_s=number * 5 + 5)
            shots.append(Segment(kind=Kind.VIDEO, evidence=Evidence.SEEN, pixels=pixels, span=span))
        (media / f"{name}.mp4").write_bytes(name.encode())
        shelf.put(media / f"{name}.mp4", shots)

    for number in range(200):
        film(f"noise {number}", *np.abs(random.normal(size=(3, 2)) * 0.05))
    for number in range(9):
        film(f"a dog {number}", (0.9 - 0.01 * number, 0))
    for number in range(60):
        film(f"a beach {number}", (0, 0.9 - 0.001 * number))
    film("meant", (0.95, 0), (0, 0.83))
    film("faint", (0.3, 0), (0, 0.95))
    for limit in (1, 5, 20):
        query = Query(parts=(TextPart("dog"),), then=(TextPart("beach"),), limit=limit)
        assert names(shelf.library.service().search(query).results)[0] == "meant.mp4"
