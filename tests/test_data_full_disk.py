"""A disk that is full: nothing is written to it, and what is stored still answers."""

from __future__ import annotations

import errno
import shutil

import numpy as np
import pytest
from store_process import DIM, FINGERPRINT, made

import data.edge
from data.edge import EdgeStore
from data.errors import StoreUnavailableError
from data.owner import open_shared
from data.wire import Address

NO_ROOM = "no room on the disk of .*: 10 MB left; make room and run the same again, nothing is lost"


@pytest.fixture
def disk(monkeypatch):
    """A function that says how much room is left on the disk, in MB."""

    def leave(megabytes):
        monkeypatch.setattr(data.edge, "_free_bytes", lambda _: megabytes * 2**20)

    leave(1_000)
    return leave


def open_one(folder):
    return EdgeStore(folder, fingerprint=FINGERPRINT, dim=DIM)


def test_nothing_is_written_to_a_full_disk_and_searches_go_on(tmp_path, disk):
    records, vectors = made(0, 300)
    store = open_one(tmp_path)
    store.upsert(records, vectors)
    disk(10)
    for write in (lambda: store.upsert(*made(300, 1)), lambda: store.delete({records[0].content})):
        with pytest.raises(StoreUnavailableError, match=NO_ROOM):
            write()
    assert store.search(vectors[[7]], limit=1)[0][0].segment == records[7]
    disk(1_000)
    store.upsert(*made(300, 1))
    assert store.count() == 301
    store.close()


def test_the_disk_is_looked_at_before_each_slice(tmp_path, disk, monkeypatch):
    store = open_one(tmp_path)
    left = iter([1_000, 1_000, 10, 10])
    monkeypatch.setattr(data.edge, "_free_bytes", lambda _: next(left) * 2**20)
    with pytest.raises(StoreUnavailableError, match=NO_ROOM):
        store.upsert(*made(0, 1_000))
    assert store.count() == 2 * data.edge._UPSERT_STEP
    store.close()


def test_no_collection_is_made_on_a_full_disk(tmp_path, disk):
    disk(10)
    with pytest.raises(StoreUnavailableError, match=NO_ROOM):
        open_one(tmp_path / "collection")
    assert not list((tmp_path / "collection").iterdir())
    disk(1_000)
    open_one(tmp_path / "collection").close()


def test_what_was_closed_opens_on_a_full_disk_and_what_was_cut_off_waits_for_room(tmp_path, disk):
    records, vectors = made(0, 300)
    store = open_one(tmp_path / "closed")
    store.upsert(records, vectors)
    shutil.copytree(tmp_path / "closed", tmp_path / "cut off")
    store.close()
    disk(10)
    store = open_one(tmp_path / "closed")
    assert store.search(vectors[[7]], limit=1)[0][0].segment == records[7]
    store.close()
    with pytest.raises(StoreUnavailableError, match=NO_ROOM):
        open_one(tmp_path / "cut off")
    disk(1_000)
    for _ in range(2):  # a close after the log was replayed leaves nothing to replay
        store = open_one(tmp_path / "cut off")
        assert np.allclose(store.fetch([records[7].id])[1], vectors[[7]], atol=1e-5)
        store.close()
        disk(10)


@pytest.mark.parametrize(
    ("met", "said"),
    [
        ("No space left on device (os error 28) at path 'x'", NO_ROOM),
        ("IO Error: Permission denied (os error 13)", r"Permission denied .*; allow reading and writing .* all in it"),
    ],
)
def test_what_stops_the_engine_is_told_and_nobody_is_told_to_delete(tmp_path, disk, monkeypatch, met, said):
    open_one(tmp_path).close()

    def fail(_):
        raise Exception(f"Service runtime error: {met}")

    class Stopped:
        load = staticmethod(fail)

    monkeypatch.setattr(data.edge.qe, "EdgeShard", Stopped)
    disk(10)
    with pytest.raises(StoreUnavailableError, match=said) as caught:
        open_one(tmp_path)
    assert "delete" not in str(caught.value)


def test_an_owner_on_a_full_disk_answers_itself_and_publishes_its_address_later(tmp_path, disk, monkeypatch):
    open_shared(tmp_path, fingerprint=FINGERPRINT, dim=DIM).close()

    def fail(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(Address, "write", fail)
        store = open_shared(tmp_path, fingerprint=FINGERPRINT, dim=DIM)
        assert store.count() == 0
        assert Address.read(tmp_path) is None
    assert store.count() == 0
    assert Address.read(tmp_path) is not None
    store.close()
