"""What is typed into the box: words, tokens that narrow down, and hints for what is neither."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

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
        ("longer:1h20", Filters(files=FileChoice(longer_s=4800))),
        ("longer:5m30", Filters(files=FileChoice(longer_s=330))),
        ("in:“my trips/2024”", Filters(files=FileChoice(folders=("my trips/2024",)))),
        ('in:"The “Best” of/"', Filters(files=FileChoice(folders=("The “Best” of/",)))),
        ("in:« trips »", Filters(files=FileChoice(folders=("trips",)))),
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


@pytest.mark.parametrize(
    "phrase",
    [
        "“red kite”",
        "„red kite“",
        '“red kite"',
        '"red kite”',
        "”red kite”",
        "＂red kite＂",
        "«red kite»",
        "« red\u202fkite »",
        "»red kite«",
    ],
)
@pytest.mark.parametrize("minus", ["", "-", "–", "−"])
def test_quotation_marks_of_any_form_hold_a_phrase(minus, phrase):
    typed = f"birds {minus}{phrase} high"
    asked = understood(typed)
    assert asked.filters == (Filters(without=("red kite",)) if minus else Filters(phrases=("red kite",)))
    assert asked.words == ("birds high" if minus else "birds red kite high")
    (token,) = asked.tokens
    assert (token.text, typed[token.start : token.end]) == (f"{minus}{phrase}",) * 2
    assert (without_token(typed, token), asked.hints) == ("birds high", ())


def test_a_dash_leaves_out_only_where_a_word_begins():
    assert understood("dog –rain −snow").filters == Filters(without=("rain", "snow"))
    for typed in ("1939–1945", "well–known dog", "dog – cat", "5−3", "it’s", "——"):
        asked = understood(typed)
        assert (asked.words, asked.filters, asked.hints) == (typed, ANYTHING, ())


@pytest.mark.parametrize(
    ("typed", "words", "hint"),
    [
        ('"🎉" party', "🎉 party", '"🎉": looked for as a word; word for word only letters and digits count'),
        ("“—” party", "— party", "looked for as a word"),
        ('-"🎉" party', "party", '-"🎉": nothing is left out for it; word for word only letters and digits count'),
        ('"_" party', "_ party", "looked for as a word"),
        ('-"" dog', "dog", None),
        ('"" dog', "dog", None),
        ("-🎉 party", "-🎉 party", None),
    ],
)
def test_only_letters_and_digits_are_required_or_forbidden(typed, words, hint):
    asked = understood(typed)
    assert (asked.words, asked.filters, asked.tokens) == (words, ANYTHING, ())
    assert asked.avoided == ()
    assert len(asked.hints) == (hint is not None)
    assert all((hint or "") in one for one in asked.hints)


@pytest.mark.parametrize(("typed", "hints"), [('"C++"', 1), ("-C#", 1), ("C++", 0), ('"1 + 1"', 0)])
def test_what_word_for_word_passes_over_gets_a_hint(typed, hints):
    asked = understood(f"dog {typed}")
    assert ["+ and # do not" in hint for hint in asked.hints] == [True] * hints


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


@pytest.mark.parametrize(
    ("typed", "filters", "hint"),
    [
        ("lang:fr lang:en", Filters(languages=frozenset({"fr"})), "lang:en: only what is in fr is looked for already"),
        ("after:2030 before:2020", Filters(files=FileChoice(since_ns=ns(2030, 1, 1))), "before:2020: after: leaves"),
        ("before:2020 after:2030", Filters(files=FileChoice(before_ns=ns(2020, 1, 1))), "after:2030: before: leaves"),
        ("after:2024 before:2024", Filters(files=FileChoice(since_ns=ns(2024, 1, 1))), "before:2024: after: leaves"),
        ("longer:1h shorter:10s", Filters(files=FileChoice(longer_s=3600)), "shorter:10s: longer: leaves nothing"),
        ("shorter:10s longer:10s", Filters(files=FileChoice(shorter_s=10)), "longer:10s: shorter: leaves nothing"),
    ],
)
def test_of_tokens_that_contradict_each_other_the_later_one_gets_a_hint(typed, filters, hint):
    asked = understood(f"dog {typed}")
    assert (asked.words, asked.filters) == ("dog", filters)
    assert [token.text for token in asked.tokens] == typed.split()[:1]
    (said,) = asked.hints
    assert hint in said
    assert said.endswith("take that away first")


@pytest.mark.parametrize(
    ("typed", "filters"),
    [
        ("lang:fr,de lang:de,en", Filters(languages=frozenset({"de"}))),
        ("after:2024 after:2020", Filters(files=FileChoice(since_ns=ns(2024, 1, 1)))),
        ("before:2024 before:2020 before:2022", Filters(files=FileChoice(before_ns=ns(2020, 1, 1)))),
        ("longer:10s longer:1m longer:5", Filters(files=FileChoice(longer_s=60))),
        ("shorter:10s shorter:1m", Filters(files=FileChoice(shorter_s=10))),
    ],
)
def test_of_tokens_of_one_kind_the_narrower_counts(typed, filters):
    asked = understood(typed)
    assert (asked.filters, asked.hints) == (filters, ())
    assert " ".join(token.text for token in asked.tokens) == typed


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
        ("longer: cat", "cat", "longer: write a length"),
        ("lang:french cat", "cat", "two letters"),
        ("in: cat", "cat", "in: a value is missing"),
        ("in： cat", "cat", "in: a value is missing"),
        ("-kind:video cat", "cat", "only words and phrases can be left out"),
    ],
)
def test_a_token_that_is_not_understood_gets_a_hint_and_the_rest_is_asked(typed, words, hint):
    asked = understood(typed)
    assert (asked.words, asked.filters, asked.tokens) == (words, ANYTHING, ())
    assert len(asked.hints) == 1
    assert hint in asked.hints[0]


def test_a_hint_repeats_no_more_than_the_beginning_of_what_was_typed():
    long = "x" * 60_000
    for typed in (f"after:{long}", f"-kind:{long}", f"knid:{long}", f'"{long}C++"', '"' + "🎉" * 60_000 + '"'):
        assert understood(typed).hints
        assert all(len(hint) < 200 for hint in understood(typed).hints)


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
    "typed",
    [
        "",
        "   ",
        '"',
        '""',
        '"open',
        '-"',
        "“",
        "“open",
        "–“",
        "«",
        "“”",
        "-«»",
        "in:“",
        "kind:",
        ":",
        "-:",
        'in:"',
        "\u202ekind:video",
        "海 kind:video",
    ],
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
    assert without_token(typed, asked.tokens[2]) == 'dog  kind:video "red kite" dog'
    assert without_token(typed, asked.tokens[1]) == "dog  kind:video dog kind:video"
    assert without_token('in:"a  b/"  dog -cat', understood('in:"a  b/"  dog -cat').tokens[1]) == 'in:"a  b/"  dog'


@pytest.mark.parametrize(
    ("typed", "filters"),
    [
        ('in:"my trips/","zz, backup/",x', Filters(files=FileChoice(folders=("my trips/", "zz, backup/", "x")))),
        ("in:a,“b c”", Filters(files=FileChoice(folders=("a", "b c")))),
        ("in:~a\0b", Filters(files=FileChoice(folders=("~a\0b",)))),
        ("in:./copy", Filters(files=FileChoice(folders=("copy",)))),
        ("in:~/media", Filters(files=FileChoice(folders=(str(Path.home() / "media"),)))),
        ("type:JPEG,.pdf", Filters(files=FileChoice(suffixes=("jpg", "jpeg", "pdf")))),
        ("kind:photos,Movie", Filters(kinds=frozenset({Kind.IMAGE, Kind.VIDEO}))),
        ("kind：audio", Filters(kinds=frozenset({Kind.AUDIO}))),
    ],
)
def test_values_are_taken_as_people_write_them(typed, filters):
    asked = understood(f"{typed} dog")
    assert (asked.words, asked.filters, asked.hints) == ("dog", filters, ())


def test_very_many_values_are_too_many():
    for typed in ("in:" + ",".join(map(str, range(101))), "type:" + ",".join(map(str, range(101)))):
        asked = understood(f"{typed} dog")
        assert (asked.words, asked.filters) == ("dog", ANYTHING)
        assert "no more than 100 values" in asked.hints[0]
    asked = understood("dog " + " ".join(f"-w{number}" for number in range(102)))
    assert (len(asked.avoided), len(asked.tokens), len(asked.hints)) == (100, 100, 1)
    assert asked.words == "dog"
    assert len(understood(" then ".join(["dog"] * 40)).then) == 20


def test_then_in_capitals_joins_a_sequence_too():
    asked = understood("rain THEN applause")
    assert (asked.words, asked.then) == ("rain", ("applause",))
