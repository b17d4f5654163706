"""The database under the catalogue: its engine, its transactions, its errors."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from threading import RLock
from typing import Any, Generic, ParamSpec, TypeVar

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.engine import Engine, make_url
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, DisconnectionError, OperationalError, TimeoutError

from data.errors import BadSettingsError, StoreUnavailableError
from data.migrations import is_newest, migrate

P = ParamSpec("P")
R = TypeVar("R")


def translated(method: Callable[P, R]) -> Callable[P, R]:
    """What the database says is wrong becomes StoreUnavailableError; mistakes of our own stay what they are."""

    @wraps(method)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return method(*args, **kwargs)
        except (DBAPIError, DisconnectionError, TimeoutError) as error:
            reason = " ".join(str(getattr(error, "orig", None) or error).split())
            if isinstance(error, DataError):
                raise BadSettingsError(f"the catalogue cannot take this: {reason}") from error
            advice = "check OMNIA_HOME (or OMNIA_CATALOGUE_URL) and free space"
            if "database is locked" in reason:
                advice = "another Omnia command is changing the library; try again in a minute"
            raise StoreUnavailableError(f"the catalogue cannot be used: {reason}; {advice}") from error

    return call


@translated
def open_database(url: str) -> Engine:
    """The engine of the database at a SQLAlchemy URL, its schema made or migrated as needed.

    Raises:
        BadSettingsError: it is no URL, or of a database that there is no driver for.
        StoreUnavailableError: it cannot be opened, or a newer Omnia wrote it.
    """
    try:
        parsed = make_url(url)
        parsed.get_dialect().import_dbapi()
    except (ArgumentError, ImportError, ValueError) as error:
        lacks = "it names no database that SQLAlchemy knows"
        if isinstance(error, ValueError):
            lacks = "its host or its port is none"
        if isinstance(error, ImportError):
            lacks = f"its driver is not installed ({error.name or error})"
        raise BadSettingsError(
            f"OMNIA_CATALOGUE_URL cannot be used: {lacks}; unset it for SQLite, or give postgresql+psycopg://… after "
            "pip install -e '.[server]'"
        ) from error
    is_sqlite = parsed.get_backend_name() == "sqlite"
    if is_sqlite and (parsed.database in {None, "", ":memory:"} or "?" in url):
        raise BadSettingsError(
            "OMNIA_CATALOGUE_URL cannot be used: SQLite takes a file and no options here, as in sqlite:////home/me/"
            "catalogue.sqlite, with %3F for a question mark in its path; unset it for one in OMNIA_HOME"
        )
    if is_sqlite and parsed.database:
        folder = Path(parsed.database).parent
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(os.open(parsed.database, os.O_CREAT | os.O_RDONLY, 0o600))  # for one who may enter the folder
        except OSError as error:
            raise StoreUnavailableError(
                f"the library's folder {str(folder)!r} cannot be used: {error.strerror}; set OMNIA_HOME elsewhere"
            ) from error
    engine = create_engine(parsed, pool_pre_ping=not is_sqlite)
    if is_sqlite:
        _configure_sqlite(engine)
    try:
        with reading(engine).connect() as connection:
            has_to_migrate = not is_newest(connection)
        if has_to_migrate:
            with engine.begin() as connection:
                migrate(connection)
    except OperationalError as error:
        if is_sqlite and parsed.database and not os.access(folder, os.W_OK):
            raise StoreUnavailableError(
                f"the library's folder {str(folder)!r} cannot be written to, which reading the library needs, too: "
                "allow it, or copy the folder and set OMNIA_HOME to the copy"
            ) from error
        raise
    return engine


def reading(engine: Engine) -> Engine:
    """The same engine for transactions that only read: they never wait for a writer."""
    return engine.execution_options(omnia_read_only=True)


class Kept(Generic[R]):
    """What was read of a database, until anything in it changes; who asks meanwhile waits for one reading."""

    def __init__(self, engine: Engine) -> None:
        self._reader = reading(engine)
        self._lock = RLock()
        self._watcher: Connection | None = None
        self._kept: tuple[Any, R] | None = None

    def __call__(self, read: Callable[[Connection], R]) -> R:
        """What `read` says, which must be the same question each time."""
        with self._lock:
            mark = self._mark()
            if self._kept is None or self._kept[0] != mark:
                with self._reader.connect() as db:
                    self._kept = (mark, read(db))
            return self._kept[1]

    def close(self) -> None:
        with self._lock:
            if self._watcher is not None:
                self._watcher.close()
            self._watcher = self._kept = None

    def _mark(self) -> Any:
        """What differs after each change, told by a connection that makes none: SQLite tells it of all the others'."""
        try:
            return self._told()
        except DBAPIError:  # the server was started anew
            self.close()  # another connection may count from anywhere
            return self._told()

    def _told(self) -> Any:
        self._watcher = self._watcher or self._reader.connect()
        with self._watcher.begin():
            return self._watcher.exec_driver_sql(_MARKS[self._reader.dialect.name]).scalar()


_MARKS = {"sqlite": "PRAGMA data_version", "postgresql": "SELECT CAST(pg_current_snapshot() AS TEXT)"}


def _configure_sqlite(engine: Engine) -> None:
    """WAL, so that readers never wait; a write transaction takes its lock at once, so that it never fails midway."""

    @event.listens_for(engine, "connect")
    def _on_connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # the driver begins nothing by itself
        cursor = connection.cursor()
        cursor.execute("PRAGMA busy_timeout = 20000")
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = NORMAL")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Connection) -> None:
        is_read_only = connection.get_execution_options().get("omnia_read_only")
        connection.exec_driver_sql("BEGIN" if is_read_only else "BEGIN IMMEDIATE")
