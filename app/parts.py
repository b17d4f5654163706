"""Parts: words, files and segments of a query made into vectors, remembered while they are fresh."""

from __future__ import annotations

import hashlib
import stat
import time
import unicodedata
from collections import OrderedDict
from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from app.query import BadQueryError, JudgedPart, Part, SegmentPart, TextPart
from app.scoring import pool
from data.errors import EmbeddingFailedError, UnreadableMediaError, UnsupportedMediaError
from data.records import Evidence
from embedder.media.memory import give_back
from embedder.segment import Modality, Role, Segment, words

if TYPE_CHECKING:
    from data.vectors import Vectors, VectorStore
    from embedder.embed import Embedder
    from embedder.media.sandbox import ReaderPool

_VECTORS_PER_EVIDENCE = 8
_MOST_SEGMENTS = 256  # of a query file; an example need not be read to its end
_MOST_SECONDS = 20.0  # of reading and embedding it
_BATCH = 16
_REMEMBERED = 256


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """One part of a query as the model sees it.

    Args:
        content: SHA-256 of the bytes the part comes from; "" for words.
        vectors: (V, D) float32, unit norm; of a file at most 8 for each evidence it gave, of words that the model
            knows none of V is 0.
        cut: the file goes on beyond what was read.
    """

    content: str
    vectors: Vectors
    cut: bool = False


class PartReader:
    """Makes vectors of parts; safe to use from several threads.

    Args:
        readers: reads query files the way ingest does, in a process that can be killed.
    """

    def __init__(self, embedder: Embedder, store: VectorStore, readers: ReaderPool) -> None:
        self._embedder = embedder
        self._store = store
        self._readers = readers
        self._memory = _Memory(_REMEMBERED)

    def example(self, part: Part) -> Example:
        """The part's vectors; those of words and files are remembered, by their content.

        Raises:
            BadQueryError: nothing to embed: no words, or a segment that is not in the library; or the model fails.
            MediaError: the file cannot be read, or holds nothing that the model can embed.
        """
        if isinstance(part, TextPart):
            return self._typed(part.text)
        if isinstance(part, SegmentPart):
            return self._stored(part)
        if isinstance(part, JudgedPart):
            return Example("", pool(self._store.fetch(part.ids)[1], _VECTORS_PER_EVIDENCE))
        content = part.content or _sha256(part.path)
        key = f"file/{content}"
        return self._memory.get(key) or self._memory.put(key, self._read(part.path, content))

    def knows(self, content: str) -> bool:
        """Whether a file of this content is answered without being read."""
        return self._memory.get(f"file/{content}") is not None

    def _read(self, path: Path, content: str) -> Example:
        by_evidence: dict[Evidence, list[Vectors]] = {}
        batch: list[Segment] = []
        modalities: set[Modality] = set()
        count, cut = 0, False
        stop_at = time.monotonic() + _MOST_SECONDS
        with closing(_iterate(self._readers.read(path))) as segments:
            for segment in segments:
                batch.append(segment)
                modalities.add(segment.modality)
                count += 1
                cut = count >= _MOST_SEGMENTS or time.monotonic() > stop_at
                if cut or len(batch) == _BATCH:
                    self._embed(path, batch, by_evidence)
                    batch = []
                if cut:
                    break
        self._embed(path, batch, by_evidence)
        give_back()
        if modalities and not by_evidence:
            why = self._embedder.row.lacks(modalities)
            raise UnsupportedMediaError(path, why, hint="choose another model, or try another file")
        if not by_evidence:
            raise UnsupportedMediaError(path, "holds nothing to search by", hint="try another file")
        pooled = [pool(np.stack(vectors), _VECTORS_PER_EVIDENCE) for vectors in by_evidence.values()]
        return Example(content, np.concatenate(pooled), cut)

    def _embed(self, path: Path, segments: Sequence[Segment], by_evidence: dict[Evidence, list[Vectors]]) -> None:
        """Embed what the model takes in of a file's segments and add each vector (D,) to its evidence's."""
        for modality in filter(self._embedder.row.takes, Modality):
            batch = [segment for segment in segments if segment.modality is modality]
            if batch:
                try:
                    vectors = self._embedder.embed(batch, Role.QUERY)  # (N, D)
                except EmbeddingFailedError as error:
                    reason = f"cannot be embedded: {error.reason}"
                    raise UnreadableMediaError(path, reason, hint="try another file") from error
                for segment, vector in zip(batch, vectors, strict=True):
                    by_evidence.setdefault(segment.evidence, []).append(vector)

    def _typed(self, text: str) -> Example:
        text = " ".join(unicodedata.normalize("NFKC", text).split())
        if not text:
            raise BadQueryError("the words are empty; type what you are looking for")
        key = f"words/{text}"
        try:
            return self._memory.get(key) or self._memory.put(key, Example("", self._embedded(text)))
        except EmbeddingFailedError as error:
            raise BadQueryError(f"the words cannot be embedded: {error.reason}; write them in another way") from error

    def _embedded(self, text: str) -> Vectors:
        vector = self._embedder.embed([words(text)], Role.QUERY)  # (1, D); first, for it says what is wrong with a text
        return vector if self._embedder.reads(text) else vector[:0]

    def _stored(self, part: SegmentPart) -> Example:
        records, vectors = self._store.fetch([part.id])
        if not records:
            raise BadQueryError(f"segment {part.id} is not in the library any more; search again")
        return Example(records[0].content, vectors)


class _Memory:
    """The most recently used examples, at most `most`; the model of a process never changes, so content is
    enough."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = Lock()
        self._kept: OrderedDict[str, Example] = OrderedDict()

    def get(self, key: str) -> Example | None:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def put(self, key: str, example: Example) -> Example:
        with self._lock:
            self._kept[key] = example
            self._kept.move_to_end(key)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return example


def _iterate(segments: Iterable[Segment]) -> Generator[Segment, None, None]:
    yield from segments  # closing a generator that delegates closes the reader's too


def _sha256(path: Path) -> str:
    try:
        mode = path.stat().st_mode  # before it is opened: a pipe would wait for its other end, a device may have no end
        if not stat.S_ISREG(mode):
            what = "a folder" if stat.S_ISDIR(mode) else "not a regular file"
            raise UnreadableMediaError(path, what, hint="give a file")
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError) as error:  # a path that holds NUL or half a character is a ValueError
        reason = (getattr(error, "strerror", None) or "cannot be opened").lower()
        raise UnreadableMediaError(path, reason, hint="check the path and its permissions") from error
