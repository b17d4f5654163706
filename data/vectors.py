"""VectorStore: the one interface to the segments' vectors, wherever they live."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from data.records import Evidence, Hit, Kind, SegmentRecord

if TYPE_CHECKING:
    from data.settings import Settings

Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """Which segments may match; None means any.

    Args:
        languages: ISO 639-1 codes; segments whose language is not known do not match.
        phrases: each must be among the segment's words, in this order, upper and lower case alike.
        without: none of these phrases may be among them; what has no words has none of them.
    """

    kinds: frozenset[Kind] | None = None
    evidence: frozenset[Evidence] | None = None
    contents: frozenset[str] | None = None
    languages: frozenset[str] | None = None
    phrases: tuple[str, ...] = ()
    without: tuple[str, ...] = ()


ANYWHERE = Where()


class VectorStore(ABC):
    """The vectors of one collection (one fingerprint), safe to use from several threads.

    Every operation may be repeated: ids are deterministic, so a second upsert overwrites the first.
    Raises StoreUnavailableError from any method when the store cannot be reached.
    """

    dim: int

    @abstractmethod
    def upsert(self, records: Sequence[SegmentRecord], vectors: Vectors) -> None:
        """Store records beside vectors (N, dim), float32, unit norm; visible to `search` on return.

        Raises:
            ModelMismatchError: the width differs from `dim`, or a vector is not finite and of unit norm.
        """

    @abstractmethod
    def flush(self) -> None:
        """Return when everything upserted or deleted so far is durable."""

    @abstractmethod
    def search(self, vectors: Vectors, *, limit: int, where: Where | Sequence[Where] = ANYWHERE) -> list[list[Hit]]:
        """The nearest segments of each query vector (Q, dim) by cosine, best first, at most `limit` each.

        Args:
            where: one filter for all query vectors, or Q of them, one for each.
        """

    @abstractmethod
    def search_words(self, text: str, *, limit: int, where: Where = ANYWHERE) -> list[Hit]:
        """The segments that hold words of `text`, best first by BM25, at most `limit`; upper and lower case are one.

        A hit's score is the sum over the words that it holds: the rarer a word is here, the more it gives.
        """

    @abstractmethod
    def fetch(self, ids: Sequence[UUID]) -> tuple[list[SegmentRecord], Vectors]:
        """The stored segments of these ids in the order asked, unknown ids left out, with vectors (N, dim)."""

    @abstractmethod
    def segments(self, content: str) -> list[SegmentRecord]:
        """All segments of one content, by number."""

    @abstractmethod
    def scan(self, *, batch_size: int = 1000) -> Iterator[tuple[list[SegmentRecord], Vectors]]:
        """Everything stored, in batches: to move a library to another home without embedding again."""

    @abstractmethod
    def contents(self) -> set[str]:
        """The distinct contents that have segments here."""

    @abstractmethod
    def delete(self, contents: Collection[str]) -> None:
        """Forget every segment of these contents."""

    @abstractmethod
    def count(self, where: Where = ANYWHERE) -> int:
        """How many segments are stored (exact)."""

    @abstractmethod
    def close(self) -> None:
        """Flush and let go of the store; further calls are an error."""


def open_vectors(settings: Settings, *, library: str, fingerprint: str, dim: int) -> VectorStore:
    """Open the collection of `fingerprint`: on the Qdrant server the settings name, else embedded in `home`.

    Args:
        library: its id (`Catalogue.library_id`), which tells its collections on a server from those of others.

    Raises:
        StoreUnavailableError: the server does not answer, or the folder cannot be used.
        ModelMismatchError: the collection exists with another width.
    """
    if settings.qdrant_url:
        from data.server import open_server

        return open_server(
            settings.qdrant_url, settings.qdrant_api_key, library=library, fingerprint=fingerprint, dim=dim
        )
    from data.owner import open_shared

    return open_shared(settings.home, fingerprint=fingerprint, dim=dim)


def stored_dim(settings: Settings, *, library: str, fingerprint: str) -> int | None:
    """The width of the stored collection of `fingerprint`, None when there is none.

    Raises:
        StoreUnavailableError: the server does not answer, or what says the width is damaged.
    """
    if settings.qdrant_url:
        from data.server import server_dim

        return server_dim(settings.qdrant_url, settings.qdrant_api_key, library=library, fingerprint=fingerprint)
    from data.owner import shared_dim

    return shared_dim(settings.home, fingerprint=fingerprint)


def drop_vectors(settings: Settings, *, library: str, fingerprint: str) -> None:
    """Delete the collection of `fingerprint` with all its vectors; nothing happens when there is none.

    Raises:
        StoreUnavailableError: the store cannot be reached, or the folder cannot be deleted.
    """
    if settings.qdrant_url:
        from data.server import drop_from_server

        drop_from_server(settings.qdrant_url, settings.qdrant_api_key, library=library, fingerprint=fingerprint)
        return
    from data.owner import drop_shared

    drop_shared(settings.home, fingerprint=fingerprint)
