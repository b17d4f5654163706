"""SearchService: the life of one query, from its parts to the results a person sees."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from app.files import first_files, result_of
from app.parts import PartReader
from app.query import BadQueryError, FilePart, Query, SegmentPart
from app.results import Answer, Result
from app.scoring import Combinations, PartVectors, combinations, fit, scores
from data.records import Hit
from data.vectors import Where

if TYPE_CHECKING:
    from data.catalogue import Catalogue
    from data.vectors import VectorStore
    from embedder.embed import Embedder
    from embedder.media.sandbox import ReaderPool

_HITS_PER_RESULT = 10  # asked of the store at first: a file answers with several segments
_FEWEST_HITS = 100
_MOST_HITS = 6_400  # asked of the store at last, when most hits belong to few files
_MORE = 4


class SearchService:
    """Answers queries over one library; safe to use from several threads.

    Args:
        embedder: the model the library was embedded with.
        store: the vectors of that model's fingerprint.
        catalogue: which files the contents belong to; contents without a file are not shown.
        readers: reads files given as examples.
    """

    def __init__(self, embedder: Embedder, store: VectorStore, *, catalogue: Catalogue, readers: ReaderPool) -> None:
        self._store = store
        self._catalogue = catalogue
        self._parts = PartReader(embedder, store, readers)

    def learn(self, path: Path) -> str:
        """Read and embed an example file now, so that later queries may name it by its content alone.

        Returns:
            The content's SHA-256, for `FilePart.content`.

        Raises:
            MediaError: the file cannot be read.
        """
        return self._parts.example(FilePart(path)).content

    def knows(self, content: str) -> bool:
        """Whether a file of this content is answered without being read."""
        return self._parts.knows(content)

    def search(self, query: Query) -> Answer:
        """The files that answer the query best.

        The content of a file part stays among the results, marked `same`: "do I have this already?" is a
        question people ask. "More like this" leaves its own content out.

        Raises:
            BadQueryError: the query asks for nothing.
            MediaError: a file part cannot be read.
            StoreUnavailableError: the store or the catalogue cannot be reached.
        """
        _check(query)
        began = time.perf_counter()
        asked = [(part, self._parts.example(part)) for part in query.parts]
        parts = fit([PartVectors(example.vectors, part.weight) for part, example in asked])
        wanted = combinations(parts)
        if not len(wanted.vectors):
            raise BadQueryError("the parts of the query cancel each other out; change one of them")
        embedded = time.perf_counter()
        results = self._results(
            query,
            parts,
            wanted,
            same={example.content for part, example in asked if isinstance(part, FilePart)},
            left_out={example.content for part, example in asked if isinstance(part, SegmentPart)},
        )
        return Answer(
            results=results,
            embed_ms=(embedded - began) * 1000,
            search_ms=(time.perf_counter() - embedded) * 1000,
            cut=any(example.cut for _, example in asked),
        )

    def _results(
        self,
        query: Query,
        parts: Sequence[PartVectors],
        wanted: Combinations,
        *,
        same: set[str],
        left_out: set[str],
    ) -> tuple[Result, ...]:
        where = Where(kinds=query.kinds or None)
        asked = max(_FEWEST_HITS, query.limit * _HITS_PER_RESULT)
        while True:
            lists = self._store.search(wanted.vectors, limit=asked, where=where)
            hits = self._scored(lists, parts, wanted)
            by_content: dict[str, list[Hit]] = {}
            for hit in hits:
                by_content.setdefault(hit.segment.content, []).append(hit)
            for content in left_out:
                by_content.pop(content, None)
            files = first_files(self._catalogue, list(by_content), count=query.limit)
            drained = all(len(found_here) < asked for found_here in lists)
            if len(files) >= query.limit or drained or asked >= _MOST_HITS:
                break
            asked = min(asked * _MORE, _MOST_HITS)
        return tuple(result_of(by_content[content], files[content], same=content in same) for content in files)

    def _scored(self, lists: Sequence[Sequence[Hit]], parts: Sequence[PartVectors], wanted: Combinations) -> list[Hit]:
        """The distinct hits under their exact score, best first."""
        if len(lists) == 1 and wanted.exact:
            return [Hit(hit.segment, float(hit.score * wanted.scales[0])) for hit in lists[0]]
        ids = list(dict.fromkeys(hit.segment.id for found in lists for hit in found))
        records, vectors = self._store.fetch(ids)
        exact = scores(parts, vectors)  # (N,)
        order = np.argsort(-exact, kind="stable")
        return [Hit(records[i], float(exact[i])) for i in order]


def _check(query: Query) -> None:
    if query.limit < 1:
        raise BadQueryError(f"limit must be 1 or more, not {query.limit}")
    if not any(part.weight > 0 for part in query.parts):
        raise BadQueryError("nothing to look for; give words or a file besides what it should not be like")
