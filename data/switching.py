"""Switching: which model the library answers with, and what another one still lacks before it may."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, delete, exists, func, insert, or_, select, update
from sqlalchemy.orm import aliased

from data.recording import chunks, replace_outcomes
from data.records import FileState, Kind
from data.tables import ActiveModel, File, FileOutcome, Indexing, KnownModel, Root

_ROW = 1  # the only one of ActiveModel
_SAMPLED = 3  # files of a kind to time
_INDEXED = FileState.INDEXED.value


@dataclass(frozen=True, slots=True)
class LibraryModel:
    """A model that the library has vectors of."""

    name: str
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RootFilling:
    """How far a model has come with a root: of the `files` that the active model has indexed, how many are missing."""

    path: str
    files: int
    missing: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Filling:
    """How far a model has come with the library.

    Args:
        contents: indexed under it.
        segments: of those.
        roots: by path; nothing is missing of the active model itself.
    """

    model: LibraryModel
    is_active: bool
    contents: int
    segments: int
    roots: tuple[RootFilling, ...]

    @property
    def missing(self) -> int:
        """Files that are found today and would not be after a switch to this model."""
        return sum(root.missing for root in self.roots)


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Contents of one kind that a model is still to embed.

    Args:
        size_bytes: of each content once, however many copies there are.
        sample: paths of a few of them, of middling size, one of each content.
    """

    kind: Kind
    contents: int
    size_bytes: int
    sample: tuple[str, ...]


def active_model(db: Connection) -> LibraryModel | None:
    """The model whose collection answers; None before the first ingest."""
    row = db.execute(select(ActiveModel.name, ActiveModel.fingerprint)).first()
    return row and LibraryModel(row.name, row.fingerprint)


def known_models(db: Connection) -> list[LibraryModel]:
    """Every model that an ingest has begun with, by fingerprint."""
    rows = db.execute(select(KnownModel.name, KnownModel.fingerprint).order_by(KnownModel.fingerprint))
    return [LibraryModel(name, fingerprint) for name, fingerprint in rows]


def meet(db: Connection, model: LibraryModel) -> None:
    """Note that an ingest begins with a model, which may have another name by now: a folder can be moved."""
    if not rename(db, model):
        db.execute(insert(KnownModel).values(name=model.name, fingerprint=model.fingerprint))


def rename(db: Connection, model: LibraryModel) -> bool:
    """Have a model called as it is now, also where it answers; False where it is not known."""
    for table in (ActiveModel, KnownModel):
        named = update(table).where(table.fingerprint == model.fingerprint).values(name=model.name)
        is_known = db.execute(named).rowcount > 0
    return is_known


def answer_first(db: Connection, fingerprint: str) -> None:
    """Let a known model answer if no other has indexed anything.

    Not before it was loaded: one that cannot be would hold up every other.
    """
    active = active_model(db)
    if active is not None:
        filled = select(FileOutcome.file_id).where(_indexed(FileOutcome, active.fingerprint)).limit(1)
        if active.fingerprint == fingerprint or db.execute(filled).first() is not None:
            return
    name = db.execute(select(KnownModel.name).where(KnownModel.fingerprint == fingerprint)).scalar_one_or_none()
    if name is not None:
        activate(db, LibraryModel(name, fingerprint))


def activate(db: Connection, model: LibraryModel) -> None:
    """Make a model the one that answers."""
    values = {"name": model.name, "fingerprint": model.fingerprint}
    if not db.execute(update(ActiveModel).where(ActiveModel.id == _ROW).values(values)).rowcount:
        db.execute(insert(ActiveModel).values(id=_ROW, **values))


def filling(db: Connection, model: LibraryModel) -> Filling:
    """How far a model has come with what the active one has indexed."""
    active = active_model(db)
    counted = select(func.count(), func.coalesce(func.sum(Indexing.segments), 0))
    contents, segments = db.execute(counted.where(Indexing.fingerprint == model.fingerprint)).one()
    is_active = active is not None and active.fingerprint == model.fingerprint
    missing: dict[str, int] = {}
    if active is not None and not is_active:
        missing = _by_root(db, _lacking(active.fingerprint, model.fingerprint))
    files = _by_root(db, _indexed(_mine, active.fingerprint if active else ""))
    return Filling(
        model=model,
        is_active=is_active,
        contents=contents,
        segments=int(segments),
        roots=tuple(
            RootFilling(path=path, files=files.get(path, 0), missing=missing.get(path, 0))
            for path in db.execute(select(Root.path).order_by(Root.path)).scalars()
        ),
    )


def waiting(db: Connection, fingerprint: str, roots: Sequence[str]) -> list[Waiting]:
    """What the active model has indexed under these roots and `fingerprint` is still to embed."""
    active = active_model(db)
    if active is None or active.fingerprint == fingerprint:
        return []
    lacking = _lacking(active.fingerprint, fingerprint) & or_(*(is_under(root) for root in roots))
    each = (  # content once, though copies of it lie about
        select(_mine.kind, func.min(File.path).label("path"), func.max(_mine.size_bytes).label("size_bytes"))
        .join(File, File.id == _mine.file_id)
        .where(lacking)
        .group_by(_mine.kind, _mine.content)
        .subquery()
    )
    totals = select(each.c.kind, func.count(), func.sum(each.c.size_bytes)).group_by(each.c.kind)
    found = []
    for kind, contents, size_bytes in db.execute(totals).all():
        by_size = select(each.c.path).where(each.c.kind == kind).order_by(each.c.size_bytes, each.c.path)
        sample = tuple(db.execute(by_size.offset(max(0, contents // 2 - 1)).limit(_SAMPLED)).scalars())
        found.append(Waiting(kind=Kind(kind), contents=contents, size_bytes=int(size_bytes), sample=sample))
    return found


def adopt(db: Connection, model: LibraryModel) -> None:
    """Give a model an outcome for each file whose content it knows by another path (on a drive that is away now)."""
    active = active_model(db)
    if active is None:
        return
    other = aliased(FileOutcome)
    first = (
        select(func.min(other.file_id))
        .where(other.fingerprint == model.fingerprint, other.content == _mine.content)
        .correlate(_mine)
        .scalar_subquery()
    )
    known = aliased(FileOutcome)
    query = (
        select(_mine.file_id, _mine.size_bytes, _mine.mtime_ns, _mine.run, known.kind, known.content)
        .add_columns(known.state, known.reason, known.hint, known.attempts, known.is_final)
        .join(known, and_(known.file_id == first, known.fingerprint == model.fingerprint))
        .where(_indexed(_mine, active.fingerprint), ~_is_met(model.fingerprint))
    )
    rows = [{**row._mapping, "fingerprint": model.fingerprint} for row in db.execute(query)]
    for chunk in chunks(rows):
        replace_outcomes(db, chunk, model.fingerprint)


def forget_outcomes(db: Connection, fingerprint: str) -> int:
    """Drop all that is known under a fingerprint but its name; returns how many contents were indexed.

    Its runs stay, since files go on saying in which one they were seen: SQLite would give their numbers away again.
    """
    gone = db.execute(delete(Indexing).where(Indexing.fingerprint == fingerprint)).rowcount
    db.execute(delete(FileOutcome).where(FileOutcome.fingerprint == fingerprint))
    db.execute(delete(File).where(~exists().where(FileOutcome.file_id == File.id)))
    return gone


def is_under(root: str) -> ColumnElement[bool]:
    """The files at or below a root, as a range of paths, which their index answers: "0" comes next after "/"."""
    folder = root.rstrip("/")
    return (File.path == root) | and_(File.path >= folder + "/", File.path < folder + "0")


_mine = aliased(FileOutcome)  # the active model's outcome, beside which another's is looked for
_theirs = aliased(FileOutcome)


def _lacking(active: str, fingerprint: str) -> ColumnElement[bool]:
    """Outcomes that the active model indexed and that the other has nothing of: no outcome, no such content."""
    same = exists().where(_theirs.fingerprint == fingerprint, _theirs.content == _mine.content, _holds(fingerprint))
    return and_(_indexed(_mine, active), ~same, ~_is_met(fingerprint))


def _is_met(fingerprint: str) -> ColumnElement[bool]:
    """Whether the other model's outcome of the file is about the same bytes, or about later ones."""
    same_bytes = _theirs.content == _mine.content
    same_file = and_(_theirs.size_bytes == _mine.size_bytes, _theirs.mtime_ns == _mine.mtime_ns)
    is_known = or_(same_bytes, same_file, _theirs.run > _mine.run)
    return exists().where(
        _theirs.file_id == _mine.file_id, _theirs.fingerprint == fingerprint, is_known, _holds(fingerprint)
    )


def _holds(fingerprint: str) -> ColumnElement[bool]:
    """Whether the other model still has the vectors of what it has indexed: a store can be lost."""
    has_vectors = exists().where(Indexing.content == _theirs.content, Indexing.fingerprint == fingerprint)
    return or_(_theirs.state != _INDEXED, has_vectors)


def _indexed(outcome: Any, fingerprint: str) -> ColumnElement[bool]:
    return and_(outcome.fingerprint == fingerprint, outcome.state == _INDEXED)


def _by_root(db: Connection, condition: ColumnElement[bool]) -> dict[str, int]:
    counted = select(Root.path, func.count().label("number")).join(File, File.root_id == Root.id)
    rows = db.execute(counted.join(_mine, _mine.file_id == File.id).where(condition).group_by(Root.path))
    return {row.path: row.number for row in rows}
