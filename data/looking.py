"""Looking: what the catalogue's tables know of files and contents, asked in the caller's transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, exists, func, select

from data.recording import chunks
from data.records import FileRecord, FileState, Kind
from data.running import Running, running
from data.switching import active_model
from data.tables import ACTIVE_MODEL, FILES, INDEXINGS, OUTCOMES, ROOTS

_KINDS = {None: None} | {kind.value: kind for kind in Kind}
_STATES = {state.value: state for state in FileState}

# Asked for every file of a crawl: built once, for building takes longer than answering.
_KNOWN = (
    select(FILES.c.id, FILES.c.path, OUTCOMES.c.size_bytes, OUTCOMES.c.mtime_ns, OUTCOMES.c.content, OUTCOMES.c.state)
    .add_columns(OUTCOMES.c.fingerprint, OUTCOMES.c.is_final, INDEXINGS.c.content)
    .select_from(FILES)
    .join(OUTCOMES, OUTCOMES.c.file_id == FILES.c.id)
    .outerjoin(
        INDEXINGS, (INDEXINGS.c.content == OUTCOMES.c.content) & (INDEXINGS.c.fingerprint == bindparam("fingerprint"))
    )
    .where(FILES.c.path.in_(bindparam("paths", expanding=True)))
    .order_by(OUTCOMES.c.run)
)
_INDEXED_KIND = select(INDEXINGS.c.kind).where(
    INDEXINGS.c.content == bindparam("content"), INDEXINGS.c.fingerprint == bindparam("fingerprint")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the catalogue remembers of a path, under the fingerprint asked for or else under the latest other one.

    Args:
        settled: the remembered outcome holds under the fingerprint asked for: nothing to do while size and
            mtime stay the same.
    """

    id: int
    size_bytes: int
    mtime_ns: int
    content: str | None
    state: FileState
    settled: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RootSummary:
    path: str
    files: int
    offline_reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LibrarySummary:
    """What the library holds.

    Args:
        counts: files by kind and state under the active model; kind None for files whose kind is not known.
        segments: by fingerprint, over the contents indexed under it.
        running: crawls that have not ended; whether their ingest lives, `data.locks.is_ingesting` tells.
    """

    roots: tuple[RootSummary, ...]
    counts: dict[tuple[Kind | None, FileState], int]
    segments: dict[str, int]
    running: tuple[Running, ...]


def known_files(db: Connection, paths: Sequence[str], fingerprint: str) -> dict[str, Known]:
    """What is remembered of these paths (any number); unknown ones are left out."""
    found: dict[str, Known] = {}
    for chunk in chunks(paths):
        rows = db.execute(_KNOWN, {"paths": chunk, "fingerprint": fingerprint}).all()
        mine = {row.path for row in rows if row.fingerprint == fingerprint}
        for number, path, size_bytes, mtime_ns, content, state, filed_under, is_final, indexed in rows:
            is_mine = filed_under == fingerprint
            if path in mine and not is_mine:
                continue
            is_indexed = state == FileState.INDEXED.value
            found[path] = Known(
                id=number,
                size_bytes=size_bytes,
                mtime_ns=mtime_ns,
                content=content,
                state=_STATES[state],
                settled=is_mine and (indexed is not None if is_indexed else is_final),
            )
    return found


def indexed_kind(db: Connection, content: str, fingerprint: str) -> Kind | None:
    """The kind under which a content is indexed, None when it is not."""
    found = db.execute(_INDEXED_KIND, {"content": content, "fingerprint": fingerprint})
    return _KINDS[found.scalar_one_or_none()]


def indexed_among(db: Connection, contents: Collection[str], fingerprint: str) -> set[str]:
    """Those of `contents` that are indexed under a fingerprint."""
    found: set[str] = set()
    query = select(INDEXINGS.c.content).where(INDEXINGS.c.fingerprint == fingerprint)
    for chunk in chunks(list(contents)):
        found.update(db.execute(query.where(INDEXINGS.c.content.in_(chunk))).scalars())
    return found


def lost_contents(db: Connection, stored: Collection[str], fingerprint: str) -> set[str]:
    """Contents that are indexed under a fingerprint, with segments, and are not among the stored ones."""
    query = select(INDEXINGS.c.content).where(INDEXINGS.c.fingerprint == fingerprint, INDEXINGS.c.segments > 0)
    return set(db.execute(query).scalars()).difference(stored)


def orphaned(db: Connection) -> dict[str, set[str]]:
    """Contents that are indexed and that no file has any more, by fingerprint."""
    is_live = exists().where(
        OUTCOMES.c.content == INDEXINGS.c.content, OUTCOMES.c.fingerprint == INDEXINGS.c.fingerprint
    )
    found: defaultdict[str, set[str]] = defaultdict(set)
    for fingerprint, content in db.execute(select(INDEXINGS.c.fingerprint, INDEXINGS.c.content).where(~is_live)):
        found[fingerprint].add(content)
    return dict(found)


def under(fingerprint: str | None) -> ColumnElement[bool]:
    """Outcomes under a fingerprint, or under the active model's."""
    active = select(ACTIVE_MODEL.c.fingerprint).scalar_subquery()
    return OUTCOMES.c.fingerprint == (active if fingerprint is None else fingerprint)


def file_records(db: Connection, condition: ColumnElement[bool]) -> list[FileRecord]:
    """The files and outcomes of which a condition holds, by path."""
    same = (INDEXINGS.c.content == OUTCOMES.c.content) & (INDEXINGS.c.fingerprint == OUTCOMES.c.fingerprint)
    query = (
        select(FILES.c.id, FILES.c.path, ROOTS.c.path.label("root"), INDEXINGS.c.duration_s, OUTCOMES)
        .select_from(FILES)
        .join(OUTCOMES, OUTCOMES.c.file_id == FILES.c.id)
        .join(ROOTS, ROOTS.c.id == FILES.c.root_id)
        .outerjoin(INDEXINGS, same)
    )
    return [_file_record(row) for row in db.execute(query.where(condition).order_by(FILES.c.path))]


def best_record(db: Connection, file_id: int) -> FileRecord | None:
    """A file by its number: as it is indexed under the active model, or else under any, or else as it is."""
    active = active_model(db)
    fingerprint = active.fingerprint if active else ""
    found = file_records(db, FILES.c.id == file_id)
    ranked = sorted(found, key=lambda one: (one.state is not FileState.INDEXED, one.fingerprint != fingerprint))
    return next(iter(ranked), None)


def indexing_notes(db: Connection, fingerprint: str | None) -> dict[str, list[str]]:
    """What was left out of indexed files, by path."""
    same = (INDEXINGS.c.content == OUTCOMES.c.content) & (INDEXINGS.c.fingerprint == OUTCOMES.c.fingerprint)
    query = (
        select(FILES.c.path, INDEXINGS.c.notes)
        .select_from(FILES)
        .join(OUTCOMES, OUTCOMES.c.file_id == FILES.c.id)
        .join(INDEXINGS, same)
        .where(INDEXINGS.c.notes != "", under(fingerprint))
    )
    return {path: notes.splitlines() for path, notes in db.execute(query.order_by(FILES.c.path))}


def summarised(db: Connection) -> LibrarySummary:
    """The whole library in numbers."""
    files_of_root = select(func.count()).where(FILES.c.root_id == ROOTS.c.id).scalar_subquery()
    roots = db.execute(select(ROOTS.c.path, ROOTS.c.offline_reason, files_of_root).order_by(ROOTS.c.path)).all()
    counted = select(OUTCOMES.c.kind, OUTCOMES.c.state, func.count()).where(under(None))
    counts = db.execute(counted.group_by(OUTCOMES.c.kind, OUTCOMES.c.state)).all()
    summed = select(INDEXINGS.c.fingerprint, func.sum(INDEXINGS.c.segments)).group_by(INDEXINGS.c.fingerprint)
    segments = db.execute(summed).all()
    return LibrarySummary(
        roots=tuple(RootSummary(path=p, offline_reason=why, files=n) for p, why, n in roots),
        counts={(_KINDS[kind], _STATES[state]): number for kind, state, number in counts},
        segments={fingerprint: int(number) for fingerprint, number in segments},
        running=running(db),
    )


def _file_record(row: Any) -> FileRecord:
    return FileRecord(
        id=row.id,
        root=row.root,
        path=row.path,
        size_bytes=row.size_bytes,
        mtime_ns=row.mtime_ns,
        kind=_KINDS[row.kind],
        content=row.content,
        fingerprint=row.fingerprint,
        state=_STATES[row.state],
        reason=row.reason,
        hint=row.hint,
        attempts=row.attempts,
        duration_s=row.duration_s,
    )
