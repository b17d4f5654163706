"""Lanes: what a kind's best results are, and that they mean the same as in the blended list."""

from __future__ import annotations

from dataclasses import replace

from app.lanes import lanes, parted
from app.query import Filters, Query, TextPart
from app.results import Answer, Result
from data.records import Kind

_DOG = Query(parts=(TextPart("dog"),))


def result(name: str, kind: Kind, score: float) -> Result:
    return Result(id=1, path=name, root="/", kind=kind, content=name, score=score, moments=())


def blended(*results: Result):
    """A search over results, where a question for one kind finds them likelier than the one for all does."""

    def search(query: Query) -> Answer:
        kinds = query.filters.kinds
        fitting = [one for one in results if not kinds or one.kind in kinds]
        told = [replace(one, score=min(1.0, one.score * 2)) for one in fitting] if kinds else fitting
        ranked = sorted(told, key=lambda one: -one.score)
        return Answer(results=tuple(ranked[: query.limit]), embed_ms=0, search_ms=0)

    return search


def test_a_result_has_the_score_that_it_has_in_the_blended_list():
    search = blended(result("a", Kind.TEXT, 0.9), result("b", Kind.IMAGE, 0.2), result("c", Kind.IMAGE, 0.1))
    whole, found = lanes(search, _DOG, each=2)
    assert [one.path for one in whole.results] == ["a", "b", "c"]
    assert {kind: [(one.path, one.score) for one in best] for kind, best in found.items() if best} == {
        Kind.TEXT: [("a", 0.9)],
        Kind.IMAGE: [("b", 0.2), ("c", 0.1)],
    }


def test_a_kind_that_others_drown_is_asked_for_by_itself_and_stays_below_them():
    many = [result(f"{number}", Kind.TEXT, 0.5 - number / 1000) for number in range(300)]
    rare = result("rare", Kind.IMAGE, 0.04)
    _, found = lanes(blended(*many, rare, replace(rare, path="rarer", content="rarer", score=0.02)), _DOG, each=4)
    assert [one.path for one in found[Kind.IMAGE]] == ["rare", "rarer"]
    assert [one.score for one in found[Kind.IMAGE]] == [0.08, 0.04]
    likely = replace(rare, score=0.28)
    (told,) = lanes(blended(*many, likely), _DOG, each=4)[1][Kind.IMAGE]
    assert told.score == 0.5 - 99 / 1000, "no likelier than the last of the blended list"
    assert len(found[Kind.TEXT]) == 4


def test_only_the_kinds_that_are_wanted_have_lanes():
    search = blended(result("a", Kind.TEXT, 0.9), result("b", Kind.IMAGE, 0.2))
    _, found = lanes(search, replace(_DOG, filters=Filters(kinds=frozenset({Kind.IMAGE}))), each=2)
    assert list(found) == [Kind.IMAGE]


def names_of(*parts: list[Result]) -> list[list[str]]:
    return [[one.path for one in part] for part in parts]


def test_of_a_kind_that_others_drown_the_nearest_are_not_folded_away():
    found = [
        result("text", Kind.TEXT, 0.9),
        result("weak text", Kind.TEXT, 0.09),
        *(result(f"image {number}", Kind.IMAGE, 0.08 - number / 100) for number in range(4)),
        result("video", Kind.VIDEO, 0.01),
    ]
    nearest = ["image 0", "image 1", "video"]
    assert names_of(*parted(found)) == [["text"], nearest, ["weak text", "image 2", "image 3"]]
    assert names_of(*parted(found, wrong={"image 0", "video"}))[1] == ["image 1", "image 2"]
    said = parted(found, right={"image 3"})
    assert names_of(*said) == [["text", "image 3"], ["video"], ["weak text", "image 0", "image 1", "image 2"]]


def test_the_file_that_was_asked_with_is_not_the_nearest_of_its_kind():
    found = [replace(result("asked", Kind.IMAGE, 0.99), same=True), result("like it", Kind.IMAGE, 0.05)]
    assert names_of(*parted(found)) == [["asked"], ["like it"], []]


def test_where_nothing_is_worth_a_look_nothing_is_nearer():
    found = [result("a", Kind.TEXT, 0.05), result("b", Kind.IMAGE, 0.04)]
    assert names_of(*parted(found)) == [[], [], ["a", "b"]]
