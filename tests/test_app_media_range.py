"""Seeking in a file of a gigabyte: the right bytes, and no memory for the rest."""

from __future__ import annotations

import http.client
from pathlib import Path

import pytest
from real_server import serving

from data.records import Kind

SIZE = 1 << 30
MARKS = (0, 1, 65_535, 65_536, 123_456_789, SIZE // 2 + 1, SIZE - 12)
MARK = b"here %06d!"


@pytest.fixture
def film(shelf, tmp_path) -> Path:
    """A sparse file: holes, and a mark at each place."""
    path = tmp_path / "long.mp4"
    with path.open("wb") as file:
        file.truncate(SIZE)
        for place in MARKS[2:]:
            file.seek(place)
            file.write(MARK % (place % 1_000_000))
    shelf.record(path, Kind.VIDEO, "f" * 64, 1)  # hashing a gigabyte is not what is measured here
    return path


def asked(connection, url: str, wanted: str) -> http.client.HTTPResponse:
    connection.request("GET", url, headers={"Range": wanted})
    return connection.getresponse()


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is told by /proc")
def test_seeking_in_a_gigabyte_gives_the_right_bytes_and_takes_no_memory(shelf, film):
    url = f"/api/media/{shelf.id_of(film)}"
    with serving(shelf.library) as port, film.open("rb") as file:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        asked(connection, url, "bytes=0-0").read()
        before = resident_bytes()
        for place in MARKS:
            file.seek(place)
            expected = file.read(12)
            answer = asked(connection, url, f"bytes={place}-{place + 11}")
            assert (answer.status, answer.read()) == (206, expected), place
            assert answer.headers["content-range"] == f"bytes {place}-{min(place + 11, SIZE - 1)}/{SIZE}"
        suffix = asked(connection, url, "bytes=-12")
        assert (suffix.status, suffix.read()) == (206, MARK % (MARKS[-1] % 1_000_000))
        several = asked(connection, url, "bytes=0-1,123456789-123456800")
        assert several.status == 206
        assert MARK % 456_789 in several.read()
        for past in (f"bytes={SIZE}-", f"bytes={SIZE * 2}-{SIZE * 3}"):
            refused = asked(connection, url, past)
            refused.read()
            assert (refused.status, refused.headers["content-range"]) == (416, f"bytes */{SIZE}")
        for turn in range(40):  # as a player does: from here to the end, and away again
            player = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            answer = asked(player, url, f"bytes={turn * SIZE // 40}-")
            assert answer.status == 206
            answer.read(100_000)
            player.close()
        grown = resident_bytes() - before
    assert grown < 20_000_000, f"{grown / 1e6:.1f} MB"
