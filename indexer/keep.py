"""Keep: vectors into the store first, then the rows of the catalogue that promise them.

A crash in between costs a redo, never a lie.
"""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack

import numpy as np

from data.catalogue import Outcome, Progress
from data.records import Kind, SegmentRecord, segment_id
from data.vectors import Vectors, VectorStore
from embedder.media.kept import previews_folder
from embedder.segment import Modality, Segment
from indexer.library import Library
from indexer.pipeline import Embedded
from indexer.tiles import Tiles

_UPSERT_SEGMENTS = 64  # together: each call waits for whoever else uses the store
_COMMIT_SEGMENTS = 1_000  # vectors between two flushes at most
_COMMIT_S = 1.0  # and seconds: a finished file can be found soon after
_COMMIT_FILES = 500
_SNIPPET_CHARACTERS = 2_000  # of a passage, which is hardly ever as long


class Keeper:
    """What is embedded and not committed yet; everything with vectors happens in the thread that owns the run.

    Args:
        stack: closes the store, which is opened when it is first needed.
        lock: held by whoever touches `outcomes` and `promised`, which another thread reads and adds to.

    Attributes:
        outcomes: to be recorded after the next flush.
        promised: contents embedded since the last commit, with their kinds.
    """

    def __init__(self, library: Library, stack: ExitStack, lock: threading.Lock) -> None:
        self.outcomes: list[Outcome] = []
        self.promised: dict[str, Kind] = {}
        self._library = library
        self._stack = stack
        self._lock = lock
        self._store: VectorStore | None = None
        self._tiles: Tiles | None = None
        self._embedded: list[tuple[list[SegmentRecord], Vectors]] = []  # to be upserted together
        self._begun: dict[str, float] = {}  # contents of which some segments are embedded, with where the last one ends
        self._unsaved = 0  # segments upserted since the last flush
        self._committed_at = time.monotonic()

    @property
    def is_due(self) -> bool:
        """Whether enough was kept, or long enough, for a commit."""
        is_late = time.monotonic() - self._committed_at > _COMMIT_S
        return is_late or self._unsaved >= _COMMIT_SEGMENTS or len(self.outcomes) >= _COMMIT_FILES

    def store(self) -> VectorStore:
        if self._store is None:
            self._store = self._library.open_store()
            self._stack.callback(self._store.close)
        return self._store

    def forget_lost(self) -> int:
        """Forget what is indexed and not in the store, where that is not the one of the last run; how many contents.

        A store that is known is not looked at: opening one of 100,000 segments takes a second.
        """
        catalogue, fingerprint, place = self._library.catalogue, self._library.fingerprint, self._library.place()
        is_known = place and place == catalogue.place(fingerprint)
        if is_known or not catalogue.has_indexed(fingerprint):
            return 0
        lost = catalogue.lost(self.store().contents(), fingerprint)
        catalogue.forget_contents(lost, fingerprint)
        return len(lost)

    def forget_empty(self) -> None:
        """Delete the collection if nothing was ever put in: of a model that cannot be loaded no name is kept."""
        fingerprint = self._library.fingerprint
        is_known = any(one.fingerprint == fingerprint for one in self._library.catalogue.models())
        if self._store is not None and not is_known and not self._store.contents():
            self._store.close()
            self._library.drop_other(fingerprint)
            self._store = None

    def note_place(self) -> None:
        """The next run need not look at the store that this one has opened."""
        if self._store is not None:
            self._library.catalogue.note_place(self._library.fingerprint, self._library.place())

    def take(self, step: Embedded) -> None:
        """Keep some segments of a content, of which more may follow."""
        records = [
            SegmentRecord(
                id=segment_id(step.content, self._library.fingerprint, number),
                content=step.content,
                number=number,
                kind=segment.kind,
                evidence=segment.evidence,
                span=segment.span,
                snippet=_snippet(segment),
                language=segment.language,
            )
            for number, segment in zip(step.numbers, step.segments, strict=True)
        ]
        self._embedded.append((records, step.vectors))
        self._draw(step)
        ends = (segment.span.end_s or 0.0 for segment in step.segments)
        self._begun[step.content] = max([self._begun.get(step.content, 0.0), *ends])
        if sum(len(some) for some, _ in self._embedded) >= _UPSERT_SEGMENTS:
            self._upsert()

    def promise(self, content: str, kind: Kind) -> float | None:
        """All of a content was taken: its outcomes may be recorded from the next commit on; the lock is held.

        Returns:
            How long it lasts, in seconds; None for what does not last.
        """
        self.promised[content] = kind
        return self._begun.pop(content, 0.0) or None

    def drop(self, content: str) -> None:
        """Delete what was taken of a content that cannot be embedded to its end."""
        if content in self._begun:
            del self._begun[content]
            self._upsert()
            self.store().delete({content})

    def commit(self, run: int, *, progress: Progress | None = None) -> None:
        """Make all that was taken durable, then record the outcomes under a run's number."""
        self._upsert()
        if self._unsaved:
            self.store().flush()
            self._unsaved = 0
        with self._lock:
            outcomes, self.outcomes = self.outcomes, []
        self._library.catalogue.record(run, self._library.fingerprint, outcomes, progress=progress)
        with self._lock:
            self.promised.clear()
        self._committed_at = time.monotonic()

    def _draw(self, step: Embedded) -> None:
        if self._tiles is None:
            self._tiles = Tiles(previews_folder(self._library.home))
            self._stack.callback(self._tiles.close)
        self._tiles.take(step.content, step.segments)

    def _upsert(self) -> None:
        records = [record for some, _ in self._embedded for record in some]
        if records:
            self.store().upsert(records, np.concatenate([vectors for _, vectors in self._embedded]))
            self._unsaved += len(records)
            self._embedded.clear()


def _snippet(segment: Segment) -> str:
    """The beginning of what is said or written; the words of a page are in its passages, so not here once more."""
    return (segment.text or "")[:_SNIPPET_CHARACTERS] if segment.modality is Modality.WORDS else ""
