"""Numbered schema steps: an old catalogue becomes a new one when it is opened."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable

from sqlalchemy import Connection, func, insert, inspect, select, text, update

from data.errors import StoreUnavailableError
from data.naming import keep_names
from data.tables import FILES, LIBRARY, METADATA, ROOTS, SCHEMA_VERSION

log = logging.getLogger(__name__)

FIRST_VERSION = 1
_NAMED = 5_000  # files at a time whose names are cut into words
_LOCK = 0x6F6D6E69  # advisory, of PostgreSQL: one migration at a time


def _two_models(db: Connection) -> None:
    """Version 2: outcomes of files under each fingerprint, the models' names, and which one is active.

    A catalogue of version 1 kept one outcome for each file, the last one under whatever fingerprint; so a file counts
    as indexed under every fingerprint that has its content. Its models were all named like "omnia-zero", with
    fingerprints like "omnia-zero-4". The last one that ran is the active one.
    """
    for statement in _TWO_MODELS:
        db.execute(text(statement))
    ran = db.execute(text("SELECT fingerprint FROM runs GROUP BY fingerprint ORDER BY max(id) DESC")).scalars()
    indexed = db.execute(text("SELECT DISTINCT fingerprint FROM indexings")).scalars()
    known = list(dict.fromkeys([*ran, *indexed]))
    for fingerprint in known:
        row = {"name": fingerprint.rpartition("-")[0] or fingerprint, "fingerprint": fingerprint}
        db.execute(text("INSERT INTO models (fingerprint, name) VALUES (:fingerprint, :name)"), row)
        if fingerprint == known[0]:
            db.execute(text("INSERT INTO active_model (id, name, fingerprint) VALUES (1, :name, :fingerprint)"), row)
    columns = "size_bytes, mtime_ns, kind, content, fingerprint, state, reason, hint, attempts"
    for index in ("ix_files_content", "ix_files_state"):
        db.execute(text(f"DROP INDEX {index}"))
    for column in columns.split(", "):
        db.execute(text(f"ALTER TABLE files DROP COLUMN {column}"))


# As it was made then: `data.tables` goes on changing.
_TWO_MODELS = (
    """CREATE TABLE outcomes (
        file_id INTEGER NOT NULL REFERENCES files (id) ON DELETE CASCADE, fingerprint VARCHAR(200) NOT NULL,
        size_bytes BIGINT NOT NULL, mtime_ns BIGINT NOT NULL, kind VARCHAR(16), content VARCHAR(64),
        state VARCHAR(16) NOT NULL, reason TEXT NOT NULL, hint TEXT NOT NULL, attempts INTEGER NOT NULL,
        is_final BOOLEAN NOT NULL, run INTEGER NOT NULL, PRIMARY KEY (file_id, fingerprint))""",
    "CREATE INDEX ix_outcomes_content ON outcomes (content, fingerprint)",
    "CREATE INDEX ix_outcomes_state ON outcomes (state, fingerprint)",
    "CREATE TABLE models (fingerprint VARCHAR(200) NOT NULL PRIMARY KEY, name VARCHAR(200) NOT NULL)",
    """CREATE TABLE active_model (
        id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(200) NOT NULL, fingerprint VARCHAR(200) NOT NULL)""",
    """INSERT INTO outcomes
        SELECT f.id, i.fingerprint, f.size_bytes, f.mtime_ns, i.kind, f.content, f.state, f.reason, f.hint, f.attempts,
            TRUE, f.seen_run
        FROM files f JOIN indexings i ON i.content = f.content WHERE f.state = 'indexed'""",
    """INSERT INTO outcomes
        SELECT f.id, CASE WHEN f.fingerprint <> '' THEN f.fingerprint ELSE r.fingerprint END,
            f.size_bytes, f.mtime_ns, f.kind, f.content, f.state, f.reason, f.hint, f.attempts,
            f.fingerprint <> '', f.seen_run
        FROM files f JOIN runs r ON r.id = (SELECT max(id) FROM runs) WHERE f.state <> 'indexed'""",
)


def _durations(db: Connection) -> None:
    """Version 3: how long a recording lasts."""
    db.execute(text("ALTER TABLE indexings ADD COLUMN duration_s FLOAT"))


def _judgements(db: Connection) -> None:
    """Version 4: what people said of results."""
    db.execute(
        text(
            """CREATE TABLE judgements (
                question_id VARCHAR(64) NOT NULL, content VARCHAR(64) NOT NULL, question TEXT NOT NULL,
                segment VARCHAR(36) NOT NULL, is_right BOOLEAN NOT NULL, made_at FLOAT NOT NULL,
                PRIMARY KEY (question_id, content))"""
        )
    )


def _searches(db: Connection) -> None:
    """Version 5: saved searches."""
    key = "INTEGER" if db.dialect.name == "sqlite" else "SERIAL"
    db.execute(
        text(
            f"""CREATE TABLE searches (
                id {key} NOT NULL PRIMARY KEY, name VARCHAR(200) NOT NULL UNIQUE, address TEXT NOT NULL,
                seen_at FLOAT NOT NULL)"""
        )
    )


def _names(db: Connection) -> None:
    """Version 6: the words of files' names, which version 10 fills in."""
    rowid = " WITHOUT ROWID" if db.dialect.name == "sqlite" else ""
    db.execute(
        text(
            f"""CREATE TABLE name_words (
                word VARCHAR(60) NOT NULL, file_id INTEGER NOT NULL REFERENCES files (id) ON DELETE CASCADE,
                PRIMARY KEY (word, file_id)){rowid}"""
        )
    )
    db.execute(text("CREATE INDEX ix_name_words_file_id ON name_words (file_id)"))


def _progress(db: Connection) -> None:
    """Version 7: how far a running ingest has come."""
    db.execute(
        text(
            """CREATE TABLE progress (
                run INTEGER NOT NULL PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE, files_done INTEGER NOT NULL,
                bytes_done BIGINT NOT NULL, files INTEGER, size_bytes BIGINT, failed INTEGER NOT NULL,
                at TEXT NOT NULL, left_s FLOAT)"""
        )
    )


def _counted(db: Connection) -> None:
    """Version 8: the header of each open page counts all files every two seconds."""
    db.execute(text("CREATE INDEX ix_outcomes_counted ON outcomes (kind, state, fingerprint)"))
    db.execute(text("DROP INDEX IF EXISTS ix_indexings_fingerprint"))
    db.execute(text("CREATE INDEX ix_indexings_counted ON indexings (fingerprint, segments)"))


def _places(db: Connection) -> None:
    """Version 9: which collection it was that the last ingest with a model filled."""
    db.execute(text("ALTER TABLE models ADD COLUMN place VARCHAR(200) NOT NULL DEFAULT ''"))


def _names_in_pairs(db: Connection) -> None:
    """Version 10: names in scripts that set no spaces between words are found by parts of them."""
    db.execute(text("DELETE FROM name_words"))
    for root, root_id in db.execute(select(ROOTS.c.path, ROOTS.c.id)).all():
        query = select(FILES.c.id, FILES.c.path).where(FILES.c.root_id == root_id).order_by(FILES.c.id).limit(_NAMED)
        last = 0
        while files := db.execute(query.where(FILES.c.id > last)).all():
            keep_names(db, ((number, path) for number, path in files), root)
            last = files[-1].id


def _found_by_index(db: Connection) -> None:
    """Version 11: the newest files, the longest recordings and those below a folder, without looking at all."""
    _index_some_rows(db)
    if db.dialect.name == "postgresql":
        for table, column in (("roots", "path"), ("files", "path"), ("progress", "at")):
            db.execute(text(f'ALTER TABLE {table} ALTER COLUMN "{column}" TYPE TEXT COLLATE "C"'))


def _index_some_rows(db: Connection) -> None:
    """Indexes of a part of a table. Step 11 is made of them: they are changed by another step, never here.

    SQLite and PostgreSQL both take these lines, whereas options of `Index` would import both of SQLAlchemy's dialects.
    The newest are for `data.choosing.newest_contents` alone: SQLite uses that index only where the state is written out
    in a question.
    """
    db.execute(
        text("CREATE INDEX ix_outcomes_newest ON outcomes (kind, fingerprint, mtime_ns) WHERE state = 'indexed'")
    )
    db.execute(
        text(
            "CREATE INDEX ix_indexings_lasting ON indexings (fingerprint, duration_s, content) "
            "WHERE duration_s IS NOT NULL"
        )
    )


def _own_collections(db: Connection) -> None:
    """Version 12: libraries on one Qdrant server are told apart; what they shared before stays, and is not used."""
    db.execute(text("CREATE TABLE library (id VARCHAR(32) NOT NULL PRIMARY KEY)"))
    db.execute(text("INSERT INTO library (id) VALUES (:id)"), {"id": _new_id()})


# Step N takes a catalogue of version N - 1 to version N. Steps only ever are appended.
STEPS: dict[int, Callable[[Connection], None]] = {
    2: _two_models,
    3: _durations,
    4: _judgements,
    5: _searches,
    6: _names,
    7: _progress,
    8: _counted,
    9: _places,
    10: _names_in_pairs,
    11: _found_by_index,
    12: _own_collections,
}
NEWEST_VERSION = max(STEPS)


def is_newest(connection: Connection) -> bool:
    """Whether `migrate` has nothing to do."""
    has_version = inspect(connection).has_table(SCHEMA_VERSION.name)
    return has_version and connection.execute(select(SCHEMA_VERSION.c.version)).scalar() == NEWEST_VERSION


def migrate(connection: Connection) -> None:
    """Bring the schema to the newest version, inside the caller's transaction.

    Raises:
        StoreUnavailableError: the catalogue was made by a newer Omnia.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
    if not inspect(connection).has_table(SCHEMA_VERSION.name):
        METADATA.create_all(connection)
        _index_some_rows(connection)
        connection.execute(insert(SCHEMA_VERSION).values(version=NEWEST_VERSION))
        connection.execute(insert(LIBRARY).values(id=_new_id()))
        return
    version = connection.execute(select(SCHEMA_VERSION.c.version)).scalar_one()
    if version > NEWEST_VERSION:
        raise StoreUnavailableError(
            f"the catalogue has schema version {version}, this Omnia knows versions up to {NEWEST_VERSION}: "
            "use the newer Omnia that wrote it, or another OMNIA_HOME"
        )
    if version < NEWEST_VERSION:
        log.warning("bringing the catalogue up to date")
    for number in range(version + 1, NEWEST_VERSION + 1):
        STEPS[number](connection)
    if version < NEWEST_VERSION:
        connection.execute(update(SCHEMA_VERSION).values(version=NEWEST_VERSION))


def _new_id() -> str:
    """Of a library: short enough for a collection's name that people read."""
    return secrets.token_hex(6)
