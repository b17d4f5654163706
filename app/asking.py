"""Asking: what the box, its filters and its examples hold, as one question; also from the page's address alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

from app.grammar import Asked, understood
from app.query import ANYTHING, NOT_WEIGHT, FilePart, Filters, Part, Query, SegmentPart, TextPart
from data.records import Kind

BALANCE = 50  # of words and examples: 0 all example, 100 all words
VIEWS = ("grid", "list", "lanes")
DEFAULTS: Mapping[str, Any] = {  # of the parameters in the page's address
    "q": "",
    "kind": [],
    "not": "",
    "like": "",
    "balance": BALANCE,
    "view": VIEWS[0],
    "page": 1,
}
_MOST = 100  # of a number in the address
_LEAST = 0.02  # of a weight, which must not be 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked.

    Args:
        parts: empty where nothing is looked for but what the filters leave.
        words: to be marked where they are found.
    """

    parts: tuple[Part, ...]
    then: tuple[TextPart, ...]
    filters: Filters
    words: str

    @property
    def is_empty(self) -> bool:
        return not self.parts and self.filters == ANYTHING

    def query(self, *, limit: int) -> Query:
        return Query(parts=self.parts, then=self.then, filters=self.filters, limit=limit)


def joined(
    asked: Asked,
    *,
    avoid: str = "",
    like: Sequence[UUID] = (),
    files: Sequence[FilePart] = (),
    balance: int = BALANCE,
) -> Question:
    """One question of what was typed, what it should not be like, moments of the library, and files.

    Args:
        balance: of words and examples, from 0 (all example) to 100 (all words); it counts where there are both.
    """
    examples: list[FilePart | SegmentPart] = [*files, *(SegmentPart(segment) for segment in like)]
    if asked.words and examples:
        of_words, of_examples = max(balance / 50, _LEAST), max(2 - balance / 50, _LEAST)
    else:
        of_words = of_examples = 1.0
    parts: list[Part] = [*asked.parts(of_words), *(replace(part, weight=of_examples) for part in examples)]
    if avoid.strip():
        parts.append(TextPart(avoid, NOT_WEIGHT))
    wished = any(part.weight > 0 for part in parts)
    return Question(parts=tuple(parts) if wished else (), then=asked.following, filters=asked.filters, words=asked.said)


def asked_by(address: str) -> Question:
    """The question of a page's address, from its question mark on; what is wrong in it is left out."""
    given = parameters(parse_qs(address))
    return joined(
        understood(given["q"], Filters(kinds=frozenset(Kind(kind) for kind in given["kind"]))),
        avoid=given["not"],
        like=segments_of(given["like"]),
        balance=given["balance"],
    )


def parameters(given: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """The values of all parameters of an address; what one cannot be is its default."""
    return {name: _parameter(name, given.get(name, ()), default) for name, default in DEFAULTS.items()}


def _parameter(name: str, given: Sequence[str], default: Any) -> Any:
    if name == "kind":
        return [kind for kind in given if kind in set(Kind)]
    text = given[-1] if given else ""
    if isinstance(default, int):
        return int(text) if text.isdecimal() and int(text) <= _MOST else default
    return default if not text or (name == "view" and text not in VIEWS) else text


def segments_of(text: str) -> tuple[UUID, ...]:
    """The segments that "like" names, with commas between; what is no id is left out."""
    found: list[UUID] = []
    for one in text.split(","):
        try:
            found.append(UUID(one.strip()))
        except ValueError:
            continue
    return tuple(dict.fromkeys(found))
