"""The catalogue's tables: roots, runs, files, and what became of them under each model's fingerprint."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Double,
    ForeignKey,
    FromClause,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
)
from sqlalchemy.engine import Dialect
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


METADATA = MetaData()


def _id() -> Column[int]:
    return Column("id", Integer, primary_key=True)


def _of(name: str, table: str, *, primary_key: bool = False, index: bool = False) -> Column[int]:
    """The ID of a row of another table, with which this one goes, too."""
    parent = ForeignKey(f"{table}.id", ondelete="CASCADE")
    return Column(name, parent, nullable=False, primary_key=primary_key, index=index or None)


def _given(name: str, kind: Any, *, unique: bool = False, default: object = None) -> Column[Any]:
    """A column that is never empty."""
    return Column(name, kind, nullable=False, unique=unique or None, default=default)


# A folder (or single file) that was ingested.
ROOTS = Table(
    "roots",
    METADATA,
    _id(),
    _given("path", PathText, unique=True),
    _given("offline_reason", PlainText, default=""),  # "" while the root is there
)

# One crawl of one root.
RUNS = Table(
    "runs",
    METADATA,
    _id(),
    _of("root_id", "roots"),
    _given("fingerprint", String(200)),
    _given("started_at", Double),  # seconds since the epoch
    Column("finished_at", Double),
)

# One row: how far the ingest has come that is under way; see `data.running.Progress`.
PROGRESS = Table(
    "progress",
    METADATA,
    _of("run", "runs", primary_key=True),
    _given("files_done", Integer),
    _given("bytes_done", BigInteger),
    Column("files", Integer),
    Column("size_bytes", BigInteger),
    _given("failed", Integer),
    _given("at", PathText),
    Column("left_s", Double),
)

# A path that the last complete crawl of its root saw.
FILES = Table(
    "files",
    METADATA,
    _id(),
    _of("root_id", "roots", index=True),
    _given("path", PathText, unique=True),
    _given("seen_run", Integer, default=0),
)

# A word of a file's name, or of a folder it lies in.
NAME_WORDS = Table(
    "name_words",
    METADATA,
    Column("word", String(60), primary_key=True),
    _of("file_id", "files", primary_key=True, index=True),
    sqlite_with_rowid=False,
)

# How the last attempt at a file ended under one fingerprint; two models know a file side by side.
OUTCOMES = Table(
    "outcomes",
    METADATA,
    _of("file_id", "files", primary_key=True),
    Column("fingerprint", String(200), primary_key=True),
    _given("size_bytes", BigInteger),
    _given("mtime_ns", BigInteger),
    Column("kind", String(16)),
    Column("content", String(64)),
    _given("state", String(16)),
    _given("reason", PlainText, default=""),
    _given("hint", PlainText, default=""),
    _given("attempts", Integer, default=0),
    _given("is_final", Boolean),  # False: the next run tries again
    _given("run", Integer),  # that reached it: of two models' outcomes, the later one is right
)

# A content whose segments are all in the vector store under a fingerprint.
INDEXINGS = Table(
    "indexings",
    METADATA,
    Column("content", String(64), primary_key=True),
    Column("fingerprint", String(200), primary_key=True),
    _given("kind", String(16)),
    _given("segments", Integer),
    _given("notes", PlainText, default=""),  # what was left out, one note a line
    Column("duration_s", Double),  # None for what does not last, and where an older version indexed it
    _given("indexed_at", Double),  # seconds since the epoch
)

# One row: what tells the library's collections on a Qdrant server from those of other libraries.
LIBRARY = Table("library", METADATA, Column("id", String(32), primary_key=True))

# A model that an ingest has begun to fill a collection with.
MODELS = Table(
    "models",
    METADATA,
    Column("fingerprint", String(200), primary_key=True),
    _given("name", String(200)),
    _given("place", String(200), default=""),  # of its collection, as the last ingest found it
)

# One row: the model whose collection answers.
ACTIVE_MODEL = Table("active_model", METADATA, _id(), _given("name", String(200)), _given("fingerprint", String(200)))

# What a person said of one content as the answer to one question.
JUDGEMENTS = Table(
    "judgements",
    METADATA,
    Column("question_id", String(64), primary_key=True),  # SHA-256 of the question
    Column("content", String(64), primary_key=True),
    _given("question", Text),
    _given("segment", String(36)),
    _given("is_right", Boolean),
    _given("made_at", Double),  # seconds since the epoch
)

# A search that is asked again now and then.
SEARCHES = Table(
    "searches",
    METADATA,
    _id(),
    _given("name", String(200), unique=True),
    _given("address", Text),  # the page's, from its question mark on
    _given("seen_at", Double),  # when it was last looked at, in seconds since the epoch
)

# One row: the number of the last migration step applied.
SCHEMA_VERSION = Table("schema_version", METADATA, Column("version", Integer, primary_key=True))

# Two more hold some rows only: see `data.migrations`.
Index("ix_indexings_counted", INDEXINGS.c.fingerprint, INDEXINGS.c.segments)  # all that counting them needs
# None begins with the fingerprint, which most rows share: SQLite would take such an index for a narrow one.
Index("ix_outcomes_content", OUTCOMES.c.content, OUTCOMES.c.fingerprint)
Index("ix_outcomes_counted", OUTCOMES.c.kind, OUTCOMES.c.state, OUTCOMES.c.fingerprint)
Index("ix_outcomes_state", OUTCOMES.c.state, OUTCOMES.c.fingerprint)


def is_indexed(outcome: FromClause) -> ColumnElement[bool]:
    """Whether `outcome` is INDEXED, asked so that no index answers it.

    Nearly all are, and SQLite takes whatever is compared for equality for rare: it would go through all of them rather
    than begin with what is rare indeed.
    """
    others = [state.value for state in FileState if state is not FileState.INDEXED]
    is_other: ColumnElement[bool] = outcome.c.state.in_(others)
    return ~is_other
