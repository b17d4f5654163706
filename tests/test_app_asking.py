"""Questions, from the box and from the address."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlencode
from uuid import UUID

import pytest

from app.asking import asked_by, joined, segments_of, weights_of, weights_text
from app.grammar import understood
from app.query import BadQueryError, FilePart, SegmentPart, TextPart
from data.records import Kind

ONE, OTHER = UUID(int=1), UUID(int=2)


def test_an_address_asks_what_the_box_asks():
    weights = f"{OTHER}:0.5,words:2"
    given = {"q": "dog kind:audio", "not": "rain", "like": f"{ONE},{OTHER}", "weights": weights}
    examples = [SegmentPart(ONE), SegmentPart(OTHER)]
    asked = joined(understood("dog kind:audio"), avoid=["rain"], examples=examples, weights=[2, 1, 0.5])
    assert asked_by(urlencode(given)) == asked
    assert asked.filters.kinds == {Kind.AUDIO}


@pytest.mark.parametrize("address", ["kind=ghost&like=no-id&weights=words:nan,a:,99&page=x", "", "&&==&q=", "q=%00"])
def test_what_is_wrong_in_an_address_is_left_out(address):
    assert asked_by(address).filters.kinds == frozenset()


def test_weights_are_of_the_words_and_then_of_each_example():
    examples = [FilePart(Path("a.png")), SegmentPart(ONE)]
    assert [part.weight for part in joined(understood("dog"), examples=examples, weights=[2, 0.5]).parts] == [2, 0.5, 1]
    assert [part.weight for part in joined(understood(""), examples=examples, weights=[2, -0.5]).parts] == [2, -0.5]


def test_what_has_no_weight_is_not_asked():
    assert joined(understood("dog"), examples=[SegmentPart(ONE)], weights=[1, 0]).parts == (TextPart("dog"),)
    assert joined(understood("dog"), weights=[-1]).parts == ()


@pytest.mark.parametrize("weights", [[1, 1], [11], [-11], [float("nan")], [float("inf")]])
def test_weights_that_are_none_are_refused(weights):
    with pytest.raises(BadQueryError, match="weight"):
        joined(understood("dog"), weights=weights)


def test_what_is_alone_in_an_address_has_no_weight():
    assert asked_by(urlencode({"like": str(ONE), "weights": f"{ONE}:-1"})).parts == (SegmentPart(ONE),)


def test_weights_come_back_from_an_address():
    weights = {"words": 0.25, str(ONE): 2.0, str(OTHER): -1.0}
    assert weights_of(weights_text(weights | {"unchanged": 1.0})) == weights


def test_only_wishes_against_something_ask_for_nothing():
    assert joined(understood("-rain"), avoid=["snow"]).parts == ()
    assert joined(understood("")).is_empty
    assert not joined(understood("kind:image")).is_empty


@pytest.mark.parametrize(
    ("typed", "weights", "is_browsed"),
    [
        ("kind:image", [], True),
        ("type:pdf after:2024", [], True),
        ("", [], False),
        ("kind:image dog", [], False),
        ("kind:image -dog", [], False),
        ("evidence:said", [], False),
        ("kind:image dog", [-1], False),
    ],
)
def test_filters_of_files_alone_are_browsed(typed, weights, is_browsed):
    assert joined(understood(typed), weights=weights).is_browsed is is_browsed


def test_what_is_weighed_below_0_is_said_to_be_unlike():
    assert joined(understood("dog"), weights=[-1]).is_unlike
    assert not joined(understood("dog"), weights=[0]).is_unlike


def test_ids_are_read_once_each_and_nonsense_is_left_out():
    assert segments_of(f"{ONE}, {OTHER},{ONE},,x") == (ONE, OTHER)
