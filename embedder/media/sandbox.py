"""ReaderPool: files are read in processes that can be killed, so that one bad file costs only itself."""

from __future__ import annotations

import os
import selectors
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Generic, TypeAlias, TypeVar

from data.errors import MediaError, OmniaError, UnreadableMediaError
from data.records import Kind, Span
from embedder.media import wire
from embedder.media.child import Child, Lost, Message
from embedder.media.limits import DEFAULT_LIMITS, Limits, too_much_memory
from embedder.media.source import SMALLER
from embedder.segment import Segment

K = TypeVar("K")

_POLL_S = 0.2
_WATCH_S = 0.1


@dataclass(frozen=True, slots=True)
class Read(Generic[K]):
    """A segment of a file."""

    key: K
    segment: Segment


@dataclass(frozen=True, slots=True)
class Done(Generic[K]):
    """A file that is read to its end; one note for each thing in it that was left out."""

    key: K
    kind: Kind
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Failed(Generic[K]):
    """A file that cannot be read (any further); its kind where that is known."""

    key: K
    error: MediaError
    kind: Kind | None = None


Event: TypeAlias = Read[K] | Done[K] | Failed[K]


class ReaderPool:
    """Up to `workers` reader processes, started when first needed; a context manager, safe to share by threads.

    A worker decodes at most two segments ahead of what is taken from it. It is killed, and only its file
    fails, when it says nothing for limits.seconds, keeps the caller waiting limits.file_seconds for one
    file, takes more than limits.memory_bytes, or crashes. Of workers that need much memory one works at a time.
    """

    def __init__(self, workers: int, *, limits: Limits = DEFAULT_LIMITS) -> None:
        self._workers = max(1, workers)
        self._limits = limits
        self._idle: list[Child] = []
        self._out: set[Child] = set()
        self._free = threading.Condition()
        self._taken = 0
        self._closed = False
        self._ended = threading.Event()
        self._watching = False
        self._large: Child | None = None  # the one that may take more than half of limits.memory_bytes

    def __enter__(self) -> ReaderPool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End all workers, also those at work."""
        with self._free:
            self._closed = True
            children = [*self._idle, *self._out]
            self._idle.clear()
            self._free.notify_all()
        self._ended.set()
        for child in children:
            child.kill()

    def read(self, path: Path) -> Iterator[Segment]:
        """The segments of one file.

        Raises:
            MediaError: it cannot be read, is skipped, or went over a limit; segments may have come before.
        """
        for event in self.read_many([(None, path)]):
            if isinstance(event, Read):
                yield event.segment
            elif isinstance(event, Failed):
                raise event.error

    def read_many(self, files: Iterable[tuple[K, Path]]) -> Iterator[Event[K]]:
        """Read many files at once, each named by a key; a file is taken from `files` when a worker is free.

        Every file ends with one Done or one Failed; its segments come in order, files may overtake each other.

        Raises:
            OmniaError: the reader processes cannot be started.
        """
        waiting = iter(files)
        busy: dict[Child, tuple[K, Path]] = {}
        more = True
        try:
            while True:
                while more and self._reserve(wait=not busy):
                    child = None
                    try:
                        key, path = next(waiting)
                        child = self._worker()
                        busy[child] = (key, Path(path))
                        child.ask({"do": "read"}, Path(path))
                    except StopIteration:
                        more = False
                    finally:
                        if child is None:
                            self._give_back(None)
                if not busy:
                    return
                for child, answer in self._answers(list(busy)):
                    key, path = busy[child]
                    event = _event(key, path, answer)
                    if not isinstance(event, Read):
                        del busy[child]
                        self._give_back(child, alive=isinstance(answer, Message))
                    yield event
        finally:
            for child in busy:
                child.kill()
                self._give_back(child, alive=False)

    def still(self, path: Path, span: Span, *, max_side: int) -> bytes:
        """A JPEG of an image, of the frame of a video at span.start_s, or of page span.page of a document.

        Raises:
            MediaError: the file has no picture there, with the reason.
        """
        return bytes(self._piece(path, {"do": "still", "span": asdict(span), "max_side": max_side}).body)

    def cut(self, path: Path, span: Span, out: Path, *, max_side: int) -> None:
        """Write a piece of a file to `out`: seconds of a recording as MP4, a page of a PDF as PDF.

        Raises:
            MediaError: nothing can be cut out of the file there, with the reason.
        """
        request = {"do": "cut", "span": asdict(span), "max_side": max_side, "out": os.fsencode(out.absolute()).hex()}
        self._piece(path, request)

    def _piece(self, path: Path, request: wire.Header) -> Message:
        """A worker's one answer to a request about a file."""
        self._reserve(wait=True)
        child, alive = None, False
        try:
            child = self._worker()
            child.ask(request, Path(path))
            [(_, answer)] = self._answers([child])
            alive = isinstance(answer, Message)
        finally:
            if child is not None and not alive:
                child.kill()
            self._give_back(child, alive=alive)
        if isinstance(answer, Lost):
            raise UnreadableMediaError(path, answer.reason, hint=answer.hint)
        if answer.header["say"] == "failed":
            raise wire.to_error(answer.header, str(path))
        return answer

    def _answers(self, busy: list[Child]) -> list[tuple[Child, Message | Lost]]:
        """What has come from the workers, at most one answer from each; waits until there is one."""
        found: list[tuple[Child, Message | Lost]] = []
        while not found:
            begun = time.monotonic()
            try:
                with selectors.DefaultSelector() as selector:
                    for child in busy:
                        selector.register(child, selectors.EVENT_READ)
                    ready = [key.fileobj for key, _ in selector.select(_POLL_S)]
            except ValueError as error:  # closed while we waited
                raise OmniaError("the reader pool is closed") from error
            waited_s = time.monotonic() - begun
            for child in busy:
                answer = child.receive() if child in ready else None
                if answer is None:
                    answer = child.overdue(waited_s)
                if isinstance(answer, Message) and answer.header["say"] == "alive":
                    continue
                if answer is not None:
                    found.append((child, answer))
        return found

    def _reserve(self, *, wait: bool) -> bool:
        """The right to one worker; False when all are taken and the caller would not wait."""
        with self._free:
            while self._taken >= self._workers and not self._closed:
                if not wait:
                    return False
                self._free.wait()
            if self._closed:
                raise OmniaError("the reader pool is closed")
            self._taken += 1
            return True

    def _worker(self) -> Child:
        """A worker for the holder of a reservation alone: an idle one, or else a new one."""
        with self._free:
            child = self._idle.pop() if self._idle else None
        if child is not None and not child.is_fit:
            child.kill()
            child = None
        child = child or Child(self._limits)
        with self._free:
            self._out.add(child)
            if not self._watching:
                self._watching = True
                threading.Thread(target=self._watch, name="reader-memory", daemon=True).start()
        return child

    def _watch(self) -> None:
        """Keep the workers within their memory, also while nobody takes anything from them."""
        reason = too_much_memory(self._limits)
        while not self._ended.wait(_WATCH_S):
            with self._free:
                at_work = list(self._out)
            sizes = {child: child.memory_bytes() for child in at_work}
            with self._free:
                for child in sizes.keys() & self._out:
                    if sizes[child] > self._limits.memory_bytes:
                        child.give_up(Lost(reason, SMALLER))
                    elif sizes[child] < self._limits.memory_bytes // 2:
                        self._lighten(child)
                    elif self._large is None:
                        self._large = child
                    child.pause(sizes[child] >= self._limits.memory_bytes // 2 and child is not self._large)

    def _lighten(self, child: Child) -> None:
        """Let another worker be the large one."""
        if child is self._large:
            self._large = None

    def _give_back(self, child: Child | None, *, alive: bool = True) -> None:
        """End a reservation; a worker that is alive waits for the next one."""
        with self._free:
            self._taken -= 1
            if child is not None:
                self._out.discard(child)
                self._lighten(child)
                child.pause(False)
                if alive and not self._closed:
                    self._idle.append(child)
            self._free.notify()


def _event(key: K, path: Path, answer: Message | Lost) -> Event[K]:
    if isinstance(answer, Lost):
        return Failed(key, UnreadableMediaError(path, answer.reason, hint=answer.hint))
    header = answer.header
    if header["say"] == "segment":
        return Read(key, wire.to_segment(header, answer.body))
    kind = Kind(header["kind"]) if header["kind"] else None
    if header["say"] == "failed":
        return Failed(key, wire.to_error(header, str(path)), kind)
    assert kind is not None
    return Done(key, kind, tuple(header["notes"]))
