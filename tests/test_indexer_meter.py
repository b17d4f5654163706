"""How far an ingest has come: counted ahead, told to the catalogue, never guessed."""

from __future__ import annotations

import fcntl
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from data import locks
from data.catalogue import Catalogue, Progress, open_catalogue
from data.locks import ingest_lock, is_ingesting
from indexer import meter as meters
from indexer.meter import Meter
from tests.life_process import start_ingest
from tests.make_folder import mixed_folder


class Clock:
    """Goes on only when it is told to."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def monotonic(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(meters, "time", SimpleNamespace(monotonic=clock.monotonic))
    monkeypatch.setattr(meters, "_HEAD_START_S", 0.0)
    return clock


def counted(meter: Meter, files: int) -> None:
    """Wait for the walk ahead."""
    for _ in range(500):
        if meter.told().files == files:
            return
        time.sleep(0.01)
    raise AssertionError(meter.told())


def test_the_rest_is_told_by_the_latest_pace_and_not_before_there_is_one(clock: Clock) -> None:
    with Meter(lambda: iter([10] * 1_100)) as meter:
        assert meter.told().left_s is None
        counted(meter, 1_100)
        for _ in range(1_000):  # unchanged: they pass at once
            meter.advance("/m/old", 10)
        clock.now_s += 1
        assert meter.told().left_s is None, "too early"
        for _ in range(40):
            clock.now_s += 5
            meter.advance("/m/new", 10)
        told = meter.told(at="/m/slow")
        assert (told.files_done, told.bytes_done, told.size_bytes, told.at) == (1_040, 10_400, 11_000, "/m/slow")
        assert told.left_s == pytest.approx(60 * 5, rel=0.1), "the thousand that passed at once tell nothing of it"
        assert told.as_text() == "1,040 of 1,100 files, about 5 min left"


def test_nothing_is_said_where_files_and_bytes_disagree(clock: Clock) -> None:
    with Meter(lambda: iter([10] * 100 + [1_000_000])) as meter:
        counted(meter, 101)
        for number in range(100):
            clock.now_s += 1
            meter.advance("/m/note", 10, failed=number == 0)
        assert meter.told().as_text() == "100 of 101 files, 1 failed"


def test_the_walk_ahead_ends_with_the_ingest(clock: Clock) -> None:
    walked = []

    def sizes() -> Iterator[int]:
        for _ in range(10_000_000):
            walked.append(1)
            clock.now_s += 0.001
            yield 1

    with Meter(sizes):
        while not walked:
            time.sleep(0.001)
    time.sleep(0.05)
    far = len(walked)
    time.sleep(0.05)
    assert len(walked) == far < 1_000


def test_others_see_how_far_an_ingest_has_come_and_that_a_killed_one_is_over(tmp_path: Path) -> None:
    home = tmp_path / "home"
    mixed_folder(tmp_path / "media", 1_500, sounds=20)
    ingest = start_ingest(tmp_path / "media", home)
    catalogue = open_catalogue(f"sqlite:///{home / 'catalogue.sqlite'}")
    try:
        told = seen_under_way(catalogue, ingest)
        assert is_ingesting(home)
        assert 0 < told.files_done < told.files == 1_500
        assert Path(told.at).is_relative_to(tmp_path / "media")
    finally:
        ingest.kill()
        ingest.communicate()
    assert catalogue.summary().running
    assert not is_ingesting(home)
    catalogue.close()


def seen_under_way(catalogue: Catalogue, ingest: subprocess.Popen[str]) -> Progress:
    """How far an ingest is, once it has counted its files and done some."""
    told = None
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        for told in [one.progress for one in catalogue.summary().running]:
            if told.files_done and told.files:
                return told
        assert ingest.poll() is None
        time.sleep(0.05)
    raise AssertionError(told)


def test_those_who_only_look_take_nobody_but_an_ingest_for_one(tmp_path: Path) -> None:
    assert not is_ingesting(tmp_path / "nowhere")
    assert not is_ingesting(tmp_path)
    with ingest_lock(tmp_path):
        assert is_ingesting(tmp_path)
    looking = os.open(tmp_path / "ingest.lock", os.O_RDONLY)
    fcntl.flock(looking, fcntl.LOCK_SH)
    assert not is_ingesting(tmp_path)
    os.close(looking)


def test_an_ingest_starts_though_one_looks_at_that_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "_PATIENCE_S", 60.0)
    with ingest_lock(tmp_path):
        pass
    looking = os.open(tmp_path / "ingest.lock", os.O_RDONLY)
    fcntl.flock(looking, fcntl.LOCK_SH)
    threading.Timer(0.2, os.close, [looking]).start()
    with ingest_lock(tmp_path):
        assert is_ingesting(tmp_path)
