"""Meter: how far an ingest has come, for the terminal and for the catalogue."""

from __future__ import annotations

import math
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from data.catalogue import Progress

_TELL_S = 1.0  # between two looks at the pace
_HEAD_START_S = 1.0  # before the files to come are counted: most runs over what did not change end sooner
_COUNTED = 200  # files between two rests of the walk ahead
_REST = 4.0  # times as long as it walked, so that it takes a fifth of a core at most
_PACE_S = 120.0  # what the pace is told from: files that did not change pass by the thousand, films one in minutes
_SHORTEST_S = 5.0  # of which it can be told
_AGREE = 4.0  # pace by files and pace by bytes differ by no more, or nothing is said


class Meter:
    """Counts what is accounted for against what a walk ahead has counted; a context manager.

    Shows a progress bar on stderr when that is a terminal.

    Args:
        sizes: walks ahead and gives the size in bytes of each file to come; runs in a thread of its own.
    """

    def __init__(self, sizes: Callable[[], Iterator[int]]) -> None:
        self._sizes = sizes
        self._ended = threading.Event()
        self._counted: _Count | None = None
        self._files = self._bytes = self._failed = 0
        self._last = ""
        self._marks = deque([_Count(time.monotonic(), 0, 0)])
        self._told_at = time.monotonic()
        self._bar: Any = None

    def __enter__(self) -> Meter:
        threading.Thread(target=self._walk, name="walk-ahead", daemon=True).start()
        if sys.stderr.isatty():
            from tqdm import tqdm

            shape = "{desc}{percentage:3.0f}%|{bar}| {n_fmt}{postfix}"
            self._bar = tqdm(unit="B", unit_scale=True, bar_format=shape, file=sys.stderr, dynamic_ncols=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        if self._bar is not None:
            self._mark(time.monotonic())
            self._bar.close()

    def advance(self, path: str, size_bytes: int, *, failed: bool = False) -> None:
        """One more file is accounted for."""
        self._files += 1
        self._failed += failed
        self._bytes += size_bytes
        self._last = path
        now = time.monotonic()
        if now - self._marks[-1].at_s >= _TELL_S:
            self._mark(now)
        if self._bar is not None:
            self._bar.update(size_bytes)

    @property
    def is_due(self) -> bool:
        """Whether it is time to tell the catalogue once more."""
        return time.monotonic() - self._told_at >= _TELL_S

    def told(self, *, at: str = "") -> Progress:
        """How far the ingest has come now, for the catalogue.

        Args:
            at: the file that it has been at the longest.
        """
        self._told_at = time.monotonic()
        return self._progress(at)

    def _mark(self, now_s: float) -> None:
        while now_s - self._marks[0].at_s > _PACE_S and len(self._marks) > 1:
            self._marks.popleft()
        self._marks.append(_Count(now_s, self._files, self._bytes))
        if self._bar is not None:
            if self._counted is not None:
                self._bar.total = max(self._counted.size_bytes, self._bytes)
            self._bar.set_postfix_str(self._progress("").as_text(), refresh=False)

    def _progress(self, at: str) -> Progress:
        counted = self._counted
        return Progress(
            files_done=self._files,
            bytes_done=self._bytes,
            files=None if counted is None else counted.files,
            size_bytes=None if counted is None else counted.size_bytes,
            failed=self._failed,
            at=at or self._last,
            left_s=self._left_s(),
        )

    def _left_s(self) -> float | None:
        """Seconds to go at the latest pace, where pace by files and pace by bytes tell about the same."""
        first, counted = self._marks[0], self._counted
        took_s = time.monotonic() - first.at_s
        if counted is None or took_s < _SHORTEST_S:
            return None
        files, size_bytes = self._files - first.files, self._bytes - first.size_bytes
        if not files or not size_bytes:
            return None
        by_files = took_s * max(0, counted.files - self._files) / files
        by_bytes = took_s * max(0, counted.size_bytes - self._bytes) / size_bytes
        if max(by_files, by_bytes) >= _AGREE * min(by_files, by_bytes):  # also where nothing is left
            return None
        return math.sqrt(by_files * by_bytes)

    def _walk(self) -> None:
        if self._ended.wait(_HEAD_START_S):
            return
        files = total = 0
        began = time.monotonic()
        for size_bytes in self._sizes():
            files += 1
            total += size_bytes
            if files % _COUNTED == 0:
                if self._ended.wait(_REST * (time.monotonic() - began)):
                    return
                began = time.monotonic()
        self._counted = _Count(began, files, total)


@dataclass(frozen=True, slots=True)
class _Count:
    """Files and bytes at a moment of the monotonic clock."""

    at_s: float
    files: int
    size_bytes: int
