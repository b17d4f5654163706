"""The database under the catalogue: its engine, its transactions, its errors."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.engine import Engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, DisconnectionError, TimeoutError

from data.errors import BadSettingsError, StoreUnavailableError
from data.migrations import migrate

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
            raise StoreUnavailableError(
                f"the catalogue cannot be used: {reason}; check OMNIA_HOME (or OMNIA_CATALOGUE_URL) and free space"
            ) from error

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
    except (ArgumentError, ImportError) as error:
        lacks = "it names no database that SQLAlchemy knows"
        if isinstance(error, ImportError):
            lacks = f"its driver is not installed ({error.name or error})"
        raise BadSettingsError(
            f"OMNIA_CATALOGUE_URL cannot be used: {lacks}; unset it for SQLite, or give postgresql+psycopg://… after "
            "pip install -e '.[server]'"
        ) from error
    is_sqlite = parsed.get_backend_name() == "sqlite"
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
    with engine.begin() as connection:
        migrate(connection)
    return engine


def reading(engine: Engine) -> Engine:
    """The same engine for transactions that only read: they never wait for a writer."""
    return engine.execution_options(omnia_read_only=True)


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
