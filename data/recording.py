"""Recording: what became of files, written to the catalogue's tables many rows at a time."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, delete, insert, select, update

from data.naming import keep_names
from data.records import FileState, Kind
from data.tables import FILES, INDEXINGS, OUTCOMES, ROOTS

T = TypeVar("T")

_CHUNK = 500  # bound parameters in one statement; SQLite allows 32,766, old ones 999


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How an attempt at one file ended, ready to be recorded.

    Args:
        segments: how many segments are in the vector store; None when the content was indexed before.
        notes: what was left out of an indexed content, one line each.
        duration_s: of an indexed recording, None for what does not last.
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
    duration_s: float | None = None
    reason: str = ""
    hint: str = ""
    is_final: bool = True


def record_outcomes(db: Connection, outcomes: Sequence[Outcome], *, run: int, root_id: int, fingerprint: str) -> None:
    """Write outcomes in the caller's transaction; the last one of a path (of a content) counts."""
    latest = {outcome.path: outcome for outcome in outcomes}
    for paths in chunks(list(latest)):
        _record_files(db, [latest[path] for path in paths], run=run, root_id=root_id, fingerprint=fingerprint)
    indexed = {outcome.content: outcome for outcome in outcomes if outcome.segments is not None}
    for contents in chunks([content for content in indexed if content is not None]):  # last: they tell the time
        _record_indexings(db, [indexed[content] for content in contents], fingerprint)


def chunks(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """As many items at a time as one statement takes parameters."""
    for start in range(0, len(items), _CHUNK):
        yield items[start : start + _CHUNK]


def _record_indexings(db: Connection, outcomes: Sequence[Outcome], fingerprint: str) -> None:
    contents = [outcome.content for outcome in outcomes]
    db.execute(delete(INDEXINGS).where(INDEXINGS.c.content.in_(contents), INDEXINGS.c.fingerprint == fingerprint))
    now = time.time()
    rows = [
        {
            "content": outcome.content,
            "fingerprint": fingerprint,
            "kind": outcome.kind,
            "segments": outcome.segments,
            "notes": "\n".join(" ".join(note.split()) for note in outcome.notes),
            "duration_s": outcome.duration_s,
            "indexed_at": now,
        }
        for outcome in outcomes
    ]
    db.execute(insert(INDEXINGS), rows)


def _record_files(db: Connection, outcomes: Sequence[Outcome], *, run: int, root_id: int, fingerprint: str) -> None:
    ids = _seen_files(db, [outcome.path for outcome in outcomes], run=run, root_id=root_id)
    former = {row.file_id: row for row in _outcomes_of(db, ids.values(), fingerprint)}
    rows: list[dict[str, Any]] = []
    for outcome in outcomes:
        before = former.get(ids[outcome.path])
        is_repeated = outcome.state is FileState.FAILED and before is not None and before.content == outcome.content
        rows.append(
            {
                **_facts(outcome, file_id=ids[outcome.path], fingerprint=fingerprint, run=run),
                "kind": outcome.kind,
                "state": outcome.state,
                "reason": " ".join(outcome.reason.split()),
                "hint": " ".join(outcome.hint.split()),
                "attempts": before.attempts + 1 if before is not None and is_repeated else 1,
                "is_final": outcome.is_final,
            }
        )
    replace_outcomes(db, rows, fingerprint)
    _tell_other_models(db, outcomes, ids, run=run, fingerprint=fingerprint)


def replace_outcomes(db: Connection, rows: Sequence[dict[str, Any]], fingerprint: str) -> None:
    """Put outcomes of one fingerprint (at most one chunk) in the place of the files' former ones."""
    ids = [row["file_id"] for row in rows]
    db.execute(delete(OUTCOMES).where(OUTCOMES.c.file_id.in_(ids), OUTCOMES.c.fingerprint == fingerprint))
    db.execute(insert(OUTCOMES), list(rows))


def _seen_files(db: Connection, paths: Sequence[str], *, run: int, root_id: int) -> dict[str, int]:
    """The numbers of these paths, made where they are new; all are marked seen."""
    columns = select(FILES.c.path, FILES.c.id).where(FILES.c.path.in_(paths))
    ids = {row.path: row.id for row in db.execute(columns)}
    if ids:
        is_latest = FILES.c.seen_run <= run
        db.execute(
            update(FILES).where(FILES.c.id.in_(list(ids.values())), is_latest).values(root_id=root_id, seen_run=run)
        )
    new = [{"path": path, "root_id": root_id, "seen_run": run} for path in paths if path not in ids]
    if new:
        known = set(ids)
        db.execute(insert(FILES), new)
        ids = {row.path: row.id for row in db.execute(columns)}
        root = db.execute(select(ROOTS.c.path).where(ROOTS.c.id == root_id)).scalar_one()
        keep_names(db, ((number, path) for path, number in ids.items() if path not in known), root)
    return ids


def _tell_other_models(
    db: Connection, outcomes: Sequence[Outcome], ids: dict[str, int], *, run: int, fingerprint: str
) -> None:
    """A file of a content that other models have indexed is indexed under them too: a rename stays findable in each."""
    by_content: defaultdict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        if outcome.content is not None:
            by_content[outcome.content].append(outcome)
    known = select(INDEXINGS.c.fingerprint, INDEXINGS.c.content, INDEXINGS.c.kind)
    others = known.where(INDEXINGS.c.content.in_(list(by_content)), INDEXINGS.c.fingerprint != fingerprint)
    rows: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for other, content, kind in db.execute(others).all():
        for outcome in by_content[content]:
            facts = _facts(outcome, file_id=ids[outcome.path], fingerprint=other, run=run)
            state = {"state": FileState.INDEXED, "reason": "", "hint": "", "attempts": 1, "is_final": True}
            rows[other].append({**facts, "kind": kind, **state})
    for other, wanted in rows.items():
        kept = {
            (row.file_id, row.content, row.size_bytes, row.mtime_ns)
            for row in _outcomes_of(db, [row["file_id"] for row in wanted], other)
            if row.state == FileState.INDEXED
        }
        changed = [
            row for row in wanted if (row["file_id"], row["content"], row["size_bytes"], row["mtime_ns"]) not in kept
        ]
        if changed:
            replace_outcomes(db, changed, other)


def _facts(outcome: Outcome, *, file_id: int, fingerprint: str, run: int) -> dict[str, Any]:
    """What holds of a file whatever became of it."""
    return {
        "file_id": file_id,
        "fingerprint": fingerprint,
        "size_bytes": outcome.size_bytes,
        "mtime_ns": outcome.mtime_ns,
        "content": outcome.content,
        "run": run,
    }


def _outcomes_of(db: Connection, ids: Iterable[int], fingerprint: str) -> Sequence[Row[Any]]:
    of_these = OUTCOMES.c.file_id.in_(list(ids))
    return db.execute(select(OUTCOMES).where(of_these, OUTCOMES.c.fingerprint == fingerprint)).all()
