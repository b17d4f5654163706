"""Thumbs: they re-rank at once, are kept by question, and tell how well the search does."""

from __future__ import annotations

import json
import re
from pathlib import Path
from uuid import uuid4

import pytest
from fakes import Shelf, text

from app import cli
from app.judge import judge
from app.query import FilePart, Filters, Query, SegmentPart, TextPart
from app.verdicts import as_question, from_question, reranked
from data.records import Evidence, FileChoice, Kind, Verdict


@pytest.fixture
def shelf(tmp_path):
    shelf = Shelf(tmp_path / "home")
    for name, line in {"dog.txt": "dog", "wet.txt": "dog rain", "night.txt": "dog night", "city.txt": "city"}.items():
        (tmp_path / name).write_text(line)
        shelf.put(tmp_path / name)
    for name, line in {"walk.mp4": "dog beach", "drive.mp4": "city"}.items():
        (tmp_path / name).write_text(name)
        shelf.put(tmp_path / name, [text(line, kind=Kind.VIDEO, evidence=Evidence.SAID, start_s=1, end_s=3)])
    yield shelf
    shelf.library.close()


def results(shelf: Shelf, query: Query):
    return shelf.library.service().search(query).results


def names(found) -> list[str]:
    return [Path(result.path).name for result in found]


def say(shelf: Shelf, query: Query, name: str, *, is_right: bool) -> Verdict:
    everything = results(shelf, Query(parts=query.parts, then=query.then, limit=50))
    (result,) = [result for result in everything if Path(result.path).name == name]
    segment = result.moments[0].segment
    verdict = Verdict(question=as_question(query), content=result.content, segment=segment, is_right=is_right)
    shelf.library.catalogue().judge(verdict)
    return verdict


def test_a_question_comes_back_as_it_was(shelf, tmp_path):
    path = tmp_path / "dog.txt"
    content = results(shelf, Query(parts=(TextPart("dog"),)))[0].content
    files = FileChoice(folders=("a",), suffixes=("pdf",), since_ns=5, longer_s=1.5)
    query = Query(
        parts=(TextPart("dog", 0.5), FilePart(path, 1.5, content), SegmentPart(uuid4()), TextPart("rain", -1)),
        then=(TextPart("night"),),
        filters=Filters(
            kinds=frozenset({Kind.TEXT, Kind.VIDEO}),
            evidence=frozenset({Evidence.SAID}),
            languages=frozenset({"fr"}),
            phrases=("a b",),
            without=("c",),
            files=files,
        ),
    )
    question = as_question(query)
    assert from_question(question, shelf.library.catalogue()) == query
    assert as_question(Query(parts=query.parts, then=query.then, filters=query.filters, limit=99)) == question
    path.unlink()
    shelf.library.catalogue().forget_root(str(tmp_path))
    assert from_question(question, shelf.library.catalogue()) is None


def test_thumbs_rerank_and_leave_what_they_were_given_to_in_place(shelf):
    query = Query(parts=(TextPart("dog"),), filters=Filters(kinds=frozenset({Kind.TEXT})))
    before = names(results(shelf, query))
    assert before[0] == "dog.txt"
    assert set(before[1:3]) == {"wet.txt", "night.txt"}
    for liked, other in (("wet.txt", "night.txt"), ("night.txt", "wet.txt")):
        catalogue = shelf.library.catalogue()
        for verdict in (say(shelf, query, liked, is_right=True), say(shelf, query, other, is_right=False)):
            assert verdict in catalogue.verdicts(verdict.question)
        after = names(results(shelf, reranked(query, catalogue.verdicts(as_question(query)))))
        assert after.index(liked) < after.index(other)
        assert liked in after


def test_what_was_said_of_segments_that_are_gone_does_not_matter(shelf):
    query = Query(parts=(TextPart("dog"),))
    gone = [Verdict(question="", content="", segment=uuid4(), is_right=is_right) for is_right in (True, False)]
    assert names(results(shelf, reranked(query, gone))) == names(results(shelf, query))


def test_the_last_word_counts_and_can_be_taken_back(shelf):
    query = Query(parts=(TextPart("dog"),))
    catalogue, question = shelf.library.catalogue(), as_question(query)
    say(shelf, query, "wet.txt", is_right=True)
    verdict = say(shelf, query, "wet.txt", is_right=False)
    say(shelf, Query(parts=(TextPart("rain"),)), "wet.txt", is_right=True)
    assert catalogue.verdicts(question) == [verdict]
    assert len(catalogue.verdicts()) == 2
    catalogue.unjudge(question, verdict.content)
    assert catalogue.verdicts(question) == []


def judged(shelf: Shelf):
    library = shelf.library
    return judge(library.service(), library.catalogue(), library.store(), library.catalogue().verdicts())


def test_the_search_is_judged_by_pair_of_kinds(shelf):
    dog, city = Query(parts=(TextPart("dog"),)), Query(parts=(TextPart("city"),))
    say(shelf, dog, "dog.txt", is_right=True)
    say(shelf, dog, "city.txt", is_right=False)
    say(shelf, dog, "walk.mp4", is_right=True)
    say(shelf, city, "walk.mp4", is_right=True)  # second of the two films: 1 / log2(3)
    (like,) = [one.moments[0].segment for one in results(shelf, city) if one.path.endswith("city.txt")]
    say(shelf, Query(parts=(SegmentPart(like),)), "drive.mp4", is_right=True)
    found = judged(shelf)
    assert found.left_out == 0
    assert set(found.pairs) == {"text → text", "text → video"}
    words, films = found.pairs["text → text"], found.pairs["text → video"]
    assert (words.questions, words.recall, words.ndcg, words.wrong) == (1, 1.0, 1.0, 1.0)
    assert films.questions == 3
    assert films.recall == 1.0
    assert films.ndcg == pytest.approx((1 + 1 + 0.6309) / 3, abs=1e-3)
    assert films.wrong is None


def test_a_question_about_a_file_that_left_is_left_out(shelf, tmp_path):
    say(shelf, Query(parts=(TextPart("dog"),)), "dog.txt", is_right=True)
    gone = Verdict(
        question=as_question(Query(parts=(FilePart(tmp_path / "x", content="ab" * 32),))),
        content="cd" * 32,
        segment=uuid4(),
        is_right=True,
    )
    shelf.library.catalogue().judge(gone)
    found = judged(shelf)
    assert (found.left_out, list(found.pairs)) == (1, ["text → text"])


def test_the_command_tells_now_and_before(shelf, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("app.wiring.Library", lambda settings: shelf.library)
    monkeypatch.setattr(shelf.library, "close", lambda: None)
    assert cli.main(["judge"]) == 0
    told = capsys.readouterr()
    assert (told.out, "nothing is judged yet" in told.err) == ("", True)
    assert cli.main(["judge", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"pairs": {}, "left_out": 0}
    say(shelf, Query(parts=(TextPart("dog"),)), "dog.txt", is_right=True)
    assert cli.main(["judge", "--json"]) == 0
    told = capsys.readouterr().out
    assert json.loads(told) == {
        "pairs": {"text → text": {"questions": 1, "recall": 1.0, "ndcg": 1.0, "wrong": None}},
        "left_out": 0,
    }
    (tmp_path / "before.json").write_text(told.replace("1.0", "0.5"))
    assert cli.main(["judge", "--before", str(tmp_path / "before.json")]) == 0
    assert "1.00 (was 0.50)" in capsys.readouterr().out
    assert cli.main(["judge", "--before", str(tmp_path / "missing.json")]) == 2
    assert "no answer of judge --json: No such file" in capsys.readouterr().err


@pytest.fixture
def asked_once(shelf, monkeypatch):
    """A library with one judged question, behind the command."""
    monkeypatch.setattr("app.wiring.Library", lambda settings: shelf.library)
    monkeypatch.setattr(shelf.library, "close", lambda: None)
    say(shelf, Query(parts=(TextPart("dog"),)), "dog.txt", is_right=True)
    return shelf


def test_what_cannot_be_compared_shows(asked_once, tmp_path, capsys):
    before = {"questions": 3, "recall": 0.5, "ndcg": 0.25, "wrong": 0}
    path = tmp_path / "before.json"
    path.write_text(json.dumps({"pairs": {"text → video": before, "text → text": before}}))
    assert cli.main(["judge", "--before", str(path)]) == 0
    text, video = (re.split(r"  +", line) for line in capsys.readouterr().out.splitlines()[1:])
    assert text == ["text → text", "1 (was 3)", "1.00 (was 0.50)", "1.00 (was 0.25)", "– (was 0.00)"]
    assert video == ["text → video", "– (was 3)", "– (was 0.50)", "– (was 0.25)", "– (was 0.00)"]
    path.write_text(json.dumps({"pairs": {}}))
    assert cli.main(["judge", "--before", str(path)]) == 0
    assert "text → text" in (told := capsys.readouterr().out)
    assert "1 (was –)" in told


def test_what_was_before_is_told_in_json_too(asked_once, tmp_path, capsys):
    pairs = {"text → video": {"questions": 3, "recall": 0.5, "ndcg": 0.25, "wrong": None}}
    (tmp_path / "before.json").write_text(json.dumps({"pairs": pairs, "left_out": 0}))
    assert cli.main(["judge", "--json", "--before", str(tmp_path / "before.json")]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["before"], set(told["pairs"])) == (pairs, {"text → text"})


_SCORE = {"questions": 1, "recall": 1.0, "ndcg": 1.0, "wrong": None}


@pytest.mark.parametrize(
    "before",
    [
        "[]",
        "null",
        "{}",
        '{"pairs": 5}',
        '{"pairs": []}',
        '{"pairs": {"text → text": 5}}',
        '{"pairs": {"text → text": null}}',
        json.dumps({"pairs": {"text → text": _SCORE | {"recall": "x"}}}),
        json.dumps({"pairs": {"text → text": _SCORE | {"ndcg": []}}}),
        json.dumps({"pairs": {"text → text": _SCORE | {"questions": float("inf")}}}),
        json.dumps({"pairs": {"text → text": _SCORE | {"recall": 10**400}}}),
        json.dumps({"pairs": {"text → text": {}}}),
        "[" * 100_000,
        "",
    ],
)
def test_an_earlier_answer_of_another_shape_is_refused_before_anything_is_asked(asked_once, tmp_path, capsys, before):
    (tmp_path / "before.json").write_text(before)
    asked_once.model.calls.clear()
    assert cli.main(["judge", "--before", str(tmp_path / "before.json")]) == 2
    told = capsys.readouterr()
    assert (told.out, told.err.count("\n"), asked_once.model.calls) == ("", 1, [])
    assert "is no answer of judge --json: it holds something else; make one with" in told.err
