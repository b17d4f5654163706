"""What is typed into the box: words, tokens that narrow down, and hints for what is neither."""

from __future__ import annotations

from datetime import datetime

import pytest

from app.grammar import understood, without_token
from app.query import ANYTHING, Filters
from data.records import Evidence, FileChoice, Kind


def ns(*day: int) -> int:
    return int(datetime(*day).timestamp()) * 1_000_000_000


LEAP = FileChoice(since_ns=ns(2024, 2, 29), before_ns=ns(2024, 3, 1))


@pytest.mark.parametrize(
    ("typed", "filters"),
    [
        ("kind:video", Filters(kinds=frozenset({Kind.VIDEO}))),
        ("KIND:Video,image", Filters(kinds=frozenset({Kind.VIDEO, Kind.IMAGE}))),
        ("evidence:said", Filters(evidence=frozenset({Evidence.SAID}))),
        ("lang:fr,DE", Filters(languages=frozenset({"fr", "de"}))),
        ("in:trips/", Filters(files=FileChoice(folders=("trips/",)))),
        ('in:"my trips/2024"', Filters(files=FileChoice(folders=("my trips/2024",)))),
        ('in:"Smith, John/"', Filters(files=FileChoice(folders=("Smith, John/",)))),
        ("before:9999", Filters(files=FileChoice(before_ns=2**63 - 1))),
        ("after:1600", Filters(files=FileChoice(since_ns=1 - 2**63))),
        ("type:pdf,docx", Filters(files=FileChoice(suffixes=("pdf", "docx")))),
        ("after:2024-05", Filters(files=FileChoice(since_ns=ns(2024, 5, 1)))),
        ("before:2024", Filters(files=FileChoice(before_ns=ns(2024, 1, 1)))),
        ("after:2024-2-29 before:2024-03-01", Filters(files=LEAP)),
        ("longer:30s", Filters(files=FileChoice(longer_s=30))),
        ("longer:90", Filters(files=FileChoice(longer_s=90))),
        ("shorter:1h20m5s", Filters(files=FileChoice(shorter_s=4805))),
        ("shorter:2.5s", Filters(files=FileChoice(shorter_s=2.5))),
    ],
)
def test_tokens_narrow_down_and_are_no_words(typed, filters):
    asked = understood(f"a dog {typed} on a beach")
    assert asked.filters == filters
    assert (asked.words, asked.hints) == ("a dog on a beach", ())
    assert " ".join(token.text for token in asked.tokens) == typed


def test_a_phrase_is_looked_for_and_must_be_there():
    asked = understood('birds "red  kite" high')
    assert asked.words == "birds red kite high"
    assert asked.filters == Filters(phrases=("red kite",))


def test_in_a_sequence_each_phrase_belongs_to_its_own_thing():
    asked = understood('"good morning" all then "thank you" -rain')
    assert (asked.words, asked.then) == ("good morning all", ("thank you",))
    assert (asked.first.phrases, asked.following[0].phrases) == (("good morning",), ("thank you",))
    assert asked.filters == Filters(without=("rain",))
    assert understood('then "thank you"').filters == Filters(phrases=("thank you",))


@pytest.mark.parametrize(
    ("typed", "given", "left"),
    [
        ("kind:video,image", {Kind.IMAGE}, {Kind.IMAGE}),
        ("kind:video", {Kind.IMAGE}, {Kind.IMAGE}),
        ("kind:video kind:image", set(), {Kind.VIDEO}),
    ],
)
def test_kinds_narrow_down_and_what_contradicts_gets_a_hint(typed, given, left):
    asked = understood(f"dog {typed}", Filters(kinds=frozenset(given)))
    assert asked.filters.kinds == left
    assert ["take that away first" in hint for hint in asked.hints] == [True] * (typed != "kind:video,image")


def test_what_is_not_wanted_is_left_out_and_pushed_down():
    asked = understood('dog -rain -"at night"')
    assert asked.filters == Filters(without=("rain", "at night"))
    assert (asked.words, asked.avoided) == ("dog", ("rain", "at night"))


@pytest.mark.parametrize(
    ("typed", "words", "hint"),
    [
        ("kind:vidoe cat", "cat", "kind:vidoe: kinds are text, image, video, audio, document"),
        ("evidence:smelt cat", "cat", "evidence are seen, heard, said, written"),
        ("knid:video cat", "knid:video cat", "did you mean kind: ?"),
        ("after:yesterday cat", "cat", "write a date as 2024, 2024-05 or 2024-05-31"),
        ("before:2024-13 cat", "cat", "write a date"),
        ("after:99999 cat", "cat", "write a date"),
        ("longer:long cat", "cat", "write a length as 30s, 5m or 1h20m"),
        ("longer: cat", "cat", "write a length"),
        ("lang:french cat", "cat", "two letters"),
        ("in: cat", "cat", "a value is missing"),
        ("-kind:video cat", "cat", "only words and phrases can be left out"),
    ],
)
def test_a_token_that_is_not_understood_gets_a_hint_and_the_rest_is_asked(typed, words, hint):
    asked = understood(typed)
    assert (asked.words, asked.filters, asked.tokens) == (words, ANYTHING, ())
    assert len(asked.hints) == 1
    assert hint in asked.hints[0]


@pytest.mark.parametrize(
    "typed",
    [
        "at 12:30",
        "http://example.org/a",
        r"C:\photos",
        "a well-known dog",
        "dog - cat",
        "--",
        "-",
        "re: your note",
        "5:1",
    ],
)
def test_what_only_looks_like_a_token_stays_words(typed):
    asked = understood(typed)
    assert (asked.words, asked.filters, asked.hints) == (typed, ANYTHING, ())


@pytest.mark.parametrize(
    "typed", ["", "   ", '"', '""', '"open', '-"', "kind:", ":", "-:", 'in:"', "\u202ekind:video", "海 kind:video"]
)
def test_nothing_that_is_typed_is_an_error(typed):
    understood(typed)


def test_what_follows_in_a_recording_is_told_apart():
    asked = understood("heavy rain then kind:video applause -music then silence")
    assert (asked.words, asked.then) == ("heavy rain", ("applause", "silence"))
    assert asked.avoided == ("music",)
    assert [token.text for token in asked.tokens] == ["then", "kind:video", "-music", "then"]
    assert without_token("rain then sun", understood("rain then sun").tokens[0]) == "rain sun"


@pytest.mark.parametrize(
    "typed",
    ["then", "what came then", "then it rained", "rain Then sun", "rain then then sun", "back then we had snow"],
)
def test_then_without_something_on_both_sides_is_a_word(typed):
    asked = understood(typed)
    assert (asked.words, asked.then, asked.tokens) == (typed, (), ())


def test_a_quoted_then_is_a_word():
    asked = understood('rain "then" sun')
    assert (asked.words, asked.then) == ("rain then sun", ())


def test_filters_that_hold_anyway_stay():
    asked = understood("cat type:png", Filters(kinds=frozenset({Kind.IMAGE})))
    assert asked.filters == Filters(kinds=frozenset({Kind.IMAGE}), files=FileChoice(suffixes=("png",)))


def test_a_token_is_taken_away_where_it_stands():
    typed = 'dog  kind:video "red kite" dog kind:video'
    asked = understood(typed)
    assert without_token(typed, asked.tokens[2]) == 'dog kind:video "red kite" dog'
    assert without_token(typed, asked.tokens[1]) == "dog kind:video dog kind:video"
