"""Questions, from the box and from the address."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlencode
from uuid import UUID

import pytest

from app.asking import asked_by, joined, segments_of
from app.grammar import understood
from app.query import FilePart, SegmentPart, TextPart
from data.records import Kind

ONE, OTHER = UUID(int=1), UUID(int=2)


def test_an_address_asks_what_the_box_asks():
    address = urlencode({"q": "dog kind:audio", "not": "rain", "like": f"{ONE},{OTHER}", "balance": "75"})
    asked = joined(understood("dog kind:audio"), avoid="rain", like=[ONE, OTHER], balance=75)
    assert asked_by(address) == asked
    assert asked.filters.kinds == {Kind.AUDIO}


@pytest.mark.parametrize("address", ["kind=ghost&like=no-id&balance=lots&page=x", "", "&&==&q=", "q=%00"])
def test_what_is_wrong_in_an_address_is_left_out(address):
    assert asked_by(address).filters.kinds == frozenset()


def test_the_balance_counts_only_between_words_and_examples():
    example = FilePart(Path("a.png"))
    words, file = joined(understood("dog"), files=[example], balance=100).parts
    assert (words.weight, file.weight) == (2.0, 0.02)
    assert joined(understood("dog"), balance=100).parts == (TextPart("dog"),)
    assert joined(understood(""), like=[ONE], balance=100).parts == (SegmentPart(ONE),)


def test_only_wishes_against_something_ask_for_nothing():
    assert joined(understood("-rain"), avoid="snow").parts == ()
    assert joined(understood("")).is_empty
    assert not joined(understood("kind:image")).is_empty


def test_ids_are_read_once_each_and_nonsense_is_left_out():
    assert segments_of(f"{ONE}, {OTHER},{ONE},,x") == (ONE, OTHER)
