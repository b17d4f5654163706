"""The words of names, and what they find."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import event

from data.catalogue import Catalogue, Outcome, open_catalogue
from data.naming import name_words
from data.records import FileState, Kind

FINGERPRINT = "fake-1"


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("Trips/beachWalk_2041.jpg", {"trips", "beach", "walk", "2041"}),
        ("IMG2041.HEIC", {"img2041", "img", "2041"}),
        ("名古屋城 夏の旅.jpg", {"名古屋城", "夏の旅", *"名古 古屋 屋城 夏の の旅".split()}),
        ("cafe\u0301 (copy).txt", {"café", "copy"}),
        ("v1.2 notes/README", {"v1", "notes", "readme"}),
        (".tar", set()),
        ("a" * 300 + " b.txt", set()),
    ],
)
def test_a_name_is_cut_where_a_person_reads_words(path, words):
    assert name_words(path) == words


@pytest.fixture
def catalogue(tmp_path):
    catalogue = open_catalogue(f"sqlite:///{tmp_path / 'catalogue.sqlite'}")
    yield catalogue
    catalogue.close()


def record(catalogue: Catalogue, *paths: str, root: str = "/photos") -> None:
    run = catalogue.begin_run(root, FINGERPRINT)
    outcomes = [
        Outcome(
            path=path,
            size_bytes=1,
            mtime_ns=1,
            state=FileState.INDEXED,
            kind=Kind.IMAGE,
            content=f"content of {Path(path).name}".encode("utf-8", "replace").decode(),
            segments=1,
        )
        for path in paths
    ]
    catalogue.record(run, FINGERPRINT, outcomes)
    catalogue.finish_run(run, root, sweep=True)


def found(catalogue: Catalogue, *words: str, limit: int = 10) -> list[str]:
    return list(catalogue.named(words, FINGERPRINT, limit=limit))


def test_rarer_words_and_more_of_them_come_first(catalogue):
    record(catalogue, *(f"/photos/dog {number}.jpg" for number in range(10, 15)), "/photos/dog and beach.jpg")
    scores = catalogue.named(["dog", "beach"], FINGERPRINT, limit=3)
    assert next(iter(scores)) == "content of dog and beach.jpg"
    assert len(scores) == 3
    both, one, _ = scores.values()
    assert both > 3 * one > 0


def test_folders_below_the_root_count_and_the_root_does_not(catalogue):
    record(catalogue, "/photos/norway/one.jpg")
    assert found(catalogue, "norway") == ["content of one.jpg"]
    assert found(catalogue, "photos") == []


def test_a_renamed_file_goes_by_its_new_name_only(catalogue):
    record(catalogue, "/photos/old.jpg")
    record(catalogue, "/photos/new.jpg")
    assert found(catalogue, "old") == []
    assert found(catalogue, "new") == ["content of new.jpg"]


def test_names_that_are_no_text_are_kept_and_wildcards_mean_nothing(catalogue):
    record(catalogue, "/photos/caf\udce9 sunset.jpg", "/photos/100% cotton.jpg")
    assert found(catalogue, "sunset") == ["content of caf? sunset.jpg"]
    assert found(catalogue, "%") == found(catalogue, "") == []
    assert found(catalogue, "cotton") == ["content of 100% cotton.jpg"]


def test_a_word_that_nearly_every_name_holds_is_not_gone_through(catalogue):
    record(catalogue, *(f"/photos/img {number}.jpg" for number in range(1000, 3100)))
    assert found(catalogue, "img") == []
    assert found(catalogue, "img", "1234") == ["content of img 1234.jpg"]


def test_a_rare_word_is_looked_up_and_not_all_files(catalogue):
    plans = []

    @event.listens_for(catalogue._engine, "before_cursor_execute")
    def explain(_connection, cursor, statement, parameters, _context, _many):
        if "name_words" in statement:
            plans.append([row[3] for row in cursor.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)])

    record(catalogue, "/photos/dog.jpg")
    plans.clear()
    assert found(catalogue, "dog") == ["content of dog.jpg"]
    assert plans[-1][0].startswith("SEARCH name_words")
    assert "(file_id=? AND fingerprint=?)" in plans[-1][1]
