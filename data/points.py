"""What a point of the vector store is made of: its payload, its vector, its collection's name and place."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np

from data.errors import ModelMismatchError, StoreUnavailableError
from data.records import Evidence, Kind, SegmentRecord, Span
from data.vectors import Vectors, Where
from data.wording import asked, indexed

INDEXED_FIELDS = ("kind", "evidence", "content", "language")  # keyword indexes: what `Where` and `delete` filter by
WORDS_FIELD = "snippet"  # the text index: what `search_words` looks through
VERBATIM_FIELD = "verbatim"  # a snippet as it is, where the index has it in another form
NORM_TOLERANCE = 1e-3
_ALL_VALUES = {"kind": frozenset(map(str, Kind)), "evidence": frozenset(map(str, Evidence))}
_SPAN_FIELDS = tuple(field.name for field in fields(Span))
_KINDS = {kind.value: kind for kind in Kind}  # calling the enum takes three times as long
_EVIDENCE = {evidence.value: evidence for evidence in Evidence}


def payload_of(record: SegmentRecord) -> dict[str, Any]:
    """A record as a flat payload without its id; what is None or empty is left out."""
    payload: dict[str, Any] = {
        "content": record.content,
        "number": record.number,
        "kind": record.kind.value,
        "evidence": record.evidence.value,
    }
    if record.snippet:
        payload[WORDS_FIELD] = indexed(record.snippet)
        if payload[WORDS_FIELD] != record.snippet:
            payload[VERBATIM_FIELD] = record.snippet
    if record.language is not None:
        payload["language"] = record.language
    for name in _SPAN_FIELDS:
        value = getattr(record.span, name)
        if value is not None:
            payload[name] = value
    return payload


def record_of(point_id: object, payload: Mapping[str, Any] | None) -> SegmentRecord:
    """The record that `payload_of` wrote."""
    assert payload is not None, f"point {point_id} came back without its payload"
    return SegmentRecord(
        id=point_id if isinstance(point_id, UUID) else UUID(str(point_id)),
        content=payload["content"],
        number=payload["number"],
        kind=_KINDS[payload["kind"]],
        evidence=_EVIDENCE[payload["evidence"]],
        span=Span(**{name: payload[name] for name in _SPAN_FIELDS if name in payload}),
        snippet=payload.get(VERBATIM_FIELD) or payload.get(WORDS_FIELD, ""),
        language=payload.get("language"),
    )


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a filter asks of points; false where it asks nothing.

    Args:
        any_of: field → values of which one must match.
        none_of: field → values none of which may match.
        phrases: each must be held by WORDS_FIELD.
        without: none may be.
    """

    any_of: Mapping[str, list[str]]
    none_of: Mapping[str, list[str]] = field(default_factory=dict)
    phrases: tuple[str, ...] = ()
    without: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.any_of or self.none_of or self.phrases or self.without)


def conditions(where: Where) -> Conditions | None:
    """A filter as conditions; None when nothing can match.

    Most of all kinds, or all, are told by those that are not wanted: the embedded engine takes longer for many values
    than for few, and as long for a filter that lets everything through as for any other.
    """
    named = {"kind": where.kinds, "evidence": where.evidence, "content": where.contents, "language": where.languages}
    any_of = {name: sorted(values) for name, values in named.items() if values is not None}
    none_of: dict[str, list[str]] = {}
    for name, every in _ALL_VALUES.items():
        if name in any_of and 2 * len(any_of[name]) > len(every):
            if unwanted := sorted(every.difference(any_of[name])):
                none_of[name] = unwanted
            del any_of[name]
    return Conditions(any_of, none_of, *map(_phrases, (where.phrases, where.without))) if all(any_of.values()) else None


def _phrases(phrases: Sequence[str]) -> tuple[str, ...]:
    return tuple(map(asked, phrases))


def each(where: Where | Sequence[Where], count: int) -> Sequence[Where]:
    """One filter for each of `count` queries, whether one was given for all or one for each."""
    filters = [where] * count if isinstance(where, Where) else where
    if len(filters) != count:
        raise ValueError(f"{len(filters)} filters came with {count} query vectors")
    return filters


def checked(records: Sequence[SegmentRecord], vectors: Vectors, *, dim: int) -> Vectors:
    """The vectors of an upsert as contiguous float32 (N, dim), refused unless finite and of unit norm.

    Raises:
        ModelMismatchError: a wrong width, count or length; the message names the first bad segment.
    """
    vectors = _wide(vectors, dim)
    if len(records) != len(vectors):
        raise ModelMismatchError(f"{len(records)} segments came with {len(vectors)} vectors; embed again")
    off = np.abs(np.linalg.norm(vectors, axis=1) - 1.0)  # (N,)
    bad = np.flatnonzero(~(off <= NORM_TOLERANCE))  # "not <=" also catches NaN
    if bad.size:
        record = records[int(bad[0])]
        raise ModelMismatchError(
            f"vector of segment {record.number} of {record.content[:12]} is not finite and of unit norm; "
            "check the model with `python -m embedder info`"
        )
    return vectors


def checked_queries(vectors: Vectors, *, dim: int) -> Vectors:
    """Query vectors as unit float32 (Q, dim): a query may be of any length, but it must point somewhere.

    Raises:
        ModelMismatchError: a wrong width, or a vector that is not finite or zero.
    """
    vectors = _wide(vectors, dim)
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)  # (Q, 1)
    if not np.all(np.isfinite(norms) & (norms > 1e-12)):
        raise ModelMismatchError("a query vector is zero or not finite; change the query or check the model")
    return np.ascontiguousarray(vectors / norms, dtype=np.float32)


def stacked(rows: Sequence[Any], *, dim: int) -> Vectors:
    """Rows of floats as one float32 array (N, dim), also when there are none."""
    return np.asarray(rows, dtype=np.float32).reshape(len(rows), dim)


def safe_name(fingerprint: str) -> str:
    """A folder or collection name that is readable and differs whenever the fingerprint differs."""
    readable = re.sub(r"[^A-Za-z0-9._-]+", "-", fingerprint).strip("-.")[:60]
    return f"{readable or 'model'}-{hashlib.sha256(fingerprint.encode()).hexdigest()[:10]}"


def collection_folder(home: Path, fingerprint: str) -> Path:
    """Where the embedded collection of a fingerprint lies."""
    return home / "vectors" / safe_name(fingerprint)


def stored_identity(folder: Path) -> tuple[str, int] | None:
    """Fingerprint and width of the collection in a folder, None when there is none.

    Raises:
        StoreUnavailableError: what says so is damaged.
    """
    manifest = folder / "collection.json"
    if not manifest.exists():
        return None
    try:
        kept = json.loads(manifest.read_text(encoding="utf-8"))
        return str(kept["fingerprint"]), int(kept["dim"])
    except (ValueError, KeyError, TypeError) as error:
        raise StoreUnavailableError(f"{manifest} is damaged; delete {folder} and ingest again") from error


def slices(length: int, step: int) -> Iterator[slice]:
    """Consecutive slices of at most `step` items that cover `length` items."""
    return (slice(start, min(start + step, length)) for start in range(0, length, step))


def _wide(vectors: Vectors, dim: int) -> Vectors:
    vectors = np.ascontiguousarray(vectors, dtype=np.float32)
    if vectors.ndim != 2 or vectors.shape[1] != dim:
        raise ModelMismatchError(
            f"vectors of shape {vectors.shape} do not fit a collection of width {dim}; "
            "use the model the library was ingested with, or ingest again"
        )
    return vectors
