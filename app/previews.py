"""Previews: small JPEG pictures of a file's moment, drawn in a process that can be killed and kept on
disk."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from data.records import FileRecord, Span
from embedder.media.kept import keep_picture, kept_picture

if TYPE_CHECKING:
    from embedder.media.sandbox import ReaderPool

log = logging.getLogger(__name__)

MOST_BYTES = 500_000_000
_TRIM_TO = 0.8  # of MOST_BYTES, so that trimming is rare
_TRIM_EVERY = 200  # new previews


class PreviewCache:
    """Pictures by content and moment, so that a renamed file keeps its preview; the oldest go first.

    Args:
        folder: where the pictures are kept; created when the first is drawn.
        most_bytes: size of the folder past which the least recently used pictures are removed.
    """

    def __init__(self, folder: Path, *, readers: ReaderPool, most_bytes: int = MOST_BYTES) -> None:
        self._folder = folder
        self._readers = readers
        self._most_bytes = most_bytes
        self._lock = Lock()
        self._drawn = 0

    def picture(self, file: FileRecord, span: Span, *, max_side: int) -> bytes:
        """A JPEG of the file at `span` (an image itself, a frame at start_s, a page), at most max_side wide
        or high.

        Raises:
            MediaError: nothing can be drawn of the file.
        """
        place = kept_picture(self._folder, file.content or "", span, max_side=max_side)
        try:
            picture = place.read_bytes()
            os.utime(place)  # used just now, so trimmed last
            return picture
        except FileNotFoundError:
            picture = self._readers.still(Path(file.path), span, max_side=max_side)
        try:
            keep_picture(place, picture)
            self._count()
        except OSError as error:  # a full disk costs the cache, not the picture
            log.warning("preview not kept in %s: %s", self._folder, error)
        return picture

    def _count(self) -> None:
        with self._lock:
            self._drawn += 1
            if self._drawn % _TRIM_EVERY == 1:
                self._trim()

    def _trim(self) -> None:
        kept = []
        for path in self._folder.glob("*/*"):
            stat = path.stat()
            kept.append((stat.st_mtime_ns, stat.st_size, path))
        size = sum(size_bytes for _, size_bytes, _ in kept)
        if size <= self._most_bytes:
            return
        for _, size_bytes, path in sorted(kept):
            if size <= self._most_bytes * _TRIM_TO:
                break
            path.unlink(missing_ok=True)
            size -= size_bytes
