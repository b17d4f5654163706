"""The catalogue's tables: roots, runs, files, and what became of them under each model's fingerprint."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, ColumnElement, ForeignKey, Index, Integer, String, Text, TypeDecorator
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeEngine

from data.printing import printable
from data.records import FileState


class PathText(TypeDecorator[str]):
    """A file system path as text, byte for byte.

    Python reads an undecodable byte 0xNN of a file name as the lone surrogate U+DCNN, which no database takes as
    text; it is kept as U+10FFNN, the end of the last private-use plane. So is the byte 0, which is in no path, but in
    what may be asked for. Paths are ordered by their bytes.
    """

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[str]:
        return dialect.type_descriptor(Text(collation="C" if dialect.name == "postgresql" else None))

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else escape_path(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else _map_range(value, 0x10FF80, 0xDC80)


def escape_path(path: str) -> str:
    """The form in which `PathText` stores a path."""
    return _map_range(path, 0xDC80, 0x10FF80).replace("\0", "\U0010ff00")


def _map_range(text: str, start: int, to: int) -> str:
    """`text` with the 128 characters from `start` moved to `to`."""
    if text.isascii():
        return text
    return "".join(chr(ord(c) - start + to) if start <= ord(c) < start + 128 else c for c in text)


class PlainText(TypeDecorator[str]):
    """What is said of a file, for a person to read: letters that cannot be shown, or do things to a terminal, are �.

    What is wrong with a file is often said in words of the file itself, which no database needs to take as text.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else printable(value, but="\n")

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else printable(value, but="\n")  # an older version kept them as they were


class Base(DeclarativeBase):
    pass


class Root(Base):
    """A folder (or single file) that was ingested."""

    __tablename__ = "roots"
    id: Mapped[int] = mapped_column(primary_key=True)
    path: Mapped[str] = mapped_column(PathText, unique=True)
    offline_reason: Mapped[str] = mapped_column(PlainText, default="")  # "" while the root is there


class Run(Base):
    """One crawl of one root."""

    __tablename__ = "runs"
    id: Mapped[int] = mapped_column(primary_key=True)
    root_id: Mapped[int] = mapped_column(ForeignKey("roots.id", ondelete="CASCADE"))
    fingerprint: Mapped[str] = mapped_column(String(200))
    started_at: Mapped[float]  # seconds since the epoch
    finished_at: Mapped[float | None]


class RunProgress(Base):
    """One row: how far the ingest has come that is under way; see `data.running.Progress`."""

    __tablename__ = "progress"
    run: Mapped[int] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    files_done: Mapped[int]
    bytes_done: Mapped[int] = mapped_column(BigInteger)
    files: Mapped[int | None]
    size_bytes: Mapped[int | None] = mapped_column(BigInteger)
    failed: Mapped[int]
    at: Mapped[str] = mapped_column(PathText)
    left_s: Mapped[float | None]


class File(Base):
    """A path that the last complete crawl of its root saw."""

    __tablename__ = "files"
    id: Mapped[int] = mapped_column(primary_key=True)
    root_id: Mapped[int] = mapped_column(ForeignKey("roots.id", ondelete="CASCADE"), index=True)
    path: Mapped[str] = mapped_column(PathText, unique=True)
    seen_run: Mapped[int] = mapped_column(Integer, default=0)


class NameWord(Base):
    """A word of a file's name, or of a folder it lies in."""

    __tablename__ = "name_words"
    __table_args__ = ({"sqlite_with_rowid": False},)
    word: Mapped[str] = mapped_column(String(60), primary_key=True)
    file_id: Mapped[int] = mapped_column(ForeignKey("files.id", ondelete="CASCADE"), primary_key=True, index=True)


class FileOutcome(Base):
    """How the last attempt at a file ended under one fingerprint; two models know a file side by side."""

    __tablename__ = "outcomes"
    file_id: Mapped[int] = mapped_column(ForeignKey("files.id", ondelete="CASCADE"), primary_key=True)
    fingerprint: Mapped[str] = mapped_column(String(200), primary_key=True)
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    mtime_ns: Mapped[int] = mapped_column(BigInteger)
    kind: Mapped[str | None] = mapped_column(String(16))
    content: Mapped[str | None] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str] = mapped_column(PlainText, default="")
    hint: Mapped[str] = mapped_column(PlainText, default="")
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    is_final: Mapped[bool]  # False: the next run tries again
    run: Mapped[int] = mapped_column(Integer)  # that reached it: of two models' outcomes, the later one is right


def is_indexed(outcome: Any) -> ColumnElement[bool]:
    """Whether `outcome` is INDEXED, asked so that no index answers it.

    Nearly all are, and SQLite takes whatever is compared for equality for rare: it would go through all of them rather
    than begin with what is rare indeed.
    """
    others = [state.value for state in FileState if state is not FileState.INDEXED]
    is_other: ColumnElement[bool] = outcome.state.in_(others)
    return ~is_other


class Indexing(Base):
    """A content whose segments are all in the vector store under a fingerprint."""

    __tablename__ = "indexings"
    content: Mapped[str] = mapped_column(String(64), primary_key=True)
    fingerprint: Mapped[str] = mapped_column(String(200), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    segments: Mapped[int]
    notes: Mapped[str] = mapped_column(PlainText, default="")  # what was left out, one note a line
    duration_s: Mapped[float | None]  # None for what does not last, and where an older version indexed it
    indexed_at: Mapped[float]  # seconds since the epoch


class LibraryId(Base):
    """One row: what tells the library's collections on a Qdrant server from those of other libraries."""

    __tablename__ = "library"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)


class KnownModel(Base):
    """A model that an ingest has begun to fill a collection with."""

    __tablename__ = "models"
    fingerprint: Mapped[str] = mapped_column(String(200), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    place: Mapped[str] = mapped_column(String(200), default="")  # of its collection, as the last ingest found it


class ActiveModel(Base):
    """One row: the model whose collection answers."""

    __tablename__ = "active_model"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    fingerprint: Mapped[str] = mapped_column(String(200))


class Judgement(Base):
    """What a person said of one content as the answer to one question."""

    __tablename__ = "judgements"
    question_id: Mapped[str] = mapped_column(String(64), primary_key=True)  # SHA-256 of the question
    content: Mapped[str] = mapped_column(String(64), primary_key=True)
    question: Mapped[str] = mapped_column(Text)
    segment: Mapped[str] = mapped_column(String(36))
    is_right: Mapped[bool]
    made_at: Mapped[float]  # seconds since the epoch


class Saved(Base):
    """A search that is asked again now and then."""

    __tablename__ = "searches"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(200), unique=True)
    address: Mapped[str] = mapped_column(Text)  # the page's, from its question mark on
    seen_at: Mapped[float]  # when it was last looked at, in seconds since the epoch


class SchemaVersion(Base):
    """One row: the number of the last migration step applied."""

    __tablename__ = "schema_version"
    version: Mapped[int] = mapped_column(primary_key=True)


# Two more hold some rows only: see `data.migrations`.
Index("ix_indexings_counted", Indexing.fingerprint, Indexing.segments)  # all that counting them needs
# None begins with the fingerprint, which most rows share: SQLite would take such an index for a narrow one.
Index("ix_outcomes_content", FileOutcome.content, FileOutcome.fingerprint)
Index("ix_outcomes_counted", FileOutcome.kind, FileOutcome.state, FileOutcome.fingerprint)
Index("ix_outcomes_state", FileOutcome.state, FileOutcome.fingerprint)
