"""Reader for SubRip and WebVTT: written passages with the time at which they are shown."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass

from data.errors import UnsupportedMediaError
from data.records import Evidence, Kind, Span
from embedder.media import text as plain
from embedder.media.passages import word_count
from embedder.media.source import Source
from embedder.segment import Segment

_TIME = r"(?:(\d{1,4}):)?(\d{1,2}):(\d{1,2})(?:[,.](\d{1,3}))?"
_CUE = re.compile(rf"^[ \t]*{_TIME}[ \t]*-->[ \t]*{_TIME}[^\n]*$", re.M)
_TAG = re.compile(r"<[^>\n]{0,200}>|\{\\[^}\n]{0,200}\}")
_DRAWING = re.compile(r"m(?: -?\d+(?:\.\d+)?){2}(?: [mnlbspc]| -?\d+(?:\.\d+)?)+")  # of Advanced SubStation Alpha
_ENOUGH_WORDS = 12
_MAX_WORDS = 60
_MAX_LINES = 10  # that stay
_MAX_SECONDS = 15.0
_GAP_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Cue:
    """Words shown from start_s to end_s."""

    text: str
    start_s: float
    end_s: float


def read(source: Source) -> Iterator[Segment]:
    """Cues joined to passages of a sentence or two, at most fifteen seconds each.

    Raises:
        UnsupportedMediaError: there is no cue in it.
    """
    found = False
    for segment in shown(cues(plain.decoded(source)), source.kind):
        found = True
        yield segment
    if not found:
        raise UnsupportedMediaError(source.path, "no subtitles in it")


def still(source: Source, span: Span, max_side: int) -> bytes:
    """Subtitles have no picture.

    Raises:
        UnsupportedMediaError: always.
    """
    return plain.still(source, span, max_side)


def shown(found: Iterator[Cue], kind: Kind) -> Iterator[Segment]:
    """Passages of cues as written segments."""
    waiting: list[Cue] = []
    for cue in found:
        if waiting and _is_full(waiting, cue):
            yield _passage(waiting, kind)
            waiting = []
        waiting.append(cue)
    if waiting:
        yield _passage(waiting, kind)


def cues(text: str) -> Iterator[Cue]:
    """The cues of a SubRip or WebVTT file, in its order, without markup and the lines that stay from the cue before."""
    marks = list(_CUE.finditer(text))
    before: list[str] = []
    for mark, following in zip(marks, [*marks[1:], None], strict=True):
        body = text[mark.end() : following.start() if following else len(text)]
        body = re.split(r"\n[ \t]*\n", body.lstrip("\n"), maxsplit=1)[0] if body.strip() else ""
        lines = [" ".join(html.unescape(_TAG.sub("", line)).split()) for line in body.split("\n")]
        lines = [line for line in lines if line and not _DRAWING.fullmatch(line)]
        if not lines:
            continue
        stay = next((n for n in range(min(len(lines), _MAX_LINES), 0, -1) if lines[:n] == before[-n:]), 0)
        before = lines
        if lines[stay:]:
            start_s, end_s = _seconds(mark, 1), _seconds(mark, 5)
            yield Cue(" ".join(lines[stay:]), start_s, max(start_s, end_s))


def _is_full(waiting: list[Cue], cue: Cue) -> bool:
    count = sum(word_count(c.text) for c in waiting)
    sentence_done = waiting[-1].text.rstrip("\"'”»)").endswith((".", "!", "?", "…", "。", "！", "？"))
    return (
        count + word_count(cue.text) > _MAX_WORDS
        or cue.end_s - waiting[0].start_s > _MAX_SECONDS
        or cue.start_s - waiting[-1].end_s > _GAP_SECONDS
        or cue.start_s < waiting[0].start_s
        or (sentence_done and count >= _ENOUGH_WORDS)
    )


def _passage(waiting: list[Cue], kind: Kind) -> Segment:
    return Segment(
        kind=kind,
        evidence=Evidence.WRITTEN,
        span=Span(start_s=waiting[0].start_s, end_s=max(c.end_s for c in waiting)),
        text=" ".join(c.text for c in waiting),
    )


def _seconds(mark: re.Match[str], group: int) -> float:
    hours, minutes, seconds, fraction = (mark[group + i] or "0" for i in range(4))
    return int(hours) * 3600 + int(minutes) * 60 + int(seconds) + float(f"0.{fraction}")
