"""PagedStore: a vector store that is scanned page by page, each page asked for on its own."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from data.records import SegmentRecord
from data.vectors import Vectors, VectorStore


@dataclass(frozen=True, slots=True)
class Page:
    """One step of a scan: records beside vectors (N, dim); `next` is where to go on, None at the end."""

    records: list[SegmentRecord]
    vectors: Vectors
    next: UUID | None


class PagedStore(VectorStore):
    """The embedded homes: between two pages of a scan the owner may change."""

    @abstractmethod
    def page(self, after: UUID | None, *, limit: int) -> Page:
        """At most `limit` points from id `after` on (from the first one when None), in the order of ids."""

    def scan(self, *, batch_size: int = 1000) -> Iterator[tuple[list[SegmentRecord], Vectors]]:
        after: UUID | None = None
        while True:
            page = self.page(after, limit=batch_size)
            if page.records:
                yield page.records, page.vectors
            after = page.next
            if after is None:
                return
