"""Recording: what became of files, written to the catalogue's tables many rows at a time."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from data.records import FileState, Kind
from data.tables import File, Indexing

T = TypeVar("T")

_CHUNK = 500  # bound parameters in one statement; SQLite allows 32,766, old ones 999


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How an attempt at one file ended, ready to be recorded.

    Args:
        segments: how many segments are in the vector store; None when the content was indexed before.
        notes: what was left out of an indexed content, one line each.
        is_final: False for what may mend itself without a change of the file (permissions, a race): the next run
            tries again.
    """

    path: str
    size_bytes: int
    mtime_ns: int
    state: FileState
    kind: Kind | None = None
    content: str | None = None
    segments: int | None = None
    notes: tuple[str, ...] = ()
    reason: str = ""
    hint: str = ""
    is_final: bool = True


def record_outcomes(db: Connection, outcomes: Sequence[Outcome], *, run: int, root_id: int, fingerprint: str) -> None:
    """Write outcomes in the caller's transaction; the last one of a path (of a content) counts."""
    indexed = {outcome.content: outcome for outcome in outcomes if outcome.segments is not None}
    for contents in chunks([content for content in indexed if content is not None]):
        _record_indexings(db, [indexed[content] for content in contents], fingerprint)
    latest = {outcome.path: outcome for outcome in outcomes}
    for paths in chunks(list(latest)):
        _record_files(db, [latest[path] for path in paths], run=run, root_id=root_id, fingerprint=fingerprint)


def chunks(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """As many items at a time as one statement takes parameters."""
    for start in range(0, len(items), _CHUNK):
        yield items[start : start + _CHUNK]


def _record_indexings(db: Connection, outcomes: Sequence[Outcome], fingerprint: str) -> None:
    contents = [outcome.content for outcome in outcomes]
    db.execute(delete(Indexing).where(Indexing.content.in_(contents), Indexing.fingerprint == fingerprint))
    now = time.time()
    rows = [
        {
            "content": outcome.content,
            "fingerprint": fingerprint,
            "kind": outcome.kind,
            "segments": outcome.segments,
            "notes": "\n".join(outcome.notes),
            "indexed_at": now,
        }
        for outcome in outcomes
    ]
    db.execute(insert(Indexing), rows)


def _record_files(db: Connection, outcomes: Sequence[Outcome], *, run: int, root_id: int, fingerprint: str) -> None:
    columns = select(File.id, File.path, File.attempts, File.content)
    known = {row.path: row for row in db.execute(columns.where(File.path.in_([one.path for one in outcomes])))}
    new: list[dict[str, Any]] = []
    changed: list[dict[str, Any]] = []
    for outcome in outcomes:
        values: dict[str, Any] = {
            "root_id": root_id,
            "size_bytes": outcome.size_bytes,
            "mtime_ns": outcome.mtime_ns,
            "kind": outcome.kind,
            "content": outcome.content,
            "fingerprint": fingerprint if outcome.is_final else "",
            "state": outcome.state,
            "reason": outcome.reason,
            "hint": outcome.hint,
            "seen_run": run,
            "attempts": 1,
        }
        row = known.get(outcome.path)
        if row is None:
            new.append({"path": outcome.path, **values})
            continue
        if outcome.state is FileState.FAILED and row.content == outcome.content:
            values["attempts"] = row.attempts + 1
        changed.append({"file_id": row.id, **{f"new_{name}": value for name, value in values.items()}})
    if new:
        db.execute(insert(File), new)
    if changed:
        names = [name.removeprefix("new_") for name in changed[0] if name != "file_id"]
        statement = update(File).where(File.id == bindparam("file_id"))
        db.execute(statement.values({name: bindparam(f"new_{name}") for name in names}), changed)
