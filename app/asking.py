"""Asking: what the box, its filters and its examples hold, as one question; also from the page's address alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import parse_qs
from uuid import UUID

from app.grammar import Asked, understood
from app.query import ANYTHING, NOT_WEIGHT, FilePart, Filters, Part, Query, SegmentPart, TextPart
from data.records import Kind

BALANCE = 50  # of words and examples: 0 all example, 100 all words
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
    given = parse_qs(address)
    kinds = frozenset(Kind(kind) for kind in given.get("kind", []) if kind in set(Kind))
    balance = given.get("balance", [""])[0]
    return joined(
        understood(given.get("q", [""])[0], Filters(kinds=kinds)),
        avoid=given.get("not", [""])[0],
        like=segments_of(given.get("like", [""])[0]),
        balance=int(balance) if balance.isdecimal() else BALANCE,
    )


def segments_of(text: str) -> tuple[UUID, ...]:
    """The segments that "like" names, with commas between; what is no id is left out."""
    found: list[UUID] = []
    for one in text.split(","):
        try:
            found.append(UUID(one.strip()))
        except ValueError:
            continue
    return tuple(dict.fromkeys(found))
