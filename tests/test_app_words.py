"""What a file's name finds obeys what must not be said, word for word, as the store does."""

from __future__ import annotations

import pytest
from fakes import Shelf, text

from app.query import TextPart
from app.words import fits, names_found
from data.vectors import Where

_TEXTS = (
    "a red-kite here",
    "a red\nkite",
    "education",
    "cat",
    "naïve CAFÉ",
    "cafe\u0301",
    "foo_bar",
    "don't stop",
    "昨日、名古屋城へ",
    "C++ and C#",
    "party 🎉",
    "ΟΔΟΣ",
    "İstanbul, x²",
    "हिन्दी भाषा",
    "กินน้ำ",
    "two parts of exam-\nples",
)
_PHRASES = (
    *("red kite", "RED-kite", "kite here", "cat", "café", "cafe", "cafe\u0301", "foo", "foo bar", "don't", "t stop"),
    *("昨日", "名古屋城", "名古屋", "屋", "へ", "c", "C+", "🎉", "", "!?", "οδος", "istanbul", "İSTANBUL", "x²", "x2"),
    *("हिन्दी", "हिन", "ह", "กิน", "น้ำ", "examples", "exam", "exam ples", "of exam-ples"),
)


def test_a_segment_fits_where_the_store_says_that_it_holds_none_of_the_phrases(shelf: Shelf, tmp_path):
    path = tmp_path / "all.txt"
    path.write_text("all")
    content = shelf.put(path, [text(words) for words in _TEXTS])
    store = shelf.library.store()
    records = store.segments(content)
    assert [record.snippet for record in records] == list(_TEXTS)
    for phrase in _PHRASES:
        where = Where(without=(phrase,))
        held = {hit.segment.snippet for hit in store.search(shelf.model.embed([text("x")]), limit=99, where=where)[0]}
        assert {record.snippet for record in records if fits(record, where)} == held, phrase


@pytest.mark.parametrize("typed", ["Q3", "q3", "3D", "山"])
def test_a_short_word_with_a_digit_or_of_one_character_names_a_file(shelf: Shelf, tmp_path, typed):
    path = tmp_path / f"{typed} report.txt"
    path.write_text("city")
    content = shelf.put(path)
    catalogue = shelf.library.catalogue()
    found = names_found(catalogue, [TextPart(typed)], fingerprint=shelf.fingerprint, limit=5)
    assert set(found) == {content}
    assert names_found(catalogue, [TextPart("of, the: re")], fingerprint=shelf.fingerprint, limit=5) == {}
