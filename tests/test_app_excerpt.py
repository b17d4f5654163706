"""The part of a passage that is shown: where most of the question is, cut between words."""

from __future__ import annotations

import pytest

from app.excerpt import excerpt, wanted_words, word_spans

_BEFORE, _AFTER = "The committee met in the old hall. " * 10, "Nothing else was decided on that day. " * 10
_PASSAGE = f"{_BEFORE}The keeper told us that a red kite was seen above the harbour. {_AFTER}"


def test_a_short_passage_is_shown_as_it_is():
    assert excerpt("all of it", "nothing", most=9) == "all of it"


def test_the_part_with_most_of_the_words_is_shown():
    shown = excerpt(_PASSAGE, "committee: red kite over the HARBOUR", most=100)
    assert "red kite was seen above the harbour" in shown
    assert (shown[0], shown[-1]) == ("…", "…")
    assert set(shown.strip("…").split()) <= set(_PASSAGE.split()), "words are whole"


def test_without_its_words_a_passage_begins_at_its_beginning():
    shown = excerpt(_PASSAGE, "zebra", most=80)
    assert shown == _PASSAGE[:74].rstrip() + "…"


@pytest.mark.parametrize("text", [_PASSAGE, "x" * 500, "海" * 300 + "山", " " * 300, "a " * 300])
@pytest.mark.parametrize("question", ["", "harbour", "nothing day", "山", "a x"])
@pytest.mark.parametrize("most", [40, 140, 420])
def test_it_is_never_longer_than_asked(text, question, most):
    assert len(excerpt(text, question, most=most)) <= most


def test_small_and_short_words_are_not_marked():
    assert wanted_words("The cat and a Dog, in Rome") == {"cat", "dog", "rome"}
    assert wanted_words("A plan of AI in Q3, THE c à 海") == {"plan", "ai", "q3", "海"}


@pytest.mark.parametrize(
    ("text", "question", "shown"),
    [
        ("The AI of Q3", "AI", ["AI"]),
        ("The ai of Q3", '"Q3" by AI', ["ai", "Q3"]),
        ("a maid said aim", "AI", []),
        ("on page 7 of 17", "page 7", ["page", "7"]),
        ("où est-il ? Là.", "où", ["où"]),
        ("en été à Nice", "plage à l'été", ["été"]),
        ("昨日、名古屋城へ行った", "名古屋城", ["名古屋城"]),
        ("ナゴヤ城、山", "山", ["山"]),
        ("กินน้ำที่บ้าน", "น้ำ", ["น้ำ"]),
        ("น้ำ", "น", []),
        ("第三四半期のQ3です", "Q3", ["Q3"]),
        ("हिन्दी दिन", "दिन", ["दिन"]),
        ("हिन्दी दिन", "हिन", []),
        ("ein cafe\u0301 hier", "caf\u00e9", ["cafe\u0301"]),
        ("ein caf\u00e9 hier", "cafe\u0301", ["caf\u00e9"]),
        ("two caf\u00e9s", "cafe", []),
        ("e\u0301te\u0301 … ﬁne ﬂag", "fine flag", ["ﬁne", "ﬂag"]),
        ("fine", "ﬁne", ["fine"]),
        ("ＤＯＧ, dog", "Dog", ["ＤＯＧ", "dog"]),
        ("ﾅｺﾞﾔ城へ", "ナゴヤ", ["ﾅｺﾞﾔ"]),
        ("Straße, STRASSE", "strasse", ["Straße", "STRASSE"]),
        ("\u1112\u1161\u11ab\u1100\u1173\u11af", "한글", ["\u1112\u1161\u11ab\u1100\u1173\u11af"]),
        ("foo_bar, food", "foo", ["foo"]),
        ("½ l", "1 2", ["½"]),
        ("an auto\u00admobile", "automobile", ["auto\u00admobile"]),
        ("an automobile", "auto\u00admobile", ["automobile"]),
        ("서울에서", "서울", ["서울"]),
        ("the dog", "the", []),
        ("", "dog", []),
        ("dog", "", []),
    ],
)
def test_the_words_of_a_question_are_found_as_a_person_sees_them(text, question, shown):
    assert [text[start:end] for start, end in word_spans(text, question)] == shown


@pytest.mark.parametrize(("word", "question"), [("AI", "AI"), ("Q3", '"Q3"'), ("cafe\u0301s", "caf\u00e9s")])
def test_a_short_word_or_another_form_of_it_is_in_the_part_that_is_shown(word, question):
    assert word in excerpt(f"{_BEFORE}It says {word} here. {_AFTER}", question, most=100)


def test_in_a_script_without_spaces_the_part_with_the_word_is_shown():
    text = "見出し " * 20 + "昨日は雨でした。 AI " + "名古屋城については長い話がある" * 10
    shown = excerpt(text, "名古屋城", most=80)
    assert "名古屋城" in shown
    assert len(shown) <= 80
