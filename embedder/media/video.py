"""Reader for films: shots seen, the sound track heard and said, embedded subtitles written."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from data.errors import MediaError, UnreadableMediaError
from data.records import Evidence, Span
from embedder.media import audio, ffmpeg
from embedder.media.image import check_pixels, jpeg
from embedder.media.shots import PER_SECOND, Shot, is_blank, shots
from embedder.media.source import WHOLE_COPY, Source
from embedder.media.subtitles import cues, shown
from embedder.segment import Segment

_MAX_SIDE = 512
_MAX_SUBTITLES = 8


def read(source: Source) -> Iterator[Segment]:
    """Shots, then sound, then subtitles; a part that is broken is noted as long as another one is not.

    Raises:
        UnreadableMediaError: nothing of it can be decoded.
    """
    found = ffmpeg.probe(source)
    count, failed = 0, None
    for part in (_seen, _listened, _subtitles):
        try:
            for segment in part(source, found):
                count += 1
                yield segment
        except MediaError as error:
            failed = failed or error
            source.note(error.reason)
    if not count:
        raise failed or UnreadableMediaError(source.path, "neither picture nor sound in it", hint=WHOLE_COPY)


def still(source: Source, span: Span, max_side: int) -> bytes:
    """The frame at span.start_s as JPEG, else the first one.

    Raises:
        UnreadableMediaError: there is no frame to show.
    """
    found = ffmpeg.probe(source)
    if found.picture is None:
        raise UnreadableMediaError(source.path, "no picture in it")
    check_pixels(source, found.width, found.height)
    for second in dict.fromkeys((span.start_s or 0.0, 0.0)):
        frame = ffmpeg.frame_at(source, found, second, max_side=max_side)
        if frame is not None:
            return jpeg(Image.fromarray(frame))
    raise UnreadableMediaError(source.path, "no frame of it can be decoded")


def _seen(source: Source, found: ffmpeg.Probe) -> Iterator[Segment]:
    if found.picture is None:
        return
    check_pixels(source, found.width, found.height)
    blank: Shot | None = None
    shown_any = False
    for shot in shots(_watched(source, found)):
        if is_blank(shot):
            blank = blank or shot
        else:
            shown_any = True
            yield _segment(source, shot)
    if blank is not None and not shown_any:
        yield _segment(source, blank)


def _watched(source: Source, found: ffmpeg.Probe) -> Iterator[NDArray[np.uint8]]:
    """The frames, with signs of life, until the file has used up its time."""
    number = 0
    decoding = ffmpeg.frames(source, found, per_second=PER_SECOND, max_side=_MAX_SIDE)
    for number, frame in enumerate(decoding, start=1):
        yield frame
        if number % 8 == 0:
            source.alive()
            if source.out_of_time(f"{number / PER_SECOND:.0f} s of picture"):
                return
    audio.note_shortfall(source, "picture", number / PER_SECOND, found.duration_s, decoding.complaint)


def _segment(source: Source, shot: Shot) -> Segment:
    return Segment(
        kind=source.kind,
        evidence=Evidence.SEEN,
        span=Span(start_s=shot.start_s, end_s=shot.end_s),
        pixels=shot.frames,
    )


def _listened(source: Source, found: ffmpeg.Probe) -> Iterator[Segment]:
    if found.sound is not None:
        yield from audio.listened(source, found)


def _subtitles(source: Source, found: ffmpeg.Probe) -> Iterator[Segment]:
    if found.drawn_subtitles:
        source.note(f"{found.drawn_subtitles} subtitle tracks that are pictures are left out")
    if len(found.subtitles) > _MAX_SUBTITLES:
        source.note(f"subtitle tracks after the first {_MAX_SUBTITLES} are left out")
    for text in ffmpeg.subtitles(source, found.subtitles[:_MAX_SUBTITLES]) if found.subtitles else ():
        yield from shown(cues(text), source.kind)
