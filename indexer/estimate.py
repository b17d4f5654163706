"""Estimate: how long a model will take for what is waiting, told from a few files that it is timed on."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from data.catalogue import Waiting
from data.errors import EmbeddingFailedError
from data.records import Kind
from embedder.embed import Embedder
from embedder.media.formats import BY_SUFFIX
from embedder.media.sandbox import Event, Failed, Read
from embedder.segment import Modality, Segment
from indexer.crawl import Found
from indexer.pipeline import Pool

_FEWEST = 10  # of a first filling, below which it is over soon
_WALK_S = 10.0  # longest that a folder is looked over for it
_HELD = 64  # most files of a kind, from all over the folder, of which those of middling size are timed
_MOST_FILES = 5
_MOST_S = 10.0
_MOST_SEGMENTS = 64  # held of one file; of a longer one the rest is not timed
_BY_COUNT = frozenset({Kind.IMAGE})  # their number tells more than their bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Seconds that `contents` will take: `low_s` if reading and embedding overlap wholly, `high_s` if not at all.

    Args:
        files: that were timed.
        is_more: one of them was not timed to its end, or there are more contents.
    """

    contents: int
    low_s: float
    high_s: float
    files: int
    is_more: bool

    def as_text(self) -> str:
        low, high = _clock(self.low_s), _clock(self.high_s)
        span = low if low == high else f"{low} to {high}"
        more = " or more" * self.is_more
        return f"{self.contents:,} contents, about {span}{more} (timed on {self.files} of them)"


@dataclass(frozen=True, slots=True)
class _Timed:
    size_bytes: int
    read_s: float
    embed_s: float
    is_cut: bool


def to_come(found: Iterable[Found]) -> tuple[list[Waiting], bool]:
    """What a first filling will read, by the names of files and without opening one; nothing where that is not much.

    Returns:
        A row for each kind, and whether the walk took too long and was cut short.
    """
    stop_at = time.monotonic() + _WALK_S
    counts: dict[Kind, int] = defaultdict(int)
    sizes: dict[Kind, int] = defaultdict(int)
    strides: dict[Kind, int] = defaultdict(lambda: 1)
    held: dict[Kind, list[Found]] = defaultdict(list)
    is_cut = False
    for each in found:
        is_cut = time.monotonic() > stop_at
        if is_cut:
            break
        row = BY_SUFFIX.get(Path(each.path).suffix.lower().removeprefix("."))
        if row is None or each.problem or not each.is_regular or not each.size_bytes:
            continue
        kind = row.format.kind
        counts[kind] += 1
        sizes[kind] += each.size_bytes
        if counts[kind] % strides[kind] == 0:
            held[kind].append(each)
        if len(held[kind]) > _HELD:
            held[kind], strides[kind] = held[kind][1::2], strides[kind] * 2
    if sum(counts.values()) < _FEWEST:
        return [], is_cut
    return [
        Waiting(kind=kind, contents=counts[kind], size_bytes=sizes[kind], sample=_middling(held[kind]))
        for kind in counts
    ], is_cut


def _middling(found: Sequence[Found]) -> tuple[str, ...]:
    """A few of middling size."""
    by_size = sorted(found, key=lambda each: (each.size_bytes, each.path))
    start = max(0, (len(by_size) - _MOST_FILES) // 2)
    return tuple(each.path for each in by_size[start : start + _MOST_FILES])


def estimate(
    waiting: Sequence[Waiting], *, pool: Pool, embedder: Embedder, workers: int, is_more: bool = False
) -> Estimate | None:
    """Time the model on a tenth of what is waiting, five files and ten seconds at most; None when none can be read.

    Args:
        is_more: there is more than what is told here.
    """
    stop_at = time.monotonic() + _MOST_S
    contents = sum(one.contents for one in waiting)
    most_files = min(
        _MOST_FILES, max(1, contents // 10)
    )  # to time a small library must not take longer than to fill it
    timed: dict[Kind, list[_Timed]] = {}
    is_warm = False
    for kind, path in _in_turn(waiting):
        if time.monotonic() > stop_at or sum(map(len, timed.values())) >= most_files:
            break
        one = _time(path, pool, embedder, stop_at=stop_at)
        if one is not None and not is_warm and not one.is_cut:  # the first waits for the reader's process to start
            is_warm, one = True, _time(path, pool, embedder, stop_at=stop_at)
        if one is not None:
            timed.setdefault(kind, []).append(one)
    every = [one for some in timed.values() for one in some]
    if not every:
        return None
    read_s = sum(_scaled(one, timed.get(one.kind), every, "read_s") for one in waiting)
    embed_s = sum(_scaled(one, timed.get(one.kind), every, "embed_s") for one in waiting)
    return Estimate(
        contents=contents,
        low_s=max(read_s / max(1, workers), embed_s),
        high_s=read_s + embed_s,
        files=len(every),
        is_more=is_more or any(one.is_cut for one in every),
    )


def _in_turn(waiting: Sequence[Waiting]) -> Iterator[tuple[Kind, Path]]:
    """A file of each kind, then a second of each, ...; the kind with most bytes first."""
    by_weight = sorted(waiting, key=lambda one: -one.size_bytes)
    for turn in zip_longest(*(one.sample for one in by_weight)):
        for one, path in zip(by_weight, turn, strict=True):
            if path is not None:
                yield one.kind, Path(path)


def _time(path: Path, pool: Pool, embedder: Embedder, *, stop_at: float) -> _Timed | None:
    """Read and embed a file as an ingest does, and forget the vectors; None when that fails."""
    try:
        size_bytes = path.stat().st_size
    except OSError:
        return None
    segments: list[Segment] = []
    is_cut = False
    began = time.monotonic()
    with closing(_iterate(pool.read_many([("", path)]))) as events:
        for event in events:
            if isinstance(event, Failed):
                return None
            if isinstance(event, Read):
                segments.append(event.segment)
            if len(segments) >= _MOST_SEGMENTS or time.monotonic() > stop_at:
                is_cut = True
                break
    read = time.monotonic()
    try:
        for modality in filter(embedder.row.takes, Modality):
            batch = [segment for segment in segments if segment.modality is modality]
            if batch:
                embedder.embed(batch)
    except EmbeddingFailedError:
        return None
    return _Timed(size_bytes, read - began, time.monotonic() - read, is_cut)


def _scaled(waiting: Waiting, timed: Sequence[_Timed] | None, every: Sequence[_Timed], name: str) -> float:
    """Seconds for all of a kind, by count or by bytes; a kind of which none was timed goes by the bytes of all."""
    mine = timed or every
    seconds = sum(float(getattr(one, name)) for one in mine)
    if timed and waiting.kind in _BY_COUNT:
        return seconds / len(timed) * waiting.contents
    return seconds / max(1, sum(one.size_bytes for one in mine)) * waiting.size_bytes


def _clock(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if seconds < 90 * 60:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"


def _iterate(events: Iterator[Event[str]]) -> Generator[Event[str], None, None]:
    yield from events  # closing a generator that delegates closes the reader's too
