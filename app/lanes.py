"""Lanes: the best of each kind, so that none drowns another, with the scores of the blended list."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from app.query import Query
from app.results import Answer, Band, Result
from data.records import Kind

_BLENDED = 100  # results of all kinds that are looked through
_NEAREST = 2  # of a kind of which nothing is worth a look


def lanes(search: Callable[[Query], Answer], query: Query, *, each: int) -> tuple[Answer, dict[Kind, list[Result]]]:
    """The answer over all kinds, and of each kind that is asked for the best, at most `each`.

    A result means the same in a lane as in the blended list. A kind that the beginning of that list has too little of
    is asked for by itself: those results come after it, so none of them is told to be likelier than its last.
    """
    blended = search(replace(query, limit=_BLENDED))
    found: dict[Kind, list[Result]] = {}
    for kind in Kind:
        if query.filters.kinds and kind not in query.filters.kinds:
            continue
        mine = [result for result in blended.results if result.kind is kind][:each]
        if len(mine) < each and len(blended.results) == _BLENDED:
            least = blended.results[-1].score
            known = {result.content for result in mine}
            only = replace(query, filters=replace(query.filters, kinds=frozenset({kind})), limit=each)
            more = [result for result in search(only).results if result.content not in known]
            mine += [replace(result, score=min(result.score, least)) for result in more[: each - len(mine)]]
        found[kind] = mine
    return blended, found


def parted(
    results: Sequence[Result], *, right: Collection[str] = (), wrong: Collection[str] = ()
) -> tuple[list[Result], list[Result], list[Result]]:
    """What is worth a look, the nearest of the kinds of which nothing is, and the rest, each in its order.

    Many right answers of some kinds raise the bar for the others: beside texts and sounds of a dog its pictures may not
    stand out. So a few of these are not folded away, though told to be weak. Where nothing is worth a look all is rest.

    Args:
        right, wrong: contents that were said to be so.
    """
    likely = [one for one in results if _is_likely(one, right)]
    there = {one.kind for one in likely if not one.same}
    room = {kind: _NEAREST for kind in Kind if likely and kind not in there}
    nearest: list[Result] = []
    rest: list[Result] = []
    for one in results:
        if _is_likely(one, right):
            continue
        is_near = one.content not in wrong and room.get(one.kind, 0) > 0
        room[one.kind] = room.get(one.kind, 0) - is_near
        (nearest if is_near else rest).append(one)
    return likely, nearest, rest


def _is_likely(result: Result, right: Collection[str]) -> bool:
    """Whether it is worth a look by estimate, or because of what was said or dropped."""
    return result.band is not Band.WEAK or result.same or result.content in right
