"""Tiles: the small pictures that results will show, kept while the ingest has the pixels at hand."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from data.records import Evidence, Kind, Span
from embedder.media.image import fitted, jpeg
from embedder.media.kept import TILE_SIDE, keep_picture, kept_picture
from embedder.segment import Segment

log = logging.getLogger(__name__)

_WAITING = 32  # pictures; what does not fit in is drawn when it is asked for
_CLOSE_S = 30.0  # for what is waiting at the end: a disk that hangs holds no ingest
_MOST_BYTES = 300_000_000  # of previews, past which an ingest adds none: the page trims what is more


class Tiles:
    """Draws in a thread of its own and never keeps the ingest waiting; where one cannot be kept, no more are drawn.

    Args:
        folder: of the library's previews.
    """

    def __init__(self, folder: Path, *, most_bytes: int = _MOST_BYTES) -> None:
        self._folder = folder
        self._most_bytes = most_bytes
        self._waiting: queue.Queue[_Drawing | None] = queue.Queue(_WAITING)
        self._thread = threading.Thread(target=self._work, name="tiles", daemon=True)
        self._thread.start()

    def take(self, content: str, segments: Sequence[Segment]) -> None:
        """Keep a tile for each of these segments that a result would show as a picture."""
        for segment in segments:
            span = _asked(segment)
            if span is not None and segment.pixels is not None:
                try:
                    self._waiting.put_nowait(_Drawing(content, span, segment.pixels[0]))
                except queue.Full:
                    return

    def close(self) -> None:
        """Draw what is waiting, and end."""
        with suppress(queue.Full):
            self._waiting.put(None, timeout=_CLOSE_S)
            self._thread.join(_CLOSE_S)

    def _work(self) -> None:
        """Draw to the end; after an error nothing is drawn any more, and what is waiting only taken away."""
        try:
            self._draw()
        except Exception as error:
            log.warning("no previews are kept in %s: %s", self._folder, error)
            while self._waiting.get() is not None:
                pass

    def _draw(self) -> None:
        size_bytes = _taken(self._folder)
        while (drawing := self._waiting.get()) is not None:
            place = kept_picture(self._folder, drawing.content, drawing.span, max_side=TILE_SIDE)
            if size_bytes < self._most_bytes and not place.exists():
                picture = jpeg(fitted(Image.fromarray(drawing.pixels), TILE_SIDE))
                size_bytes += len(picture)
                keep_picture(place, picture)


@dataclass(frozen=True, slots=True)
class _Drawing:
    """What to draw: pixels (H, W, 3) of a content at a span."""

    content: str
    span: Span
    pixels: NDArray[np.uint8]


def _taken(folder: Path) -> int:
    """What previews take together, in bytes; the page may trim them meanwhile."""
    size_bytes = 0
    for path in folder.glob("*/*.jpg"):
        with suppress(FileNotFoundError):
            size_bytes += path.stat().st_size
    return size_bytes


def _asked(segment: Segment) -> Span | None:
    """The span that the page will ask for; None for what no result shows as a picture, or not by its first frame."""
    if segment.evidence is not Evidence.SEEN:
        return None
    if segment.span.start_s is not None:
        return Span(start_s=round(float(segment.span.start_s), 2))
    if segment.kind is Kind.DOCUMENT:
        return Span(page=segment.span.page)
    is_still = segment.pixels is not None and len(segment.pixels) == 1
    return Span() if is_still and segment.span.page is None else None
