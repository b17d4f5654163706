"""The part of a passage that is shown: where most of the question is, cut between words."""

from __future__ import annotations

import pytest

from app.excerpt import excerpt, wanted_words

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
