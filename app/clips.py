"""Clips: stretches of recordings that every browser plays, and pages by themselves, made on demand and kept on disk."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from app.file_cache import FileCache
from app.on_disk import OnDisk
from data.errors import StoreUnavailableError
from data.records import Span

if TYPE_CHECKING:
    from embedder.media.sandbox import ReaderPool

LEAD_S = 3.0  # a clip to play begins so long before its moment; page.js is told and reckons with it
MOST_PLAYED_S = 60.0
MOST_CUT_S = 300.0
MOST_BYTES = 1_000_000_000
_TAIL_S = 3.0  # and goes on so long after it
_UNTOLD_S = 15.0  # the length of a moment whose end is not told
_PLAYED_SIDE = 640
_CUT_SIDE = 1280


class ClipCache:
    """Clips and pages by content and moment; only so many are made at once as there are encoders.

    Args:
        folder: where they are kept; created with the first.
        encoders: the processes that make them, each of which can be killed.
    """

    def __init__(self, folder: Path, *, encoders: ReaderPool, most_bytes: int = MOST_BYTES) -> None:
        self._kept = FileCache(folder, suffix=".bin", most_bytes=most_bytes)
        self._encoders = encoders

    def to_play(self, file: OnDisk, start_s: float, end_s: float | None) -> Path:
        """An MP4 of a moment with what is around it, from LEAD_S before start_s on (or from the beginning), at most
        MOST_PLAYED_S long.

        Raises:
            MediaError: there is nothing to play there.
            StoreUnavailableError: nothing can be kept.
        """
        begin_s = max(0.0, start_s - LEAD_S)
        finish_s = (start_s + _UNTOLD_S if end_s is None else end_s) + _TAIL_S
        span = Span(start_s=round(begin_s, 2), end_s=round(min(finish_s, begin_s + MOST_PLAYED_S), 2))
        return self._made(file, span, _PLAYED_SIDE)

    def cut(self, file: OnDisk, span: Span) -> Path:
        """Exactly the seconds of `span` as an MP4, or its page as a PDF.

        Raises:
            MediaError: nothing can be cut out of the file there.
            StoreUnavailableError: nothing can be kept.
        """
        return self._made(file, span, _CUT_SIDE)

    def _made(self, file: OnDisk, span: Span, side: int) -> Path:
        key = f"{file.version}/{span.start_s}/{span.end_s}/{span.page}/{side}"
        try:
            return self._kept.path(key, lambda part: self._encoders.cut(file.path, span, part, max_side=side))
        except OSError as error:
            why = error.strerror or error
            raise StoreUnavailableError(f"no clip can be kept in the cache: {why}; make room in OMNIA_HOME") from error
