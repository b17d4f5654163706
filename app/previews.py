"""Previews: small JPEG pictures of a file's moment, drawn in a process that can be killed and kept on
disk."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from app.file_cache import FileCache
from app.on_disk import OnDisk
from data.records import Span
from embedder.media.kept import picture_key

if TYPE_CHECKING:
    from embedder.media.sandbox import ReaderPool

log = logging.getLogger(__name__)

MOST_BYTES = 500_000_000


class PreviewCache:
    """Pictures by content and moment, so that a renamed file keeps its preview; the oldest go first.

    Args:
        folder: where the pictures are kept; created when the first is drawn.
        most_bytes: size of the folder past which the least recently used pictures are removed.
    """

    def __init__(self, folder: Path, *, readers: ReaderPool, most_bytes: int = MOST_BYTES) -> None:
        self._kept = FileCache(folder, suffix=".jpg", most_bytes=most_bytes)
        self._readers = readers

    def picture(self, file: OnDisk, span: Span, *, max_side: int) -> bytes:
        """A JPEG of the file at `span` (an image itself, a frame at start_s, a page with the passage of its characters
        highlighted), at most max_side wide or high.

        Raises:
            MediaError: nothing can be drawn of the file.
        """
        drawn = b""

        def draw(part: Path) -> None:
            nonlocal drawn
            drawn = self._readers.still(file.path, span, max_side=max_side)
            part.write_bytes(drawn)

        try:
            return self._kept.path(picture_key(file.version, span, max_side=max_side), draw).read_bytes()
        except OSError as error:  # a full disk costs the cache, not the picture
            log.warning("preview not kept: %s", error)
            return drawn or self._readers.still(file.path, span, max_side=max_side)
