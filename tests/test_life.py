"""Living together: an ingest and the page on one library, in either order, each killed at any moment.

Real processes, a real catalogue, real vectors and real readers; only the model is a hash (tests/life_process.py).
How quick the answers are is measured by `make bench`, not here.
"""

from __future__ import annotations

import os
import random
import sqlite3
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from data.owner import open_shared
from data.records import SegmentRecord
from tests.life_process import DIM, HASH_FINGERPRINT, Page, report_of, start_ingest
from tests.make_folder import mixed_folder, text_path, words_of
from tests.store_process import kill_those_at

SEEN_WITHIN = 5  # questions after its commit, each a round of all probes after the other
SLOW = partial(pytest.param, marks=pytest.mark.slow)
PROBES = 20
PAUSE_S = 0.02  # between two questions


@dataclass(frozen=True, slots=True)
class Committed:
    """What the catalogue promises: contents of indexed files by path, and segments and time of commit by content."""

    contents: dict[str, str]
    segments: dict[str, int]
    at: dict[str, float]


@pytest.fixture(autouse=True)
def nothing_lives_on(tmp_path: Path) -> Iterator[None]:
    yield
    kill_those_at(tmp_path)


def committed(home: Path) -> Committed:
    try:
        with closing(sqlite3.connect(f"file:{home / 'catalogue.sqlite'}?mode=ro", uri=True)) as db:
            files = db.execute(
                "select path, content from files join outcomes on file_id = id where state = 'indexed'"
            ).fetchall()
            indexings = db.execute("select content, segments, indexed_at from indexings").fetchall()
    except sqlite3.OperationalError as error:
        if "no such table" not in str(error) and "unable to open" not in str(error):  # not made yet
            raise
        return Committed({}, {}, {})
    return Committed(
        dict(files),
        {content: number for content, number, _ in indexings},
        {content: at for content, _, at in indexings},
    )


def stored(home: Path) -> dict[SegmentRecord, bytes]:
    """Every segment of the store with its vector, to the precision that storing keeps."""
    store = open_shared(home, fingerprint=HASH_FINGERPRINT, dim=DIM)
    try:
        return {
            record: (vector * 1e3).round().astype(np.int16).tobytes()
            for records, vectors in store.scan()
            for record, vector in zip(records, vectors, strict=True)
        }
    finally:
        store.close()


@pytest.mark.parametrize("first", ["page", "ingest"])
@pytest.mark.parametrize(("files", "pictures", "sounds"), [(900, 0, 0), SLOW(2_000, 50, 20)])
def test_the_page_answers_and_sees_new_files_while_an_ingest_runs(
    tmp_path: Path, first: str, files: int, pictures: int, sounds: int
) -> None:
    media, home = tmp_path / "media", tmp_path / "home"
    texts = mixed_folder(media, files, pictures=pictures, sounds=sounds)
    probes = texts[:: len(texts) // PROBES]
    if first == "page":
        page = Page(home)
        page.wait_ready()
        ingest = start_ingest(media, home)
    else:
        ingest = start_ingest(media, home)
        while not (home / "owner.json").exists():
            assert ingest.poll() is None
            time.sleep(0.02)
        page = Page(home)
        page.wait_ready()
    asked_at: defaultdict[str, list[float]] = defaultdict(list)
    seen: set[str] = set()
    seen_early = 0
    while len(seen) < len(probes):
        is_running = ingest.poll() is None
        for number in probes:
            path = str(text_path(media, number))
            if path not in seen:
                asked_at[path].append(time.time())
                if path in page.search(words_of(number), limit=5)["paths"]:
                    seen.add(path)
                    seen_early += is_running
            time.sleep(PAUSE_S)
        assert is_running or len(seen) == len(probes), "the ingest is over and a file is not found"
    report = report_of(ingest)
    page.search("after the ingest")
    page.finish()
    assert report["indexed"] == report["found"] == files
    assert seen_early > PROBES // 4
    known = committed(home)
    late = [sum(at > known.at[known.contents[path]] for at in asked) for path, asked in asked_at.items()]
    assert max(late) <= SEEN_WITHIN


@pytest.mark.parametrize("kills", [3, SLOW(10)])
def test_killed_at_any_moment_the_library_ends_as_if_nothing_had_happened(tmp_path: Path, kills: int) -> None:
    chance = random.Random(kills)
    media, home = tmp_path / "media", tmp_path / "home"
    files = _grow(media, 0, 150)
    began = time.monotonic()
    report_of(start_ingest(media, home))
    run_s = time.monotonic() - began
    page: Page | None = None
    for kill in range(kills):
        files = _grow(media, files, 150)
        page_is_first = chance.random() < 0.5
        if page is None and page_is_first:
            page = Page(home)
            page.wait_ready()
        ingest = start_ingest(media, home)
        moment = time.monotonic() + chance.uniform(0.2, 1.0) * run_s
        if page is None:
            page = Page(home)
            page.wait_ready()
        while time.monotonic() < moment:
            page.search(words_of(chance.randrange(files)))
            time.sleep(PAUSE_S)
        victim = ("ingest", "page")[kill % 2]
        workers = _children(ingest.pid)
        if victim == "ingest":
            ingest.kill()
            ingest.communicate()
            _wait_until_gone(workers)
        else:
            page.kill()
            page = None
        known = committed(home)
        segments = [record.content for record in stored(home)]
        lost = [content for content, count in known.segments.items() if segments.count(content) != count]
        assert not lost, f"{victim} was killed and {len(lost)} of {len(known.segments)} contents are lost"
        if page is None:
            page = Page(home)
            page.wait_ready()
        for number in chance.sample(range(files), 10):
            path = str(text_path(media, number))
            if path in known.contents:
                assert path in page.search(words_of(number), limit=5)["paths"]
        if victim == "page":
            assert report_of(ingest)["failed"] == 0
            page.kill()
            page = None
    last = report_of(start_ingest(media, home))
    assert (last["found"], last["failed"]) == (files, 0)
    assert report_of(start_ingest(media, home))["unchanged"] == files
    if page is not None:
        page.finish()
    report_of(start_ingest(media, tmp_path / "undisturbed"))
    assert committed(home).contents == committed(tmp_path / "undisturbed").contents
    assert committed(home).segments == committed(tmp_path / "undisturbed").segments
    assert stored(home) == stored(tmp_path / "undisturbed")


def _grow(media: Path, start: int, count: int) -> int:
    """Add texts to a folder; how many there are then."""
    for number in range(start, start + count):
        path = text_path(media, number)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(words_of(number), encoding="utf-8")
    return start + count


def _children(pid: int) -> list[int]:
    """The reader processes of an ingest, where the system tells."""
    try:
        told = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    except OSError:
        return []
    return [int(child) for line in told for child in line.split()]


def _wait_until_gone(pids: list[int]) -> None:
    deadline = time.monotonic() + 10
    while any(_runs(pid) for pid in pids):
        assert time.monotonic() < deadline, "a reader outlives its ingest"
        time.sleep(0.05)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return "embedder.media.worker" in Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return False
