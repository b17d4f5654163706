"""What goes wrong with the database, and whose fault it is said to be."""

from __future__ import annotations

import os
import sqlite3
import stat

import pytest
from sqlalchemy import text
from sqlalchemy.exc import StatementError

from data.database import open_database, translated
from data.errors import BadSettingsError, StoreUnavailableError


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("oracle+no_such_driver://omnia@host/library", "it names no database that SQLAlchemy knows"),
        ("nonsense", "it names no database that SQLAlchemy knows"),
        ("mysql+pymssql://omnia:secret@host/library", "it names no database that SQLAlchemy knows"),
        ("mssql+pymssql://omnia:secret@host/library", "its driver is not installed (pymssql)"),
    ],
)
def test_a_url_without_a_driver_is_one_line_with_what_to_do(url, why):
    with pytest.raises(BadSettingsError) as refused:
        open_database(url)
    line = str(refused.value)
    assert line.startswith(f"OMNIA_CATALOGUE_URL cannot be used: {why}; ")
    assert "postgresql+psycopg://" in line
    assert "pip install -e '.[server]'" in line
    assert "secret" not in line


@pytest.fixture
def engine(tmp_path):
    engine = open_database(f"sqlite:///{tmp_path / 'catalogue.sqlite'}")
    yield engine
    engine.dispose()


def test_what_the_database_refuses_is_told(engine):
    @translated
    def ask():
        with engine.connect() as db:
            db.execute(text("SELECT * FROM no_such_table"))

    with pytest.raises(StoreUnavailableError, match="no such table: no_such_table; check OMNIA_HOME"):
        ask()


def test_a_mistake_of_our_own_is_not_called_a_lack_of_space(engine):
    @translated
    def ask():
        with engine.connect() as db:
            db.execute(text("SELECT :one").bindparams(), [{"two": 2}])

    @translated
    def slip():
        raise NameError("name 'x' is not defined")

    with pytest.raises(StatementError, match="one"):
        ask()
    with pytest.raises(NameError):
        slip()


def test_only_its_owner_reads_a_catalogue_in_a_folder_that_was_there(tmp_path):
    tmp_path.chmod(0o755)
    open_database(f"sqlite:///{tmp_path / 'catalogue.sqlite'}").dispose()
    assert stat.S_IMODE((tmp_path / "catalogue.sqlite").stat().st_mode) == 0o600


def test_a_catalogue_that_is_up_to_date_does_not_wait_for_a_writer(engine, tmp_path):
    writer = sqlite3.connect(tmp_path / "catalogue.sqlite", isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    open_database(f"sqlite:///{tmp_path / 'catalogue.sqlite'}").dispose()
    writer.close()


def test_who_waited_too_long_for_a_writer_is_told_to_try_again(engine, tmp_path):
    @translated
    def write():
        with engine.begin():
            pass

    with engine.connect() as db:
        db.exec_driver_sql("PRAGMA busy_timeout = 0")
    writer = sqlite3.connect(tmp_path / "catalogue.sqlite", isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailableError) as refused:
        write()
    writer.close()
    assert str(refused.value).endswith("another Omnia command is changing the library; try again in a minute")
    assert "free space" not in str(refused.value)


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path, monkeypatch):
    (tmp_path / "catalogue.sqlite-wal").mkdir()  # as good as a folder that refuses
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(StoreUnavailableError, match=f"folder '{tmp_path}' cannot be written to") as refused:
        open_database(f"sqlite:///{tmp_path / 'catalogue.sqlite'}")
    assert "free space" not in str(refused.value)
