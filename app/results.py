"""Result: what a person sees, one file with its best moments, and its JSON form."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from app.escaping import readable
from data.printing import shortened
from data.records import Evidence, Kind

STRONG, LIKELY = 0.5, 0.1  # least scores


class Band(StrEnum):
    """What a score means to a person."""

    STRONG = "strong"  # by estimate right more often than not
    LIKELY = "likely"  # worth a look
    WEAK = "weak"  # no more than what any question finds by chance

    @classmethod
    def of(cls, score: float) -> Band:
        return cls.STRONG if score >= STRONG else cls.LIKELY if score >= LIKELY else cls.WEAK


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A place in a file that matched.

    Args:
        segment: id of the best segment of the moment, for "more like this".
        start_s: start in seconds from the beginning of the recording, None where there is no time.
        end_s: end in seconds.
        page: page, slide or sheet from 1, None where there are none.
        char_start: first character of a written passage in the text of its file or page, None where there are none.
        char_end: one past its last character.
        snippet: the words of a said or written moment, else "".
        score: estimated chance in (0, 1) that it is what was asked for; see app/chance.py.
    """

    segment: UUID
    evidence: Evidence
    start_s: float | None
    end_s: float | None
    page: int | None
    snippet: str
    score: float
    char_start: int | None = None
    char_end: int | None = None

    @property
    def passage(self) -> tuple[int, int] | None:
        """First character, and one past the last."""
        return None if self.char_start is None or self.char_end is None else (self.char_start, self.char_end)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One content that matched, shown as the file it is.

    Args:
        id: the catalogue's number of the file; what media and previews are asked by.
        root: the ingested folder the path lies in.
        other_paths: further paths with the same bytes, sorted.
        same: the bytes are those of a file in the query.
        score: of its best moment.
        moments: best first, never empty.
        duration_s: how long the recording lasts; None for what does not last, and where it is not known.
    """

    id: int
    path: str
    root: str
    kind: Kind
    content: str
    score: float
    moments: tuple[Moment, ...]
    other_paths: tuple[str, ...] = ()
    same: bool = False
    duration_s: float | None = None

    @property
    def band(self) -> Band:
        return Band.of(self.score)

    @property
    def version(self) -> str:
        """What tells its bytes from others that had, or will have, the same number."""
        return self.content[:12]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The results of one query, best first, with what they cost.

    Args:
        embed_ms: reading and embedding the query; near 0 when its vectors were remembered.
        search_ms: the store's and the catalogue's part.
        cut: a query file was long, and only its beginning was used.
        unread: words of the question of which the model knows none.
        filled: contents that the model has so far, and those of the library, where one was named that lacks some.
    """

    results: tuple[Result, ...]
    embed_ms: float
    search_ms: float
    cut: bool = False
    unread: tuple[str, ...] = ()
    filled: tuple[int, int] | None = None

    @property
    def hints(self) -> tuple[str, ...]:
        """What of the question could be understood, or of the library be searched, in part only, and the next step."""
        unread = tuple(
            f"{shortened(words)}: the model knows none of these words and finds them only where they stand "
            "word for word; try them in English"
            for words in self.unread
        )
        if self.filled is None:
            return unread
        has, all_of_it = self.filled
        return (
            f"{has:,} of {all_of_it:,} different files are searched: the model that was named has no more so far; "
            "fill it by ingest, or ask without --model and OMNIA_MODEL",
            *unread,
        )

    def to_json(self) -> dict[str, Any]:
        """The answer as JSON-ready values; keys may be added, those there stay."""
        return {
            "results": [_result_json(result) for result in self.results],
            "took_ms": {"embed": round(self.embed_ms, 2), "search": round(self.search_ms, 2)},
            "cut": self.cut,
        }


def _result_json(result: Result) -> dict[str, Any]:
    return {
        "path": readable(result.path),
        "kind": result.kind.value,
        "score": round(result.score, 4),
        "band": result.band.value,
        "moments": [_moment_json(moment) for moment in result.moments],
        "id": result.id,
        "other_paths": [readable(path) for path in result.other_paths],
        "same": result.same,
        "duration_s": _rounded(result.duration_s),
    }


def _moment_json(moment: Moment) -> dict[str, Any]:
    return {
        "evidence": moment.evidence.value,
        "start_s": _rounded(moment.start_s),
        "end_s": _rounded(moment.end_s),
        "page": moment.page,
        "char_start": moment.char_start,
        "char_end": moment.char_end,
        "snippet": moment.snippet,
        "score": round(moment.score, 4),
        "segment": str(moment.segment),
    }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
