"""File cache: a folder of files that are made when they are first asked for; the least recently used go first."""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock

from data.errors import MediaError

_TRIM_TO = 0.8  # of most_bytes, so that trimming is rare
_REFUSED_S = 30.0  # for so long what could not be made is not tried again: a player asks several times
_MOST_REFUSED = 1_000


class FileCache:
    """Files by key; safe to use from several threads.

    Args:
        folder: where they are kept; created with the first.
        suffix: of their names, with the dot.
        most_bytes: size of the folder past which the least recently used are removed.
    """

    def __init__(self, folder: Path, *, suffix: str, most_bytes: int) -> None:
        self._folder = folder
        self._suffix = suffix
        self._most_bytes = most_bytes
        self._size = most_bytes  # unknown as yet: the first new file has it measured
        self._lock = Lock()
        self._making: dict[Path, tuple[Lock, int]] = {}  # with how many are at it or wait for it
        self._refused: dict[Path, tuple[float, MediaError]] = {}

    def path(self, key: str, make: Callable[[Path], None]) -> Path:
        """The file of a key, made if it is not there; two who ask for the same one wait for one making.

        Args:
            make: writes the file at the path it is given, which becomes the file once it is whole.

        Raises:
            MediaError: `make` did, just now or moments ago.
            OSError: the folder cannot be written to.
        """
        digest = hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()
        place = self._folder / digest[:2] / f"{digest[2:40]}{self._suffix}"
        if _used(place):
            return place
        with self._alone(place):
            if not _used(place):
                self._make(place, make)
        return place

    def _make(self, place: Path, make: Callable[[Path], None]) -> None:
        refused_s, refusal = self._refused.get(place, (0.0, None))
        if refusal is not None and time.monotonic() - refused_s < _REFUSED_S:
            raise refusal
        place.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=place.parent, suffix=".part")
        os.close(handle)
        part = Path(name)
        try:
            make(part)
            size_bytes = part.stat().st_size
            part.replace(place)
        except MediaError as error:
            with self._lock:
                while len(self._refused) >= _MOST_REFUSED:
                    del self._refused[next(iter(self._refused))]
                self._refused[place] = (time.monotonic(), error)
            raise
        finally:
            part.unlink(missing_ok=True)
        with self._lock:
            self._size += size_bytes
            if self._size > self._most_bytes:
                self._trim()

    @contextmanager
    def _alone(self, place: Path) -> Iterator[None]:
        """Only one at a time makes one file; others may be made meanwhile."""
        with self._lock:
            lock, count = self._making.get(place, (Lock(), 0))
            self._making[place] = (lock, count + 1)
        try:
            with lock:
                yield
        finally:
            with self._lock:
                _, count = self._making.pop(place)
                if count > 1:
                    self._making[place] = (lock, count - 1)

    def _trim(self) -> None:
        kept: list[tuple[int, int, Path]] = []
        for path in self._folder.glob("*/*"):
            with suppress(FileNotFoundError):  # just renamed
                status = path.stat()
                kept.append((status.st_atime_ns, status.st_size, path))
        self._size = sum(size_bytes for _, size_bytes, _ in kept)
        if self._size <= self._most_bytes:
            return
        for _, size_bytes, path in sorted(kept):
            if self._size <= self._most_bytes * _TRIM_TO:
                break
            path.unlink(missing_ok=True)
            self._size -= size_bytes


def _used(place: Path) -> bool:
    """Whether a file is there; it then counts as used just now, so that it is trimmed last."""
    try:
        os.utime(place, ns=(time.time_ns(), place.stat().st_mtime_ns))  # it did not change: its ETag stays
    except FileNotFoundError:
        return False
    return True
