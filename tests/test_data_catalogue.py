"""The catalogue on a real SQLite file and on a real PostgreSQL server."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine

from data.catalogue import Catalogue, Outcome, open_catalogue
from data.errors import StoreUnavailableError
from data.records import FileState, Kind
from data.tables import Base

HASH = "ab" * 32


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server of our own, on a socket in a tmp folder."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not programs:
        pytest.skip("no PostgreSQL server on this machine (Debian: postgresql)")
    folder = Path(tempfile.mkdtemp(prefix="omnia-pg-"))
    user: dict[str, Any] = {}
    if os.getuid() == 0:  # the server refuses to run as root
        shutil.chown(folder, "postgres")
        user = {"user": "postgres", "group": "postgres", "extra_groups": []}
    run = partial(subprocess.run, check=True, capture_output=True, cwd=folder, **user)
    run([programs[-1] / "initdb", "-D", folder / "db", "-U", "omnia", "--auth=trust", "--encoding=UTF8", "--locale=C"])
    options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"
    subprocess.run(
        [programs[-1] / "pg_ctl", "-D", folder / "db", "-o", options, "-w", "-l", folder / "log", "start"],
        check=True,
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        **user,
    )
    yield f"postgresql+psycopg://omnia@/postgres?host={folder}"
    run([programs[-1] / "pg_ctl", "-D", folder / "db", "-m", "immediate", "stop"])
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'home' / 'catalogue.sqlite'}"
    address: str = request.getfixturevalue("postgres")
    engine = create_engine(address)
    with engine.begin() as db:
        Base.metadata.drop_all(db)
    engine.dispose()
    return address


@pytest.fixture
def catalogue(url: str) -> Iterator[Catalogue]:
    opened = open_catalogue(url)
    yield opened
    opened.close()


def indexed(path: str, *, content: str = HASH, segments: int | None = 3) -> Outcome:
    return Outcome(
        path=path,
        size_bytes=10,
        mtime_ns=20,
        state=FileState.INDEXED,
        kind=Kind.IMAGE,
        content=content,
        segments=segments,
    )


def failed(path: str) -> Outcome:
    return Outcome(path=path, size_bytes=10, mtime_ns=20, state=FileState.FAILED, reason="broken", content=HASH)


def test_an_indexed_file_is_settled_under_its_fingerprint_only(catalogue: Catalogue) -> None:
    run = catalogue.begin_run("/m", "fp-1")
    catalogue.record(run, "fp-1", [indexed("/m/a.png")])
    assert catalogue.known(["/m/a.png", "/m/b.png"], "fp-1")["/m/a.png"].settled
    assert not catalogue.known(["/m/a.png"], "fp-2")["/m/a.png"].settled
    assert catalogue.indexed_kind(HASH, "fp-1") is Kind.IMAGE
    assert catalogue.indexed_kind(HASH, "fp-2") is None


def test_a_copy_is_found_by_its_content(catalogue: Catalogue) -> None:
    run = catalogue.begin_run("/m", "fp")
    catalogue.record(run, "fp", [indexed("/m/b.png"), indexed("/m/a.png", segments=None)])
    assert [file.path for file in catalogue.files_of([HASH])[HASH]] == ["/m/a.png", "/m/b.png"]
    assert catalogue.summary().segments == {"fp": 3}


def test_files_that_a_crawl_did_not_see_leave_and_their_contents_are_orphans(catalogue: Catalogue) -> None:
    first = catalogue.begin_run("/m", "fp")
    catalogue.record(first, "fp", [indexed("/m/a"), indexed("/m/b", content="cd" * 32), indexed("/M/c")])
    catalogue.finish_run(first, "/m", sweep=True)
    second = catalogue.begin_run("/m", "fp")
    catalogue.mark_seen(second, [catalogue.known(["/m/a"], "fp")["/m/a"].id])
    assert catalogue.finish_run(second, "/m", sweep=True) == 1
    assert catalogue.orphans() == {"cd" * 32}
    catalogue.forget_contents(catalogue.orphans())
    assert catalogue.orphans() == set()
    assert catalogue.unindexed([HASH, "cd" * 32], "fp") == {"cd" * 32}
    assert len(catalogue.files_at(["/M/c"])) == 1, "a root that differs in case only is another root"


def test_an_offline_root_keeps_its_files(catalogue: Catalogue) -> None:
    run = catalogue.begin_run("/m", "fp")
    catalogue.record(run, "fp", [indexed("/m/a")])
    later = catalogue.begin_run("/m", "fp")
    assert catalogue.finish_run(later, "/m", sweep=False, offline_reason="gone") == 0
    (root,) = catalogue.summary().roots
    assert (root.files, root.offline_reason) == (1, "gone")


def test_failures_count_attempts_and_can_be_made_new(catalogue: Catalogue) -> None:
    run = catalogue.begin_run("/m", "fp")
    for _ in range(2):
        catalogue.record(run, "fp", [failed("/m/x")])
    (failure,) = catalogue.failures()
    assert (failure.attempts, failure.reason) == (2, "broken")
    assert catalogue.known(["/m/x"], "fp")["/m/x"].settled
    assert catalogue.forget_failures() == ["/m"]
    assert not catalogue.known(["/m/x"], "fp")["/m/x"].settled


def test_any_file_name_comes_back_as_it_was(catalogue: Catalogue) -> None:
    names = [
        "/m/line\nbreak 🎺",
        "/m/'quote\" ; drop",
        "/m/" + os.fsdecode(b"caf\xe9"),
        "/m/עברית",
        "/m/café",
        "/m/café",
    ]
    run = catalogue.begin_run("/m", "fp")
    catalogue.record(run, "fp", [indexed(name) for name in names])
    assert {file.path for file in catalogue.files_of([HASH])[HASH]} == set(names)
    assert set(catalogue.known(names, "fp")) == set(names)


def test_forgetting_a_root_takes_its_files_along(catalogue: Catalogue) -> None:
    run = catalogue.begin_run("/m", "fp")
    catalogue.record(run, "fp", [indexed("/m/a")])
    assert catalogue.forget_root("/m") == 1
    assert catalogue.roots() == []


def test_a_reader_is_not_kept_waiting_by_a_writer(tmp_path: Path) -> None:
    catalogue = open_catalogue(f"sqlite:///{tmp_path / 'home' / 'catalogue.sqlite'}")
    run = catalogue.begin_run("/m", "fp")
    catalogue.record(run, "fp", [indexed("/m/a")])
    writer = sqlite3.connect(tmp_path / "home" / "catalogue.sqlite", isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("UPDATE files SET reason = 'x'")
    assert catalogue.files_of([HASH])[HASH][0].reason == ""
    writer.execute("ROLLBACK")


def test_a_catalogue_of_a_newer_omnia_is_refused(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'c.sqlite'}"
    open_catalogue(url).close()
    with sqlite3.connect(tmp_path / "c.sqlite") as db:
        db.execute("UPDATE schema_version SET version = 999")
    with pytest.raises(StoreUnavailableError, match="newer Omnia"):
        open_catalogue(url)


def test_a_file_that_is_no_database_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "c.sqlite").write_bytes(b"not a database at all" * 100)
    with pytest.raises(StoreUnavailableError, match="catalogue cannot be used"):
        open_catalogue(f"sqlite:///{tmp_path / 'c.sqlite'}")
