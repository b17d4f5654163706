"""The pipeline: files to decoded segments to batches of one modality to vectors, with bounded look-ahead."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Protocol

from data.errors import EmbeddingFailedError, MediaError, UnreadableMediaError, UnsupportedMediaError
from data.records import Kind
from data.vectors import Vectors
from embedder.embed import Embedder
from embedder.media.sandbox import Done, Event, Failed, Read
from embedder.segment import Modality, Segment

_AHEAD, _AHEAD_BYTES = 32, 64_000_000  # decoded segments waiting for the model, and what they may hold together
_BATCH_BYTES = 64_000_000  # pictures of many frames make smaller batches
_BATCH = {Modality.WORDS: 64, Modality.PIXELS: 16, Modality.SOUND: 16}
_PATIENCE_S = 2.0  # a segment waits no longer than this for its batch to fill


class Pool(Protocol):
    """What the pipeline asks of `embedder.media.sandbox.ReaderPool`."""

    def __enter__(self) -> Pool: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...
    def read_many(self, files: Iterable[tuple[str, Path]]) -> Iterator[Event[str]]: ...


@dataclass(frozen=True, slots=True)
class Embedded:
    """Some segments of a content, with their numbers and vectors (N, D)."""

    content: str
    numbers: tuple[int, ...]
    segments: tuple[Segment, ...]
    vectors: Vectors


@dataclass(frozen=True, slots=True)
class Finished:
    """Every segment of a content has been handed over."""

    content: str
    kind: Kind
    segments: int
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GivenUp:
    """A content cannot be embedded; segments of it may have been handed over before."""

    content: str
    error: MediaError
    kind: Kind | None = None


Step = Embedded | Finished | GivenUp


def embed_files(files: Iterable[tuple[str, Path]], *, pool: Pool, embedder: Embedder) -> Iterator[Step | None]:
    """Decode on the pool and embed in batches; None now and then, while nothing is ready, so that work can be kept.

    Args:
        files: (content hash, path); pulled as workers become free, from another thread.
    """
    batches = _Batches(embedder)
    for event in _ahead(pool.read_many(files)):
        match event:
            case Read(key=content, segment=segment):
                yield from batches.add(content, segment)
            case Done(key=content, kind=kind, notes=notes):
                yield from batches.close(content, kind, tuple(notes))
            case Failed(key=content, error=error, kind=kind):
                yield from batches.fail(content, error, kind)
            case None:
                yield None
        yield from batches.overdue()
    yield from batches.flush()


@dataclass(slots=True)
class _Open:
    """A content between its first segment and its last vector."""

    taken: int = 0  # segments for the model
    waiting: int = 0  # of those, not embedded yet
    left_out: Counter[Modality] = field(default_factory=Counter)  # segments that the model does not take in
    done: tuple[Kind, tuple[str, ...]] | None = None


@dataclass(slots=True)
class _Batches:
    """One buffer for each modality; a content is finished when its last segment leaves one."""

    embedder: Embedder
    contents: dict[str, _Open] = field(default_factory=dict)
    buffers: dict[Modality, list[tuple[str, int, Segment]]] = field(default_factory=dict)
    since: dict[Modality, float] = field(default_factory=dict)
    given_up: set[str] = field(default_factory=set)  # while the rest of them is still being read

    def add(self, content: str, segment: Segment) -> Iterator[Step]:
        if content in self.given_up:
            return
        state = self.contents.setdefault(content, _Open())
        if not self.embedder.row.takes(segment.modality):
            state.left_out[segment.modality] += 1
            return
        buffer = self.buffers.setdefault(segment.modality, [])
        if not buffer:
            self.since[segment.modality] = time.monotonic()
        buffer.append((content, state.taken, segment))
        state.taken += 1
        state.waiting += 1
        held = sum(waiting.size_bytes for _, _, waiting in buffer)
        if len(buffer) >= _BATCH[segment.modality] or held >= _BATCH_BYTES:
            yield from self._embed(segment.modality)

    def close(self, content: str, kind: Kind, notes: tuple[str, ...]) -> Iterator[Step]:
        if content in self.given_up:
            self.given_up.remove(content)
            return
        state = self.contents.setdefault(content, _Open())
        state.done = (kind, notes)
        yield from self._finished(content)

    def fail(self, content: str, error: MediaError, kind: Kind | None) -> Iterator[Step]:
        if content in self.given_up:
            self.given_up.remove(content)
            return
        self._drop(content)
        yield GivenUp(content, error, kind)

    def overdue(self) -> Iterator[Step]:
        """Embed what has waited too long for a full batch."""
        limit = time.monotonic() - _PATIENCE_S
        for modality in [m for m, buffer in self.buffers.items() if buffer and self.since[m] < limit]:
            yield from self._embed(modality)

    def flush(self) -> Iterator[Step]:
        for modality in list(self.buffers):
            yield from self._embed(modality)

    def _embed(self, modality: Modality) -> Iterator[Step]:
        batch, self.buffers[modality] = self.buffers.get(modality, []), []
        while batch:
            try:
                vectors = self.embedder.embed([segment for _, _, segment in batch])  # (B, D)
                break
            except EmbeddingFailedError as error:
                culprit = batch[error.index][0]
                batch = [entry for entry in batch if entry[0] != culprit]
                if self.contents[culprit].done is None:
                    self.given_up.add(culprit)
                self._drop(culprit)
                hint = "report this file" if self.embedder.row.hub is None else "try another model"
                yield GivenUp(culprit, UnreadableMediaError(culprit, error.reason, hint=hint))
        rows: dict[str, list[int]] = {}
        for row, (content, _, _) in enumerate(batch):
            rows.setdefault(content, []).append(row)
        for content, mine in rows.items():
            numbers = tuple(batch[row][1] for row in mine)
            yield Embedded(content, numbers, tuple(batch[row][2] for row in mine), vectors[mine])
            self.contents[content].waiting -= len(mine)
            yield from self._finished(content)

    def _drop(self, content: str) -> None:
        self.contents.pop(content, None)
        for modality, buffer in self.buffers.items():
            self.buffers[modality] = [entry for entry in buffer if entry[0] != content]

    def _finished(self, content: str) -> Iterator[Step]:
        state = self.contents[content]
        if state.done is None or state.waiting:
            return
        del self.contents[content]
        kind, notes = state.done
        if state.left_out:
            why = self.embedder.row.lacks(state.left_out)
            if not state.taken:
                yield GivenUp(content, UnsupportedMediaError(content, why, hint="choose another model"), kind)
                return
            notes = (*notes, f"segments left out: {state.left_out.total():,} ({why})")
        yield Finished(content, kind, state.taken, notes)


def _ahead(events: Iterator[Event[str]]) -> Iterator[Event[str] | None]:
    """The same events, taken by a thread before they are asked for; None for each second without one."""
    ready = _Shelf()

    def take() -> None:
        last: BaseException | None = None
        try:
            for event in events:
                if not ready.put(event, event.segment.size_bytes if isinstance(event, Read) else 0):
                    return
        except BaseException as error:  # carried over to the thread that asks
            last = error
        ready.put(_End(last), 0)

    thread = threading.Thread(target=take, name="decode-ahead", daemon=True)
    thread.start()
    try:
        while True:
            item = ready.take(timeout_s=1.0)
            if isinstance(item, _End):
                if item.error is not None:
                    raise item.error
                return
            yield item
    finally:
        ready.close()
        thread.join(timeout=10)


@dataclass(frozen=True, slots=True)
class _End:
    """Nothing more comes, because all is done or because of an error."""

    error: BaseException | None


class _Shelf:
    """What is decoded and waits for the model, in order: at most _AHEAD things and, unless it is one, _AHEAD_BYTES."""

    def __init__(self) -> None:
        self._items: deque[tuple[Event[str] | _End, int]] = deque()
        self._bytes = 0
        self._changed = threading.Condition()
        self._closed = False

    def put(self, item: Event[str] | _End, size_bytes: int) -> bool:
        """Wait for room; False when nobody will take it any more."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or not self._items or self._has_room(size_bytes))
            if self._closed:
                return False
            self._items.append((item, size_bytes))
            self._bytes += size_bytes
            self._changed.notify_all()
            return True

    def take(self, *, timeout_s: float) -> Event[str] | _End | None:
        """The next thing, or None after the time."""
        with self._changed:
            if not self._changed.wait_for(lambda: bool(self._items), timeout=timeout_s):
                return None
            item, size_bytes = self._items.popleft()
            self._bytes -= size_bytes
            self._changed.notify_all()
            return item

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _has_room(self, size_bytes: int) -> bool:
        return len(self._items) < _AHEAD and self._bytes + size_bytes <= _AHEAD_BYTES
