"""Asking: what the box, its filters and its examples hold, as one question; also from the page's address alone."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import parse_qs
from uuid import UUID

from app.grammar import Asked, understood
from app.query import (
    ANYTHING,
    NOT_WEIGHT,
    BadQueryError,
    FilePart,
    Filters,
    Part,
    Query,
    SegmentPart,
    TextPart,
    check_limit,
)
from data.records import Kind

if TYPE_CHECKING:
    from app.results import Answer
    from app.wiring import Library

Example: TypeAlias = FilePart | SegmentPart

WORDS = "words"  # the name of what was typed among the parts that have a weight
LEAST_WEIGHT, MOST_WEIGHT = -10.0, 10.0
VIEWS = ("grid", "list", "lanes")
DEFAULTS: Mapping[str, Any] = {  # of the parameters in the page's address
    "q": "",
    "kind": [],
    "not": "",
    "like": "",
    "weights": "",
    "view": VIEWS[0],
    "page": 1,
}
_MOST = 100  # of a number in the address


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked.

    Args:
        parts: empty where nothing is looked for but what the filters leave.
        words: to be marked where they are found.
        is_unlike: something is said, or weighed below 0, that it should not be like.
        hints: what of it was not understood.
    """

    parts: tuple[Part, ...]
    then: tuple[TextPart, ...]
    filters: Filters
    words: str
    is_unlike: bool
    hints: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        return not self.parts and self.filters == ANYTHING and not self.is_unlike

    @property
    def is_browsed(self) -> bool:
        """Whether nothing is asked but which files: the newest of them answer, and no model is needed."""
        return not self.parts and not self.is_unlike and self.filters != ANYTHING and self.filters.by_file

    def query(self, *, limit: int) -> Query:
        """The same as a query of the search service.

        Raises:
            BadQueryError: there are no parts, or the limit is none.
        """
        check_limit(limit)
        if not self.parts and self.hints and not self.is_unlike:
            raise BadQueryError(self.hints[0])
        if not self.parts and self.filters != ANYTHING:
            raise BadQueryError(
                "nothing to look for: filters and what to leave out only narrow down; add words or an example"
            )
        return Query(parts=self.parts, then=self.then, filters=self.filters, limit=limit)


def answered(library: Library, question: Question, *, limit: int) -> Answer:
    """What a question finds; where filters alone choose files, the newest of them, with score 0.

    Raises:
        BadQueryError: nothing is looked for, or the limit is none.
    """
    check_limit(limit)
    if not question.is_browsed:
        query = question.query(limit=limit)
        return library.service().search(query)
    from app.files import newest
    from app.results import Answer

    began = time.perf_counter()
    space = library.space()
    results = newest(
        library.catalogue(),
        space.store(),
        fingerprint=space.model.fingerprint,
        filters=question.filters,
        count=limit,
    )
    took_ms, filled = (time.perf_counter() - began) * 1000, library.catalogue().filled_so_far(space.model.fingerprint)
    return Answer(results=results, embed_ms=0.0, search_ms=took_ms, filled=filled)


def joined(
    asked: Asked,
    *,
    avoid: Sequence[str] = (),
    examples: Sequence[Example] = (),
    weights: Sequence[float] = (),
) -> Question:
    """One question of what was typed, examples, and what it should not be like.

    Args:
        avoid: words for what it should not be like.
        weights: how much each part counts, the words first, where there are any, then each example; 1 where none is
            given. Below 0 it should not be like that; at 0 it does not count.

    Raises:
        BadQueryError: a weight is no number from -10 to 10, or there are more of them than parts.
    """
    wanted: list[Part] = [asked.first] if asked.words else []
    wanted += examples
    if len(weights) > len(wanted):
        raise BadQueryError(
            f"more weights ({len(weights)}) than parts ({len(wanted)}); give at most one for each, words first"
        )
    for weight in weights:
        if not LEAST_WEIGHT <= weight <= MOST_WEIGHT:
            raise BadQueryError(f"a weight must be from {LEAST_WEIGHT:g} to {MOST_WEIGHT:g}, not {weight:g}")
    for place, weight in enumerate(weights):
        wanted[place] = replace(wanted[place], weight=weight)
    unwanted = [TextPart(words, NOT_WEIGHT) for words in (*asked.avoided, *avoid) if words.strip()]
    parts = tuple(part for part in (*wanted, *unwanted) if part.weight)
    wished = any(part.weight > 0 for part in parts)
    return Question(
        parts=parts if wished else (),
        then=asked.following,
        filters=asked.filters,
        words=asked.said,
        is_unlike=bool(unwanted) or any(part.weight < 0 for part in parts),
        hints=asked.hints,
    )


def asked_by(address: str) -> Question:
    """The question of a page's address, from its question mark on; what is wrong in it is left out."""
    given = parameters(parse_qs(address))
    asked = understood(given["q"], Filters(kinds=frozenset(Kind(kind) for kind in given["kind"])))
    like, named = segments_of(given["like"]), weights_of(given["weights"])
    counts = [named.get(name, 1.0) for name in ([WORDS] if asked.words else []) + [str(segment) for segment in like]]
    weights = counts if len(counts) > 1 else []  # what is alone has no weight
    return joined(asked, avoid=[given["not"]], examples=[SegmentPart(segment) for segment in like], weights=weights)


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


def weights_of(text: str) -> dict[str, float]:
    """The weights that an address gives to parts by name: "words:0.5,ID:2"; what is no weight is left out."""
    found: dict[str, float] = {}
    for one in text.split(","):
        name, _, number = one.rpartition(":")
        try:
            weight = float(number)
        except ValueError:
            continue
        if LEAST_WEIGHT <= weight <= MOST_WEIGHT:
            found[name] = weight
    return found


def weights_text(weights: Mapping[str, float]) -> str:
    """Weights as an address has them; those that are 1 need not be said."""
    return ",".join(f"{name}:{weight:g}" for name, weight in weights.items() if weight != 1)


def why_nothing(library: Library, question: Question, answer: Answer) -> list[str]:
    """Why nothing was found, where nothing was."""
    return [] if answer.results else [library.why_nothing(question.filters)]
