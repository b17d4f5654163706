"""The catalogue on a real SQLite file and on a real PostgreSQL server."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from unicodedata import normalize

import pytest
from sqlalchemy import Connection, create_engine, event, inspect, text
from sqlalchemy.engine import Engine

from data import migrations, naming, sweeping
from data.catalogue import Catalogue, LibraryModel, Outcome, Progress, open_catalogue
from data.database import open_database
from data.errors import BadSettingsError, StoreUnavailableError
from data.migrations import migrate
from data.records import FileChoice, FileState, Kind
from data.tables import METADATA

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
        METADATA.drop_all(db)
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


def test_contents_are_chosen_by_where_their_files_lie_when_they_changed_and_how_long_they_last(
    catalogue: Catalogue,
) -> None:
    run = catalogue.begin_run("/m", "fp")
    files = {  # content: path, mtime, duration
        "a": ("/m/2024/Trips/beach.MP4", 1_000, 31.0),
        "b": ("/m/2024/trips and more/page.pdf", 2_000, None),
        "c": ("/m/trips/50%_off/song.mp3", 3_000, 30.0),
        "d": ("/m/other/x.mp4.txt", 4_000, None),
    }
    outcomes = [
        replace(indexed(path, content=content), mtime_ns=mtime_ns, duration_s=duration_s)
        for content, (path, mtime_ns, duration_s) in files.items()
    ]
    catalogue.record(run, "fp", [*outcomes, failed("/m/2024/trips/broken.mp4")])

    def chosen(**choice: Any) -> str:
        return "".join(sorted(catalogue.chosen(FileChoice(**choice), "fp")))

    assert chosen() == "abcd"
    assert chosen(folders=("trips",)) == "ac"
    assert chosen(folders=("2024/trips/",)) == "a"
    assert chosen(folders=("trips", "other")) == "acd"
    assert chosen(folders=("50%_off",)) == "c"
    assert chosen(folders=("50%off", "5__off")) == ""
    assert chosen(folders=("/m/2024",)) == "ab"
    assert chosen(folders=("/m/20",)) == ""
    assert chosen(suffixes=("mp4",)) == "a"
    assert chosen(suffixes=(".PDF", "mp3")) == "bc"
    assert chosen(since_ns=2_000, before_ns=4_000) == "bc"
    assert chosen(longer_s=30.0) == "ac"
    assert chosen(longer_s=30.5) == "a"
    assert chosen(shorter_s=30.5) == "c"
    assert chosen(folders=("trips",), suffixes=("mp3",), longer_s=1) == "c"
    assert catalogue.chosen(FileChoice(), "another") == set()


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_folder_is_found_whatever_the_case_and_form_of_its_letters(catalogue: Catalogue, form: Any) -> None:
    run = catalogue.begin_run("/m", "fp")
    names = {
        "a": "Ärzte ÜBUNG",
        "b": "Öl",
        "c": "МОСКВА Й",
        "d": "Tiếng Việt ê",
        "e": "Straße",
        "f": "Arzte",
        "g": "İzmir",
    }
    files = [indexed(f"/m/{normalize(form, name)}/x.png", content=content) for content, name in names.items()]
    catalogue.record(run, "fp", files)

    def chosen(folder: str) -> str:
        return "".join(sorted(catalogue.chosen(FileChoice(folders=(folder,)), "fp")))

    for content, name in names.items():
        spellings = {name, name.lower(), name.upper(), name.title(), name.swapcase()}
        for spelling in (one for one in spellings if one == name or (len(one) == len(name) and content != "g")):
            assert chosen(spelling) == chosen(normalize("NFD", spelling)) == content, spelling
    assert chosen("öl/") == "b"
    assert chosen("l") == chosen("Ö") == ""
    assert chosen(normalize("NFC", "/m/Öl")) == chosen(normalize("NFD", "/m/Öl")) == "b"


def test_a_few_contents_of_a_kind_are_told_once_each(catalogue: Catalogue) -> None:
    run = catalogue.begin_run("/m", "fp-1")
    cat, dog, note = "1" * 64, "2" * 64, "3" * 64
    files = {"/m/cat.png": cat, "/m/copy.png": cat, "/m/dog.png": dog}
    outcomes = [replace(indexed(path, content=content), kind=Kind.IMAGE) for path, content in files.items()]
    outcomes.append(replace(indexed("/m/note.txt", content=note), kind=Kind.TEXT))
    outcomes.append(replace(failed("/m/bad.png"), kind=Kind.IMAGE))
    catalogue.record(run, "fp-1", outcomes)
    assert sorted(catalogue.some(Kind.IMAGE, "fp-1", limit=9)) == [cat, dog]
    assert catalogue.some(Kind.TEXT, "fp-1", limit=9) == [note]
    assert len(catalogue.some(Kind.IMAGE, "fp-1", limit=1)) == 1
    assert catalogue.some(Kind.AUDIO, "fp-1", limit=9) == []
    assert catalogue.some(Kind.IMAGE, "fp-2", limit=9) == []


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
    assert catalogue.orphans() == {"fp": {"cd" * 32}}
    catalogue.forget_contents({"cd" * 32}, "fp")
    assert catalogue.orphans() == {}
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


def test_whatever_is_said_of_a_file_can_be_kept_and_shown(catalogue: Catalogue) -> None:
    said = "no reader for .fran\udce7ais\nfiles\0 \x1b[2J\u202e"
    run = catalogue.begin_run("/m", "fp")
    outcomes = [
        replace(failed("/m/a"), reason=said, hint=said),
        replace(indexed("/m/b", content="cd" * 32), notes=(said, "the rest")),
    ]
    catalogue.record(run, "fp", outcomes)
    catalogue.finish_run(run, "/m", sweep=False, offline_reason=said)
    plain = "no reader for .fran�ais files� �[2J�"
    (failure,) = catalogue.failures()
    assert (failure.reason, failure.hint) == (plain, plain)
    assert catalogue.failure_groups()[0].reason == plain
    assert catalogue.notes() == {"/m/b": [plain, "the rest"]}
    assert "\0" not in catalogue.summary().roots[0].offline_reason


def test_what_an_older_version_kept_raw_is_shown_plain(tmp_path: Path) -> None:
    catalogue = open_catalogue(f"sqlite:///{tmp_path / 'c.sqlite'}")
    catalogue.record(catalogue.begin_run("/m", "fp"), "fp", [failed("/m/a")])
    with sqlite3.connect(tmp_path / "c.sqlite") as db:
        db.execute("UPDATE outcomes SET reason = ?", ("no reader for .\x1b[2J files",))
    assert catalogue.failures()[0].reason == "no reader for .�[2J files"


def test_forgetting_a_root_takes_its_files_along(catalogue: Catalogue) -> None:
    run = catalogue.begin_run("/m", "fp")
    catalogue.record(run, "fp", [indexed("/m/a")])
    assert catalogue.forget_root("/m") == 1
    assert catalogue.roots() == []


def test_forgetting_a_root_spares_the_roots_in_it(catalogue: Catalogue) -> None:
    for root, path in (("/m", "/m/a"), ("/m/sub", "/m/sub/b"), ("/m/subway", "/m/subway/c")):
        catalogue.record(catalogue.begin_run(root, "fp"), "fp", [indexed(path)])
    last = catalogue.begin_run("/m", "fp")
    catalogue.record(last, "fp", [indexed(path) for path in ("/m/a", "/m/sub/b", "/m/sub/deep/d", "/m/subway/c")])
    assert catalogue.forget_root("/m") == 1
    assert [(root.path, root.files) for root in catalogue.summary().roots] == [("/m/sub", 2), ("/m/subway", 1)]
    run = catalogue.begin_run("/m/sub", "fp")
    assert run > last, "no file counts as seen by a run that is still to come"
    assert catalogue.finish_run(run, "/m/sub", sweep=True) == 2
    last = catalogue.begin_run("/m/subway", "fp")
    assert catalogue.forget_root("/m/subway") == 1
    run = catalogue.begin_run("/m/sub", "fp")
    assert run > last
    assert catalogue.forget_root("/m/sub") == 0


def test_others_write_while_many_files_leave(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeping, "_PORTION", 2)
    run = catalogue.begin_run("/m", "fp")
    catalogue.record(run, "fp", [indexed(f"/m/{number}") for number in range(5)])
    left = []

    def write(_: float) -> None:
        catalogue.keep_search("dogs", "q=dog")
        left.append(catalogue.summary().roots[0].files)

    monkeypatch.setattr(sweeping.time, "sleep", write)
    assert catalogue.forget_root("/m") == 5
    assert left == [3, 1]


def test_two_ingests_of_one_folder_at_once_lose_nothing(catalogue: Catalogue) -> None:
    first, second = catalogue.begin_run("/m", "fp"), catalogue.begin_run("/m", "fp")
    catalogue.record(second, "fp", [indexed("/m/a"), indexed("/m/b")])
    catalogue.record(first, "fp", [indexed("/m/a")])
    catalogue.mark_seen(first, [catalogue.files_at(["/m/b"])[0].id])
    assert catalogue.finish_run(first, "/m", sweep=True) == 0
    assert catalogue.finish_run(second, "/m", sweep=True) == 0


def test_one_home_at_a_time_fills_a_catalogue_of_postgresql(catalogue: Catalogue, url: str) -> None:
    other = open_catalogue(url)
    assert catalogue.claim()
    assert other.claim() == url.startswith("sqlite")
    other.close()
    catalogue.close()
    other = open_catalogue(url)
    assert other.claim()
    other.close()


def test_the_newest_of_each_content_come_first(catalogue: Catalogue) -> None:
    run = catalogue.begin_run("/m", "fp")
    changed = {"/m/a": ("a", 5), "/m/a copy": ("a", 1), "/m/b": ("b", 3), "/m/c": ("c", 3), "/m/d": ("d", 4)}
    outcomes = [replace(indexed(path, content=one), mtime_ns=when) for path, (one, when) in changed.items()]
    outcomes[-1] = replace(outcomes[-1], kind=Kind.VIDEO)
    catalogue.record(run, "fp", [*outcomes, replace(failed("/m/e"), mtime_ns=9)])

    def newest(*kinds: Kind, limit: int = 9, **choice: Any) -> str:
        return "".join(catalogue.newest(FileChoice(**choice), "fp", kinds=kinds, limit=limit))

    assert newest() == newest(folders=("/m",)) == "adbc"
    assert newest(limit=3) == newest(folders=("/m",), limit=3) == "adb"
    assert newest(Kind.IMAGE) == newest(Kind.IMAGE, folders=("/m",)) == "abc"
    assert newest(before_ns=5) == newest(before_ns=5, folders=("/m",)) == "dbca"


def test_filters_are_answered_by_their_indexes(tmp_path: Path) -> None:
    catalogue = open_catalogue(f"sqlite:///{tmp_path / 'c.sqlite'}")
    plans: list[str] = []

    @event.listens_for(catalogue._engine, "before_cursor_execute")
    def explain(_connection: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.startswith("SELECT"):
            plans.extend(row[3] for row in cursor.execute(f"EXPLAIN QUERY PLAN {statement}", parameters))

    def planned(ask: Any) -> str:
        plans.clear()
        ask()
        return "\n".join(plans)

    newest = planned(lambda: catalogue.newest(FileChoice(before_ns=9), "fp", kinds=(), limit=3))
    assert "ix_outcomes_newest (kind=? AND fingerprint=? AND mtime_ns<?)" in newest
    lasting = planned(lambda: catalogue.chosen(FileChoice(longer_s=9), "fp"))
    assert "ix_indexings_lasting (fingerprint=? AND duration_s>?)" in lasting
    assert "ix_outcomes_content (content=? AND fingerprint=?)" in lasting
    below = planned(lambda: catalogue.chosen(FileChoice(folders=("/m",)), "fp"))
    assert "(path>? AND path<?)" in below
    assert "outcomes USING INDEX sqlite_autoindex_outcomes_1 (file_id=? AND fingerprint=?)" in below
    assert not any("SCAN" in plan for plan in (newest, lasting, below))
    catalogue.close()


def test_what_no_database_takes_finds_nothing_or_is_refused_by_name(catalogue: Catalogue) -> None:
    run = catalogue.begin_run("/m", "fp")
    catalogue.record(run, "fp", [indexed("/m/a")])
    for folder in ("/m\0", "m\0", "\0"):
        assert catalogue.chosen(FileChoice(folders=(folder,)), "fp") == set()
    assert catalogue.chosen(FileChoice(suffixes=("\0",)), "fp") == set()
    assert not catalogue.has_file("/m/a\0")
    assert catalogue.file(2**31) is None
    assert catalogue.file(10**30) is None
    assert catalogue.look_at(2**31) is None
    if catalogue._engine.dialect.name == "postgresql":
        with pytest.raises(BadSettingsError, match="value too long"):
            catalogue.keep_search("n" * 201, "q=dog")


def test_two_processes_may_open_a_new_catalogue_at_once(url: str) -> None:
    if url.startswith("sqlite"):
        pytest.skip("SQLite lets one write at a time")
    engine = create_engine(url)
    with ThreadPoolExecutor() as pool, engine.begin() as db:
        migrate(db)
        other = pool.submit(open_database, url)
        with pytest.raises(TimeoutError):
            other.result(timeout=1)
        db.commit()
        other.result(timeout=60).dispose()
    engine.dispose()


def test_a_reader_is_not_kept_waiting_by_a_writer(tmp_path: Path) -> None:
    catalogue = open_catalogue(f"sqlite:///{tmp_path / 'home' / 'catalogue.sqlite'}")
    run = catalogue.begin_run("/m", "fp")
    catalogue.record(run, "fp", [indexed("/m/a")])
    writer = sqlite3.connect(tmp_path / "home" / "catalogue.sqlite", isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("UPDATE outcomes SET reason = 'x'")
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


# ── two models side by side ──


OLD, NEW = LibraryModel("old", "old-1"), LibraryModel("new", "new-1")


def filled_with_old(catalogue: Catalogue) -> None:
    run = catalogue.begin_run("/m", OLD.fingerprint, model=OLD.name)
    catalogue.record(run, OLD.fingerprint, [indexed("/m/a"), indexed("/m/b", content="cd" * 32)])
    catalogue.finish_run(run, "/m", sweep=True)


def test_the_first_model_that_indexes_is_the_active_one(catalogue: Catalogue) -> None:
    assert catalogue.active() is None
    run = catalogue.begin_run("/m", NEW.fingerprint, model=NEW.name)
    catalogue.record(run, NEW.fingerprint, [replace(failed("/m/locked"), content=None)])
    assert catalogue.active() is None, "it may be one that cannot be loaded"
    catalogue.finish_run(run, "/m", sweep=False, offline_reason="it is away")
    assert catalogue.active() is None
    catalogue.finish_run(run, "/m", sweep=True)
    assert catalogue.active() == NEW
    assert [file.state for file in catalogue.files_at(["/m/locked"])] == [FileState.FAILED]
    run = catalogue.begin_run("/m", OLD.fingerprint, model=OLD.name)
    catalogue.finish_run(run, "/m", sweep=False)
    assert catalogue.active() == NEW, "another that was not loaded either"
    filled_with_old(catalogue)
    assert catalogue.active() == OLD
    catalogue.begin_run("/m", NEW.fingerprint, model=NEW.name)
    assert catalogue.active() == OLD
    assert catalogue.models() == [NEW, OLD]


def test_each_model_has_its_own_outcome_of_a_file(catalogue: Catalogue) -> None:
    filled_with_old(catalogue)
    run = catalogue.begin_run("/m", NEW.fingerprint, model=NEW.name)
    before = catalogue.known(["/m/a"], NEW.fingerprint)["/m/a"]
    assert (before.settled, before.content) == (False, HASH), "the bytes need not be read for their hash again"
    catalogue.record(run, NEW.fingerprint, [failed("/m/a")])
    assert [file.state for file in catalogue.files_at(["/m/a"])] == [FileState.INDEXED]
    assert [file.state for file in catalogue.files_at(["/m/a"], NEW.fingerprint)] == [FileState.FAILED]
    assert catalogue.known(["/m/a"], OLD.fingerprint)["/m/a"].settled
    assert catalogue.known(["/m/a"], NEW.fingerprint)["/m/a"].settled
    assert catalogue.failures() == []
    (file,) = catalogue.files_at(["/m/a"])
    shown = catalogue.file(file.id)
    assert shown is not None
    assert shown.state is FileState.INDEXED
    assert catalogue.forget_failures() == []
    assert catalogue.forget_failures(NEW.fingerprint) == ["/m"]


def test_a_switch_waits_until_nothing_is_missing(catalogue: Catalogue) -> None:
    filled_with_old(catalogue)
    run = catalogue.begin_run("/m", NEW.fingerprint, model=NEW.name)
    catalogue.record(run, NEW.fingerprint, [indexed("/m/a")])
    held = catalogue.switch(NEW)
    assert (held.is_active, held.missing, held.roots[0].files) == (False, 1, 2)
    (waiting,) = catalogue.waiting(NEW.fingerprint, ["/m"])
    assert (waiting.kind, waiting.contents, waiting.size_bytes, waiting.sample) == (Kind.IMAGE, 1, 10, ("/m/b",))
    assert catalogue.waiting(NEW.fingerprint, ["/elsewhere"]) == []
    catalogue.record(run, NEW.fingerprint, [failed("/m/b")])
    assert catalogue.switch(NEW).is_active
    assert catalogue.active() == NEW
    assert [file.path for file in catalogue.failures()] == ["/m/b"]


def test_a_copy_that_the_new_model_did_not_see_is_its_too_after_a_switch(catalogue: Catalogue) -> None:
    filled_with_old(catalogue)
    away = catalogue.begin_run("/away", OLD.fingerprint, model=OLD.name)
    catalogue.record(away, OLD.fingerprint, [indexed("/away/a", segments=None)])
    run = catalogue.begin_run("/m", NEW.fingerprint, model=NEW.name)
    catalogue.record(run, NEW.fingerprint, [indexed("/m/a"), indexed("/m/b", content="cd" * 32)])
    assert catalogue.switch(NEW).is_active
    assert [file.path for file in catalogue.files_of([HASH])[HASH]] == ["/away/a", "/m/a"]


def test_a_rename_seen_by_one_model_is_known_to_the_other(catalogue: Catalogue) -> None:
    filled_with_old(catalogue)
    run = catalogue.begin_run("/m", NEW.fingerprint, model=NEW.name)
    catalogue.record(run, NEW.fingerprint, [indexed("/m/renamed"), indexed("/m/b", content="ef" * 32)])
    catalogue.finish_run(run, "/m", sweep=True)
    assert [file.path for file in catalogue.files_of([HASH])[HASH]] == ["/m/renamed"]
    assert [file.path for file in catalogue.files_of(["cd" * 32])["cd" * 32]] == ["/m/b"], "as it was for the old model"
    assert catalogue.orphans() == {}


def test_a_forgotten_model_takes_what_only_it_knew_along(catalogue: Catalogue) -> None:
    filled_with_old(catalogue)
    run = catalogue.begin_run("/m", NEW.fingerprint, model=NEW.name)
    catalogue.record(run, NEW.fingerprint, [indexed("/m/a"), indexed("/m/new", content="ef" * 32)])
    assert catalogue.forget_model(NEW.fingerprint) == 2
    catalogue.forget_name(NEW.fingerprint)
    assert catalogue.models() == [OLD]
    assert catalogue.known(["/m/a", "/m/new"], NEW.fingerprint).keys() == {"/m/a"}


def test_the_number_of_a_run_is_never_given_again(catalogue: Catalogue) -> None:
    filled_with_old(catalogue)
    run = catalogue.begin_run("/m", NEW.fingerprint, model=NEW.name)
    catalogue.record(run, NEW.fingerprint, [indexed("/m/a"), indexed("/m/b", content="cd" * 32)])
    catalogue.finish_run(run, "/m", sweep=True)
    catalogue.forget_model(NEW.fingerprint)
    catalogue.forget_name(NEW.fingerprint)
    later = catalogue.begin_run("/m", OLD.fingerprint, model=OLD.name)
    assert later > run
    assert catalogue.finish_run(later, "/m", sweep=True) == 2, "what it has not seen leaves"


def test_what_is_indexed_and_not_stored_is_lost_unless_it_never_had_segments(catalogue: Catalogue) -> None:
    filled_with_old(catalogue)
    run = catalogue.begin_run("/m", OLD.fingerprint, model=OLD.name)
    catalogue.record(run, OLD.fingerprint, [indexed("/m/none", content="ef" * 32, segments=0)])
    assert catalogue.lost({HASH, "00" * 32}, OLD.fingerprint) == {"cd" * 32}
    assert catalogue.lost(set(), NEW.fingerprint) == set()


def test_the_place_of_a_collection_is_kept_while_its_model_is(catalogue: Catalogue) -> None:
    assert catalogue.place("fp") == ""
    catalogue.begin_run("/m", "fp", model="m")
    catalogue.note_place("fp", "12 34")
    catalogue.begin_run("/m", "fp", model="renamed")
    assert catalogue.place("fp") == "12 34"
    catalogue.forget_name("fp")
    catalogue.begin_run("/m", "fp", model="m")
    assert catalogue.place("fp") == ""


def test_progress_is_kept_with_the_run_and_goes_with_it(catalogue: Catalogue) -> None:
    run = catalogue.begin_run("/m", "fp", progress=Progress())
    catalogue.record(run, "fp", [], progress=Progress(files_done=3, bytes_done=5_000_000_000, at="/m/\udce4.mp4"))
    told = Progress(files_done=4, bytes_done=6, files=8, size_bytes=8, failed=1, at="/m/b", left_s=150.0)
    (running,) = catalogue.summary().running
    assert (running.root, running.progress.at, running.progress.share) == ("/m", "/m/\udce4.mp4", None)
    catalogue.record(run, "fp", [], progress=told)
    (running,) = catalogue.summary().running
    assert running.progress == told
    assert told.share == (4 / 8 + 6 / 8) / 2
    assert told.as_text() == "4 of 8 files, 1 failed, about 2 min left"
    catalogue.finish_run(run, "/m", sweep=False)
    assert catalogue.summary().running == ()


def test_two_threads_may_tell_the_progress_at_once(catalogue: Catalogue) -> None:
    run = catalogue.begin_run("/m", "fp", progress=Progress())
    tell = [partial(catalogue.record, run, "fp", [], progress=Progress(files_done=number)) for number in range(200)]
    with ThreadPoolExecutor(4) as threads:
        for told in [threads.submit(one) for one in tell]:
            told.result()
    (running,) = catalogue.summary().running
    assert running.progress.files_done in range(200)


def test_what_was_killed_ends_when_the_next_one_begins(catalogue: Catalogue) -> None:
    catalogue.begin_run("/m", "fp", progress=Progress(files_done=3))
    catalogue.end_runs()
    assert catalogue.summary().running == ()
    catalogue.begin_run("/m", "fp")
    (running,) = catalogue.summary().running
    assert running.progress == Progress()


def test_failures_come_grouped_the_commonest_first_a_page_at_a_time(catalogue: Catalogue) -> None:
    run = catalogue.begin_run("/m", "fp", model="m")
    torn = [replace(failed(f"/m/torn{number}"), reason="torn") for number in range(3)]
    locked = [replace(failed("/m/locked"), reason="locked")]
    catalogue.record(run, "fp", [*locked, *torn, indexed("/m/fine")])
    catalogue.record(run, "fp", torn[:1])
    first, second = catalogue.failure_groups(limit=20)
    assert [(one.path, one.attempts) for one in first.shown] == [("/m/torn0", 2), ("/m/torn1", 1), ("/m/torn2", 1)]
    assert (first.reason, first.files, second.reason, second.files) == ("torn", 3, "locked", 1)
    rest = catalogue.failure_groups(offset=2, limit=20)
    assert [(group.files, [one.path for one in group.shown]) for group in rest] == [
        (3, ["/m/torn2"]),
        (1, ["/m/locked"]),
    ]


FIRST_SCHEMA = (
    "CREATE TABLE roots (id INTEGER NOT NULL PRIMARY KEY, path TEXT NOT NULL UNIQUE, offline_reason TEXT NOT NULL)",
    """CREATE TABLE runs (id INTEGER NOT NULL PRIMARY KEY, root_id INTEGER NOT NULL REFERENCES roots ON DELETE CASCADE,
        fingerprint VARCHAR(200) NOT NULL, started_at FLOAT NOT NULL, finished_at FLOAT)""",
    """CREATE TABLE files (id INTEGER NOT NULL PRIMARY KEY, root_id INTEGER NOT NULL REFERENCES roots ON DELETE CASCADE,
        path TEXT NOT NULL UNIQUE, size_bytes BIGINT NOT NULL, mtime_ns BIGINT NOT NULL, kind VARCHAR(16),
        content VARCHAR(64), fingerprint VARCHAR(200) NOT NULL, state VARCHAR(16) NOT NULL, reason TEXT NOT NULL,
        hint TEXT NOT NULL, attempts INTEGER NOT NULL, seen_run INTEGER NOT NULL)""",
    "CREATE INDEX ix_files_root_id ON files (root_id)",
    "CREATE INDEX ix_files_content ON files (content)",
    "CREATE INDEX ix_files_state ON files (state)",
    """CREATE TABLE indexings (content VARCHAR(64) NOT NULL, fingerprint VARCHAR(200) NOT NULL,
        kind VARCHAR(16) NOT NULL, segments INTEGER NOT NULL, notes TEXT NOT NULL, indexed_at FLOAT NOT NULL,
        PRIMARY KEY (content, fingerprint))""",
    "CREATE INDEX ix_indexings_fingerprint ON indexings (fingerprint)",
    "CREATE TABLE schema_version (version INTEGER NOT NULL PRIMARY KEY)",
    "INSERT INTO schema_version VALUES (1)",
    "INSERT INTO roots VALUES (1, '/m', '')",
    "INSERT INTO runs VALUES (1, 1, 'omnia-zero-3', 0, 1), (2, 1, 'omnia-zero-4', 2, 3)",
    """INSERT INTO files VALUES
        (1, 1, '/m/a', 10, 20, 'image', 'aa', 'omnia-zero-4', 'indexed', '', '', 1, 2),
        (2, 1, '/m/b', 10, 20, 'image', 'bb', 'omnia-zero-4', 'failed', 'broken', '', 3, 2),
        (3, 1, '/m/c', 10, 20, NULL, NULL, '', 'failed', 'permission denied', '', 1, 2)""",
    "INSERT INTO indexings VALUES ('aa', 'omnia-zero-3', 'image', 2, '', 1), ('aa', 'omnia-zero-4', 'image', 3, '', 2)",
)


def shape(engine: Engine) -> dict[str, Any]:
    """Tables with the names and nullability of their columns, and their indexes."""
    inspector = inspect(engine)
    return {
        table: (
            sorted((column["name"], column["nullable"]) for column in inspector.get_columns(table)),
            sorted(str(index["name"]) for index in inspector.get_indexes(table) if not index["unique"]),
        )
        for table in inspector.get_table_names()
    }


def test_a_catalogue_of_the_first_version_becomes_a_new_one(
    url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "home").mkdir()
    engine = create_engine(url)
    with engine.begin() as db:
        for statement in FIRST_SCHEMA:
            db.execute(text(statement))
    catalogue = open_catalogue(url)
    assert caplog.messages == ["bringing the catalogue up to date"]
    assert catalogue.active() == LibraryModel("omnia-zero", "omnia-zero-4")
    known = catalogue.known(["/m/a", "/m/b", "/m/c"], "omnia-zero-4")
    assert [known[path].settled for path in ("/m/a", "/m/b", "/m/c")] == [True, True, False]
    assert catalogue.known(["/m/a"], "omnia-zero-3")["/m/a"].settled
    assert [(file.path, file.attempts) for file in catalogue.failures()] == [("/m/b", 3), ("/m/c", 1)]
    assert catalogue.summary().segments == {"omnia-zero-3": 2, "omnia-zero-4": 3}
    migrated = shape(engine)
    catalogue.close()
    with engine.begin() as db:
        METADATA.drop_all(db)
    open_catalogue(url).close()
    assert migrated == shape(engine)
    engine.dispose()


def test_a_catalogue_of_version_11_gets_an_id_that_lasts(url: str) -> None:
    older = open_catalogue(url)
    filled_with_old(older)
    fresh = shape(older._engine)
    former = older.library_id()
    with older._engine.begin() as db:
        db.execute(text("DROP TABLE library"))
        db.execute(text("UPDATE schema_version SET version = 11"))
    older.close()
    catalogue = open_catalogue(url)
    assert shape(catalogue._engine) == fresh
    library = catalogue.library_id()
    assert library not in ("", former)
    catalogue.close()
    again = open_catalogue(url)
    assert again.library_id() == library
    again.close()


def test_names_are_cut_a_few_files_at_a_time(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    run = catalogue.begin_run("/m", "fp")
    catalogue.record(run, "fp", [indexed(f"/m/dog {number}.jpg", content=f"{number}") for number in range(10, 15)])
    portions: list[int] = []

    def keep_names(db: Connection, files: Iterator[tuple[int, str]], root: str) -> None:
        some = list(files)
        portions.append(len(some))
        naming.keep_names(db, some, root)

    monkeypatch.setattr(migrations, "_NAMED", 2)
    monkeypatch.setattr(migrations, "keep_names", keep_names)
    with catalogue._engine.begin() as db:
        migrations.STEPS[10](db)
    assert portions == [2, 2, 1]
    assert len(catalogue.named(["dog"], "fp", limit=9)) == 5


def test_the_library_is_counted_again_only_after_a_change(catalogue: Catalogue, url: str) -> None:
    counted: list[str] = []

    @event.listens_for(catalogue._engine, "before_cursor_execute")
    def count(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "count(" in statement:
            counted.append(statement)

    run = catalogue.begin_run("/m", "fp")
    for number in range(3):
        catalogue.record(run, "fp", [indexed(f"/m/{number}")])
        assert catalogue.summary().roots[0].files == number + 1
    counted.clear()
    assert catalogue.summary() == catalogue.summary()
    assert counted == []
    other = open_catalogue(url)
    other.record(run, "fp", [indexed("/m/other")])
    other.close()
    assert catalogue.summary().roots[0].files == 4


def test_a_saved_search_is_kept_looked_at_and_dropped(catalogue: Catalogue) -> None:
    catalogue.keep_search("dogs", "q=dog")
    catalogue.keep_search("dogs", "q=dogs")
    [kept] = catalogue.searches()
    assert (kept.name, kept.address) == ("dogs", "q=dogs")
    before = catalogue.look_at(kept.id)
    assert before == kept
    assert catalogue.searches()[0].seen_s > kept.seen_s
    catalogue.drop_search(kept.name)
    assert catalogue.searches() == []
    assert catalogue.look_at(kept.id) is None
