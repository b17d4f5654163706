"""Query: what is asked, before anything is read or embedded."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TypeAlias
from uuid import UUID

from data.errors import OmniaError
from data.printing import shortened
from data.records import ANY_FILE, Evidence, FileChoice, Kind

DEFAULT_LIMIT = 20
MOST_RESULTS = 1_000_000  # more is a slip, and sooner or later no number that a database takes
THEN = "then"  # between things that follow each other
NOT_WEIGHT = -1.0  # of "not like this": what stands out for both is no longer an answer


class BadQueryError(OmniaError):
    """A question that cannot be answered as it was asked."""


def check_limit(limit: int) -> None:
    """Refuse a number of results that nobody can be given.

    Raises:
        BadQueryError: it is not from 1 to MOST_RESULTS.
    """
    if not 1 <= limit <= MOST_RESULTS:
        raise BadQueryError(f"limit must be from 1 to {MOST_RESULTS:,}, not {shortened(str(limit))}")


@dataclass(frozen=True, slots=True)
class TextPart:
    """Words typed by a person.

    Args:
        weight: how much the part counts; negative means "not like this".
        phrases: of a thing in a sequence: what must be said or written there word for word.
    """

    text: str
    weight: float = 1.0
    phrases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FilePart:
    """A file as an example of what is wanted, read by the same reader as ingest.

    Args:
        content: SHA-256 of the file's bytes where it is known already, else "". A content whose vectors
            are still remembered is answered without opening `path`.
    """

    path: Path
    weight: float = 1.0
    content: str = ""


@dataclass(frozen=True, slots=True)
class SegmentPart:
    """ "More like this": a segment of the library; its stored vector is used and no model is called."""

    id: UUID
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class JudgedPart:
    """Segments that were said to be right, or wrong: being like any of them counts, and they stay among the answers."""

    ids: tuple[UUID, ...]
    weight: float


Part: TypeAlias = TextPart | FilePart | SegmentPart | JudgedPart


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What an answer must be, whatever it is like; empty means anything.

    Args:
        kinds: of file.
        evidence: through which sense it may match.
        languages: ISO 639-1 codes of what is said or written.
        phrases: each must be said or written word for word.
        without: none of these may be.
        files: where the file lies, its type, when it changed, how long it lasts.
    """

    kinds: frozenset[Kind] = frozenset()
    evidence: frozenset[Evidence] = frozenset()
    languages: frozenset[str] = frozenset()
    phrases: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    files: FileChoice = ANY_FILE

    @property
    def by_file(self) -> bool:
        """Whether only files are chosen, whatever is in them."""
        return not (self.evidence or self.languages or self.phrases or self.without)


ANYTHING = Filters()


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One question: a mix of parts, what the answer must be, and how many files to answer with.

    Args:
        then: what follows in the same recording, one after the other; with it only recordings answer, and what says
            all of it in one breath (see `as_saying`).
        wrong: contents that were said to be no answer: they come last.
        limit: most results to answer with, from 1 to MOST_RESULTS.

    Raises:
        BadQueryError: no part is wanted, or the limit is none.
    """

    parts: tuple[Part, ...]
    then: tuple[TextPart, ...] = ()
    filters: Filters = ANYTHING
    wrong: frozenset[str] = frozenset()
    limit: int = DEFAULT_LIMIT

    def __post_init__(self) -> None:
        check_limit(self.limit)
        if not any(part.weight > 0 for part in self.parts):
            raise BadQueryError("nothing to look for; give words or an example besides what it should not be like")

    @property
    def is_one_file(self) -> bool:
        """Whether a file is all that is asked with."""
        asked = [part for part in self.parts if not isinstance(part, JudgedPart)]
        return len(asked) == 1 and isinstance(asked[0], FilePart) and not self.then

    @property
    def as_saying(self) -> Query | None:
        """A sequence of words read as one saying, to be found where somebody says or writes it: "first A, then B".

        The words around each "then" must stand there as they are. None where the question is no such thing.
        """
        wanted = [part for part in self.parts if part.weight > 0 and not isinstance(part, JudgedPart)]
        if not self.then or len(wanted) != 1 or not isinstance(wanted[0], TextPart):
            return None
        things = [wanted[0].text.split(), *(part.text.split() for part in self.then)]
        if not all(things):
            return None
        joints = tuple(f"{before[-1]} {THEN} {after[0]}" for before, after in pairwise(things))
        said = TextPart(f" {THEN} ".join(" ".join(thing) for thing in things))
        exact = (phrase for part in (wanted[0], *self.then) for phrase in part.phrases)
        filters = replace(self.filters, phrases=(*self.filters.phrases, *exact, *joints))
        return replace(self, parts=(said,), then=(), filters=filters)
