"""Clip: a stretch of a recording, made into what every browser plays."""

from __future__ import annotations

from pathlib import Path

from data.errors import UnreadableMediaError
from data.records import Span
from embedder.media import ffmpeg
from embedder.media.image import check_pixels
from embedder.media.source import Source


def cut(source: Source, span: Span, out: Path, max_side: int) -> None:
    """Write what lies between span.start_s and span.end_s, or the end, as an MP4 of H.264 and AAC.

    Raises:
        UnreadableMediaError: there is nothing to play there.
    """
    assert span.start_s is not None
    assert span.end_s is not None
    found = ffmpeg.probe(source)
    if found.duration_s is not None and span.start_s >= found.duration_s:
        raise UnreadableMediaError(source.path, f"it ends at second {found.duration_s:.2f}, before what was asked for")
    if found.picture is None and found.sound is None:
        raise UnreadableMediaError(source.path, "neither picture nor sound in it")
    check_pixels(source, found.width, found.height)
    ffmpeg.clip(source, found, out, start_s=span.start_s, seconds=span.end_s - span.start_s, max_side=max_side)
