"""Switching: which model the library answers with, and what another one still lacks before it may."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    and_,
    case,
    delete,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)

from data.recording import chunks, replace_outcomes
from data.records import FileState, Kind
from data.tables import ACTIVE_MODEL, FILES, INDEXINGS, MODELS, OUTCOMES, ROOTS

_ROW = 1  # the only one of ACTIVE_MODEL
_SAMPLED = 3  # files of a kind to time
_INDEXED = FileState.INDEXED.value


@dataclass(frozen=True, slots=True)
class LibraryModel:
    """A model that the library has vectors of."""

    name: str
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RootFilling:
    """How far a model has come with a root.

    Args:
        files: that the active model has indexed.
        missing: of those, which it has not looked at yet.
        failed: of those, which it could not embed.
        skipped: of those, of which it takes nothing in.
    """

    path: str
    files: int
    missing: int
    failed: int = 0
    skipped: int = 0


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
        """Files that are found today and that the model has not looked at yet."""
        return sum(root.missing for root in self.roots)

    @property
    def failed(self) -> int:
        """Files that are found today and that the model could not embed."""
        return sum(root.failed for root in self.roots)

    @property
    def unfound(self) -> int:
        """Files that are found today and would not be after a switch to this model."""
        return self.missing + self.failed + sum(root.skipped for root in self.roots)

    @property
    def is_broken(self) -> bool:
        """Whether the model failed on more files than it finds: that is more likely its fault than that of files."""
        return self.failed > sum(root.files for root in self.roots) - self.unfound


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
    row = db.execute(select(ACTIVE_MODEL.c.name, ACTIVE_MODEL.c.fingerprint)).first()
    return row and LibraryModel(row.name, row.fingerprint)


def known_models(db: Connection) -> list[LibraryModel]:
    """Every model that an ingest has begun with, by fingerprint."""
    rows = db.execute(select(MODELS.c.name, MODELS.c.fingerprint).order_by(MODELS.c.fingerprint))
    return [LibraryModel(name, fingerprint) for name, fingerprint in rows]


def meet(db: Connection, model: LibraryModel) -> None:
    """Note that an ingest begins with a model, which may have another name by now: a folder can be moved."""
    if not rename(db, model):
        db.execute(insert(MODELS).values(name=model.name, fingerprint=model.fingerprint))


def rename(db: Connection, model: LibraryModel) -> bool:
    """Have a model called as it is now, also where it answers; False where it is not known."""
    for table in (ACTIVE_MODEL, MODELS):
        named = update(table).where(table.c.fingerprint == model.fingerprint).values(name=model.name)
        is_known = db.execute(named).rowcount > 0
    return is_known


def answer_first(db: Connection, fingerprint: str) -> None:
    """Let a known model answer if no other has indexed anything.

    Not before it was loaded: one that cannot be would hold up every other.
    """
    active = active_model(db)
    if active is not None:
        filled = select(OUTCOMES.c.file_id).where(_indexed(OUTCOMES, active.fingerprint)).limit(1)
        if active.fingerprint == fingerprint or db.execute(filled).first() is not None:
            return
    name = db.execute(select(MODELS.c.name).where(MODELS.c.fingerprint == fingerprint)).scalar_one_or_none()
    if name is not None:
        activate(db, LibraryModel(name, fingerprint))


def activate(db: Connection, model: LibraryModel) -> None:
    """Make a model the one that answers."""
    values = {"name": model.name, "fingerprint": model.fingerprint}
    if not db.execute(update(ACTIVE_MODEL).where(ACTIVE_MODEL.c.id == _ROW).values(values)).rowcount:
        db.execute(insert(ACTIVE_MODEL).values(id=_ROW, **values))


def filling(db: Connection, model: LibraryModel) -> Filling:
    """How far a model has come with what the active one has indexed."""
    active = active_model(db)
    counted = select(func.count(), func.coalesce(func.sum(INDEXINGS.c.segments), 0))
    contents, segments = db.execute(counted.where(INDEXINGS.c.fingerprint == model.fingerprint)).one()
    is_active = active is not None and active.fingerprint == model.fingerprint
    fates = _fates(db, active.fingerprint, model.fingerprint) if active is not None else {}
    return Filling(
        model=model,
        is_active=is_active,
        contents=contents,
        segments=int(segments),
        roots=tuple(
            RootFilling(
                path=path,
                files=sum(number for (root, _), number in fates.items() if root == path),
                missing=fates.get((path, "missing"), 0),
                failed=fates.get((path, "failed"), 0),
                skipped=fates.get((path, "skipped"), 0),
            )
            for path in db.execute(select(ROOTS.c.path).order_by(ROOTS.c.path)).scalars()
        ),
    )


def waiting(db: Connection, fingerprint: str, roots: Sequence[str]) -> list[Waiting]:
    """What the active model has indexed under these roots and `fingerprint` is still to embed."""
    active = active_model(db)
    if active is None or active.fingerprint == fingerprint:
        return []
    lacking = _lacking(active.fingerprint, fingerprint) & or_(*(is_under(root) for root in roots))
    each = (  # content once, though copies of it lie about
        select(_mine.c.kind, func.min(FILES.c.path).label("path"), func.max(_mine.c.size_bytes).label("size_bytes"))
        .select_from(_mine)
        .join(FILES, FILES.c.id == _mine.c.file_id)
        .where(lacking)
        .group_by(_mine.c.kind, _mine.c.content)
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
    other = OUTCOMES.alias()
    first = (
        select(func.min(other.c.file_id))
        .where(other.c.fingerprint == model.fingerprint, other.c.content == _mine.c.content)
        .correlate(_mine)
        .scalar_subquery()
    )
    known = OUTCOMES.alias()
    query = (
        select(_mine.c.file_id, _mine.c.size_bytes, _mine.c.mtime_ns, _mine.c.run, known.c.kind, known.c.content)
        .add_columns(known.c.state, known.c.reason, known.c.hint, known.c.attempts, known.c.is_final)
        .select_from(_mine)
        .join(known, and_(known.c.file_id == first, known.c.fingerprint == model.fingerprint))
        .where(_indexed(_mine, active.fingerprint), ~_is_met(model.fingerprint))
    )
    rows = [{**row._mapping, "fingerprint": model.fingerprint} for row in db.execute(query)]
    for chunk in chunks(rows):
        replace_outcomes(db, chunk, model.fingerprint)


def forget_outcomes(db: Connection, fingerprint: str) -> int:
    """Drop all that is known under a fingerprint but its name; returns how many contents were indexed.

    Its runs stay, since files go on saying in which one they were seen: SQLite would give their numbers away again.
    """
    gone = db.execute(delete(INDEXINGS).where(INDEXINGS.c.fingerprint == fingerprint)).rowcount
    db.execute(delete(OUTCOMES).where(OUTCOMES.c.fingerprint == fingerprint))
    db.execute(delete(FILES).where(~exists().where(OUTCOMES.c.file_id == FILES.c.id)))
    return gone


def is_under(root: str) -> ColumnElement[bool]:
    """The files at or below a root, as a range of paths, which their index answers: "0" comes next after "/"."""
    folder = root.rstrip("/")
    return (FILES.c.path == root) | and_(FILES.c.path >= folder + "/", FILES.c.path < folder + "0")


_mine = OUTCOMES.alias()  # the active model's outcome, beside which another's is looked for
_theirs = OUTCOMES.alias()


def _lacking(active: str, fingerprint: str) -> ColumnElement[bool]:
    """Outcomes that the active model indexed and that the other has nothing of: no outcome, no such content."""
    same = exists().where(
        _theirs.c.fingerprint == fingerprint, _theirs.c.content == _mine.c.content, _holds(fingerprint)
    )
    return and_(_indexed(_mine, active), ~same, ~_is_met(fingerprint))


def _is_met(fingerprint: str) -> ColumnElement[bool]:
    """Whether the other model's outcome of the file is about the same bytes, or about later ones."""
    return exists().where(_is_outcome_of_file(fingerprint), _holds(fingerprint))


def _is_outcome_of_file(fingerprint: str) -> ColumnElement[bool]:
    same_bytes = _theirs.c.content == _mine.c.content
    same_file = and_(_theirs.c.size_bytes == _mine.c.size_bytes, _theirs.c.mtime_ns == _mine.c.mtime_ns)
    is_known = or_(same_bytes, same_file, _theirs.c.run > _mine.c.run)
    return and_(_theirs.c.file_id == _mine.c.file_id, _theirs.c.fingerprint == fingerprint, is_known)


def _holds(fingerprint: str) -> ColumnElement[bool]:
    """Whether the other model still has the vectors of what it has indexed: a store can be lost."""
    has_vectors = exists().where(INDEXINGS.c.content == _theirs.c.content, INDEXINGS.c.fingerprint == fingerprint)
    return or_(_theirs.c.state != _INDEXED, has_vectors)


def _indexed(outcome: FromClause, fingerprint: str) -> ColumnElement[bool]:
    return and_(outcome.c.fingerprint == fingerprint, outcome.c.state == _INDEXED)


def _fates(db: Connection, active: str, fingerprint: str) -> dict[tuple[str, str], int]:
    """By root, and by what became of them with the other model: how many files the active one has indexed."""
    fate: ColumnElement[str] = literal("found")
    if fingerprint != active:
        fate = case(  # in this order: of a model that is filled, the first is all that is looked up
            (_ended(fingerprint, FileState.INDEXED), "found"),
            (_lacking(active, fingerprint), "missing"),
            (_ended(fingerprint, FileState.FAILED), "failed"),
            else_="skipped",
        )
    each = (
        select(ROOTS.c.path, fate.label("fate"))
        .select_from(ROOTS)
        .join(FILES, FILES.c.root_id == ROOTS.c.id)
        .join(_mine, _mine.c.file_id == FILES.c.id)
        .where(_indexed(_mine, active))
        .subquery()
    )
    rows = db.execute(select(each.c.path, each.c.fate, func.count()).group_by(each.c.path, each.c.fate))
    return {(path, became): number for path, became, number in rows}


def _ended(fingerprint: str, state: FileState) -> ColumnElement[bool]:
    """Whether the other model's outcome of the content, or else of the file, is this state and holds."""
    is_so = and_(_theirs.c.fingerprint == fingerprint, _theirs.c.state == state.value, _holds(fingerprint))
    same_content = exists().where(_theirs.c.content == _mine.c.content, is_so)
    return or_(same_content, exists().where(_is_outcome_of_file(fingerprint), is_so))
