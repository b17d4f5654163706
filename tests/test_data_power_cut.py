"""A power cut after a flush: the log is on disk, of the rest any page may be old or new."""

from __future__ import annotations

import random
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from data.edge import EdgeStore
from tests.store_process import DIM, FINGERPRINT, made

PAGE_BYTES = 4096


def tear(old: Path, new: Path, chance: random.Random) -> None:
    """Give each page of the files in `old` the content it has in `new`, or leave it; the log is taken whole."""
    for fresh in sorted(path for path in new.rglob("*") if path.is_file()):
        stale = old / fresh.relative_to(new)
        if "wal" in fresh.parts:
            shutil.copy(fresh, stale)
            continue
        after = fresh.read_bytes()
        before = bytearray(stale.read_bytes() if stale.exists() else b"").ljust(len(after), b"\0")
        if before != after:
            for start in range(0, len(after), PAGE_BYTES):
                if chance.random() < 0.5:
                    before[start : start + PAGE_BYTES] = after[start : start + PAGE_BYTES]
            stale.write_bytes(before)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the engine itself flushes")
@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow), pytest.param(2, marks=pytest.mark.slow)])
def test_what_was_flushed_survives_a_power_cut_that_tears_every_file(tmp_path: Path, seed: int) -> None:
    store = EdgeStore(tmp_path / "live", fingerprint=FINGERPRINT, dim=DIM)
    store.upsert(*made(0, 300))
    store.close()
    shutil.copytree(tmp_path / "live", tmp_path / "torn")
    store = EdgeStore(tmp_path / "live", fingerprint=FINGERPRINT, dim=DIM)
    for start in range(300, 900, 100):
        store.upsert(*made(start, 100))
        store.flush()
    forgotten = {made(0, 1)[0][0].content}
    store.delete(forgotten)
    store.flush()
    tear(tmp_path / "torn", tmp_path / "live", random.Random(seed))
    store.close()

    records, vectors = made(0, 900)
    kept = [i for i, record in enumerate(records) if record.content not in forgotten]
    again = EdgeStore(tmp_path / "torn", fingerprint=FINGERPRINT, dim=DIM)
    assert again.count() == len(kept)
    found, rows = again.fetch([record.id for record in records])
    assert found == [records[i] for i in kept]
    assert np.allclose(rows, vectors[kept], atol=1e-5)
    for i in kept[::100]:
        assert again.search(vectors[[i]], limit=1)[0][0].segment == records[i]
    again.close()
