"""Lanes: the best of each kind beside each other, so that none drowns another, with the scores of the blended list."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from app.query import Query
from app.results import Answer, Result
from data.records import Kind

_BLENDED = 100  # results of all kinds that are looked through


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
