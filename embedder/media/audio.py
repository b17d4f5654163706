"""Reader for sound: windows of about ten seconds, heard; sentences in them, said."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from data.errors import UnsupportedMediaError
from data.records import Evidence, Span
from embedder.media import ffmpeg
from embedder.media.source import Source
from embedder.media.speech import Listener
from embedder.segment import SAMPLE_RATE_HZ, Segment

Sound = NDArray[np.float32]

WINDOW_S = 10.0
_LONGEST_S = 15.0  # the last window takes in a rest shorter than five seconds
_SILENT_DBFS = -70.0


def read(source: Source) -> Iterator[Segment]:
    """Heard windows and said sentences; times count from the start of the recording.

    Raises:
        UnreadableMediaError: nothing of it can be decoded.
        UnsupportedMediaError: it has no sound, or lasts no time.
    """
    found = ffmpeg.probe(source)
    if found.sound is None:
        raise UnsupportedMediaError(source.path, "no sound in it")
    yield from listened(source, found)


def still(source: Source, span: Span, max_side: int) -> bytes:
    """A sound has no picture.

    Raises:
        UnsupportedMediaError: always.
    """
    raise UnsupportedMediaError(source.path, "a sound has no picture to show")


def listened(source: Source, found: ffmpeg.Probe) -> Iterator[Segment]:
    """The sound of a recording: heard windows, silent ones left out unless there is nothing else, and speech.

    Raises:
        UnreadableMediaError: nothing of it can be decoded.
        UnsupportedMediaError: it lasts no time.
    """
    assert found.sound is not None
    windows, listener = _Windows(source), Listener(source)
    decoded_s = 0.0
    if found.more_sounds:
        source.note(f"further sound tracks are left out ({found.more_sounds})")
    decoding = ffmpeg.sound(source, found.sound, picture=found.picture)
    for block in decoding:
        decoded_s += block.size / SAMPLE_RATE_HZ
        source.alive()
        yield from windows.add(block)
        yield from listener.add(block)
        if source.out_of_time(f"{decoded_s:.0f} s of sound"):
            break
    else:
        note_shortfall(source, "sound", decoded_s, found.duration_s, decoding.complaint)
    if not decoded_s:
        raise UnsupportedMediaError(source.path, "the sound lasts no time")
    yield from windows.rest()
    yield from listener.rest()


def note_shortfall(source: Source, what: str, decoded_s: float, promised_s: float | None, complaint: str) -> None:
    """Say so when a recording is damaged and breaks off long before the end that its header promises."""
    if complaint and promised_s is not None and decoded_s < 0.9 * promised_s - 0.5:
        source.note(f"{what} breaks off after {decoded_s:.1f} of {promised_s:.1f} s ({complaint})")


def loudness_dbfs(sound: Sound) -> float:
    """Root mean square level in decibels below full scale; -200 for silence and for no sound."""
    power = float(np.mean(np.square(sound, dtype=np.float64))) if sound.size else 0.0
    return 10.0 * float(np.log10(max(power, 1e-20)))


class _Windows:
    """Blocks of any length in, heard segments of 5 to 15 seconds out (one shorter one for a short sound)."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._waiting: list[Sound] = []
        self._samples = 0
        self._start = 0  # sample at which the waiting ones begin
        self._silent: Segment | None = None  # the first silent window, in case nothing else comes
        self._heard = False

    def add(self, block: Sound) -> Iterator[Segment]:
        self._waiting.append(block)
        self._samples += block.size
        if self._samples < _LONGEST_S * SAMPLE_RATE_HZ:
            return
        sound = np.concatenate(self._waiting)
        length = int(WINDOW_S * SAMPLE_RATE_HZ)
        while sound.size >= _LONGEST_S * SAMPLE_RATE_HZ:
            yield from self._window(sound[:length])
            sound = sound[length:]
        self._waiting, self._samples = [sound], sound.size

    def rest(self) -> Iterator[Segment]:
        if self._samples:
            yield from self._window(np.concatenate(self._waiting))
        if not self._heard and self._silent is not None:
            yield self._silent

    def _window(self, sound: Sound) -> Iterator[Segment]:
        start_s = self._start / SAMPLE_RATE_HZ
        self._start += sound.size
        segment = Segment(
            kind=self._source.kind,
            evidence=Evidence.HEARD,
            span=Span(start_s=round(start_s, 3), end_s=round(self._start / SAMPLE_RATE_HZ, 3)),
            sound=sound,
        )
        if loudness_dbfs(sound) > _SILENT_DBFS:
            self._heard = True
            yield segment
        elif self._silent is None:
            self._silent = segment
