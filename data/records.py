"""The words of the library: kinds, evidence, spans, segments, hits and files."""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID, uuid5

_NAMESPACE = UUID("6f6d6e69-6100-5000-8000-7365676d656e")


class Kind(StrEnum):
    """What a file is to the person who owns it."""

    TEXT = "text"
    IMAGE = "image"
    VIDEO = "video"
    AUDIO = "audio"
    DOCUMENT = "document"


class Evidence(StrEnum):
    """Through which sense a segment speaks."""

    SEEN = "seen"  # pixels
    HEARD = "heard"  # sound
    SAID = "said"  # speech, as a transcript
    WRITTEN = "written"  # body text, PDF text layer, OCR, subtitles


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Where in its file a segment lies; whatever does not apply is None.

    Args:
        start_s: start of the moment in seconds from the beginning of the recording.
        end_s: end of the moment in seconds, never before start_s.
        page: page, slide or sheet, counted from 1.
        char_start: first character of the passage in the file's (or the page's) decoded text.
        char_end: one past the last character of the passage.
    """

    start_s: float | None = None
    end_s: float | None = None
    page: int | None = None
    char_start: int | None = None
    char_end: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentRecord:
    """One embedded part of a content, as the vector store keeps it beside its vector.

    Args:
        id: `segment_id(content, fingerprint, number)`.
        content: SHA-256 of the file's bytes, 64 hex digits.
        number: position among the content's segments, from 0.
        snippet: the words of a said or written segment (cut to two thousand characters), else "".
        language: ISO 639-1 code of the words where it is known.
    """

    id: UUID
    content: str
    number: int
    kind: Kind
    evidence: Evidence
    span: Span
    snippet: str = ""
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """One segment matched, with its cosine similarity to the query in [-1, 1], or with what was asked for instead."""

    segment: SegmentRecord
    score: float


class FileState(StrEnum):
    """How the last attempt at a file ended."""

    INDEXED = "indexed"
    SKIPPED = "skipped"
    FAILED = "failed"


FARTHEST_NS = 2**63 - 1  # from 1970, as databases count: the year 2262


def changed_ns(status: os.stat_result) -> int:
    """When a file was last changed, ns since 1970, as far as databases count."""
    return min(max(status.st_mtime_ns, -FARTHEST_NS), FARTHEST_NS)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRecord:
    """One path on disk, as the catalogue knows it.

    Args:
        id: the catalogue's number for the file; stable while the path stays in the library.
        root: the ingested root the path belongs to.
        content: SHA-256 of the bytes, None when they could not be read.
        fingerprint: the model and preprocessing under which `state` was reached.
        reason: why it was skipped or failed, one line; "" when indexed.
        hint: what to do about it, one line; "" when there is nothing to do.
        duration_s: how long the recording lasts; None for what does not last, and where it is not known.
    """

    id: int
    root: str
    path: str
    size_bytes: int
    mtime_ns: int
    kind: Kind | None
    content: str | None
    fingerprint: str
    state: FileState
    reason: str = ""
    hint: str = ""
    attempts: int = 0
    duration_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FileChoice:
    """Which files are meant: those of which everything given holds.

    Args:
        folders: the file lies in one of them or below. An absolute path is a folder; anything else is the name of a
            folder, or of several one below the other ("2024/trips"), wherever it lies.
        suffixes: of file names, without the dot, upper and lower case alike.
        since_ns: the file changed then or later, in nanoseconds since the epoch.
        before_ns: it changed earlier.
        longer_s: the recording lasts at least so long, in seconds.
        shorter_s: it lasts less.
    """

    folders: tuple[str, ...] = ()
    suffixes: tuple[str, ...] = ()
    since_ns: int | None = None
    before_ns: int | None = None
    longer_s: float | None = None
    shorter_s: float | None = None


ANY_FILE = FileChoice()


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a person said of one result.

    Args:
        question: that it answered, as JSON; see app/verdicts.py.
        segment: of the content's best moment.
        is_right: thumbs up, or else down.
    """

    question: str
    content: str
    segment: UUID
    is_right: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedSearch:
    """A search that is asked again now and then.

    Args:
        address: of the page that asks it, from its question mark on: "q=dog&kind=video".
        seen_s: when it was last looked at, in seconds since the epoch.
    """

    id: int
    name: str
    address: str
    seen_s: float


def segment_id(content: str, fingerprint: str, number: int) -> UUID:
    """The id of a content's segment: the same input always gives the same id, so a redo overwrites."""
    return uuid5(_NAMESPACE, f"{content}/{fingerprint}/{number}")
