"""SearchService: the life of one query, from its parts to the results a person sees."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import numpy as np

from app.chance import at_the_bar, bar, chance, standings
from app.files import first_files, result_of
from app.parts import Example, PartReader
from app.query import FilePart, Filters, Part, Query, SegmentPart, TextPart
from app.relevance import Background, Levels, levels, sense_of
from app.results import Answer, Result
from app.scoring import Combinations, PartVectors, combinations, fit, scores
from app.sequence import in_sequence
from app.words import fits, names_found, pages_saying, words_found
from data.records import ANY_FILE, Hit, Kind, SegmentRecord, segment_id
from data.vectors import Vectors, Where

if TYPE_CHECKING:
    from data.catalogue import Catalogue
    from data.vectors import VectorStore
    from embedder.embed import Embedder
    from embedder.media.sandbox import ReaderPool

_HITS_PER_RESULT = 2  # asked for each evidence: a file answers with several segments
# Of hits: a longer list begins as a shorter one does, so that pages do not overlap.
_DEPTHS = (50, 200, 800, 3_200, 6_400)
_FEWEST = 25  # files that a depth must find for its order to count, however many are asked for
_BAR_HITS = 40  # by words, among which is what a question reaches by chance, however many are asked for
_SURE = 0.999  # the chance of the very file that was asked with
_WRONG = 0.01  # of its chance is left to what was said to be wrong
_LASTING = frozenset({Kind.VIDEO, Kind.AUDIO})
_NONE: frozenset[str] = frozenset()
_FEW = 500  # contents that the store is told by name; more take long, and enough of them are among the hits


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
        self._fingerprint = embedder.row.fingerprint
        self._catalogue = catalogue
        self._background = Background(store)
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
        question people ask; where it is the only one it comes first. "More like this" leaves its own content out.

        Raises:
            BadQueryError: a part of it is nothing that can be embedded.
            MediaError: a file part cannot be read.
            StoreUnavailableError: the store or the catalogue cannot be reached.
        """
        began = time.perf_counter()
        asked = [(part, self._parts.example(part)) for part in query.parts]
        first = _Step(query.parts, fit(_known(asked)))
        later = [(part, self._parts.example(part)) for part in query.then]
        steps = [first, *(_later(part, example, avoided=first) for part, example in later)]
        saying = query.as_saying
        told = None if saying is None else _later(saying.parts[0], self._parts.example(saying.parts[0]), avoided=first)
        embedded = time.perf_counter()
        results = self._results(
            query,
            steps,
            same={example.content for part, example in asked if isinstance(part, FilePart)},
            left_out={example.content for part, example in asked if isinstance(part, SegmentPart)},
        )
        if saying is not None and told is not None:
            results = _better_of(results, self._results(saying, [told]), query)
        return Answer(
            results=results,
            embed_ms=(embedded - began) * 1000,
            search_ms=(time.perf_counter() - embedded) * 1000,
            cut=any(example.cut for _, example in asked),
            unread=tuple(
                part.text
                for part, one in (*asked, *later)
                if isinstance(part, TextPart) and part.weight > 0 and not len(one.vectors)
            ),
            filled=self._catalogue.filled_so_far(self._fingerprint),
        )

    def _results(
        self, query: Query, steps: Sequence[_Step], *, same: Set[str] = _NONE, left_out: Set[str] = _NONE
    ) -> tuple[Result, ...]:
        chosen = None
        if query.filters.files != ANY_FILE:
            chosen = self._catalogue.chosen(query.filters.files, self._fingerprint)
        where = _where(query.filters, chosen)
        if query.then:
            where = replace(where, kinds=_LASTING & (where.kinds or _LASTING))
        results: dict[str, Result] = {}
        depths = _depths(query.limit)
        for asked in depths:
            lists, drained = zip(*(self._hits(step, where, asked) for step in steps), strict=True)
            by_content: dict[str, list[Hit]] = {}
            for hit in in_sequence(lists) if len(lists) > 1 else lists[0]:
                if hit.segment.content not in left_out and (chosen is None or hit.segment.content in chosen):
                    by_content.setdefault(hit.segment.content, []).append(hit)
            if query.is_one_file:
                by_content |= self._own(same - query.wrong, by_content, where, chosen)
            is_last = all(drained) or asked == depths[-1]
            wanted = (query.limit if is_last else min(query.limit, asked // _HITS_PER_RESULT)) - len(results)
            new = [one for one in by_content if one not in results and (is_last or one not in query.wrong)]
            files = first_files(
                self._catalogue,
                sorted(new, key=lambda one: (one in query.wrong, query.is_one_file and one not in same)),
                fingerprint=self._fingerprint,
                count=max(wanted, _FEWEST),
                choice=query.filters.files,
            )
            if len(files) < _FEWEST and not is_last:
                continue  # what comes first is not sure: the best of two steps may not be among the nearest of both
            for content in islice(files, wanted):
                least = next((result.score for result in reversed(results.values())), 1.0)
                hits = [_sunk(hit, least, wrong=content in query.wrong) for hit in by_content[content]]
                results[content] = result_of(hits, files[content], same=content in same, apart=len(steps) > 1)
            if is_last or len(results) >= query.limit:
                break
        return tuple(results.values())

    def _own(
        self, same: Set[str], found: Mapping[str, list[Hit]], where: Where, chosen: Set[str] | None
    ) -> dict[str, list[Hit]]:
        """The hits of the very file that was asked with, which is what was meant, whatever else is like it."""
        missing = [content for content in same if content not in found and (chosen is None or content in chosen)]
        known = {content: found[content] for content in same if content in found}
        known |= {record.content: [Hit(record, _SURE)] for record in self._first_segments(missing, where)}
        return {
            content: [Hit(best.segment, max(best.score, _SURE)), *others] for content, (best, *others) in known.items()
        }

    def _hits(self, step: _Step, where: Where, asked: int) -> tuple[list[Hit], bool]:
        """The segments that are likeliest meant, best first, and whether there are no more than these."""
        parts = step.vectors
        where = replace(where, phrases=(*where.phrases, *step.phrases))
        drawn = self._background.sample()
        against = {
            sense: [levels(part.vectors, sample) for part in parts]
            for sense, sample in drawn.vectors.items()
            if _both(sense, where)
        }
        if not against:
            return [], True
        wanted = {sense: combinations(parts, here) for sense, here in against.items()}
        # All senses in one question: to ask another process takes longer than to answer.
        asked_in = [sense for sense, those in wanted.items() for _ in those.vectors]
        lists: Sequence[Sequence[Hit]] = ()
        if asked_in:  # else the model knows none of the words, which may find something by themselves
            vectors = np.concatenate([those.vectors for those in wanted.values()])
            lists = self._store.search(vectors, limit=asked, where=[_both(sense, where) or where for sense in asked_in])
        words = words_found(self._store, step.parts, where=where, limit=asked)
        words_bar = _words_bar(words.values())
        names = names_found(self._catalogue, step.parts, fingerprint=self._fingerprint, limit=asked)
        also_found = [*(hit.segment for hit in words.values()), *self._first_segments(names, where)]
        found: list[tuple[float, SegmentRecord]] = []
        for sense, those in wanted.items():
            near = [hits for hits, its in zip(lists, asked_in, strict=True) if its is sense]
            also = [segment.id for segment in also_found if sense_of(segment) is sense]
            segments, z = self._standing_out(near, also, parts, against[sense], those)
            bm25 = np.array([words[one.id].score if one.id in words else 0.0 for one in segments], np.float32)
            named = np.array([names.get(one.content, 0.0) for one in segments], np.float32)
            crowd = drawn.count(_both(sense, where) or where)
            stand = standings(z, bm25, named, crowd=crowd, words_bar=words_bar)
            found += zip(stand.tolist(), segments, strict=True)
        if where.without:
            saying = pages_saying(self._store, [segment for _, segment in found], where.without)
            found = [one for one in found if one[1].id not in saying]
        found.sort(key=lambda one: -one[0])  # before they are chances: many of those are as good as 1
        drained = all(len(some) < asked for some in (*lists, words, names))
        is_told = where == Where(kinds=where.kinds, evidence=where.evidence)
        by_chance = bar(
            ((segment.content, standing) for standing, segment in found),
            segments=drawn.count(where) if is_told else self._store.count(where),
        )
        return [Hit(segment, chance(standing, by_chance)) for standing, segment in found], drained

    def _first_segments(self, contents: Iterable[str], where: Where) -> list[SegmentRecord]:
        """The first segment of each content, as far as it is there and a filter wants it."""
        ids = [segment_id(content, self._fingerprint, 0) for content in contents]
        return [record for record in self._store.fetch(ids)[0] if fits(record, where)] if ids else []

    def _standing_out(
        self,
        near: Sequence[Sequence[Hit]],
        also: Sequence[UUID],
        parts: Sequence[PartVectors],
        against: Sequence[Levels],
        wanted: Combinations,
    ) -> tuple[list[SegmentRecord], Vectors]:
        """The distinct segments of one sense, near by vectors or named by id, with their exact z (N,)."""
        known: dict[UUID, float] = {}
        records: list[SegmentRecord] = []
        if len(near) == 1 and all(part.weight > 0 for part in parts):
            known = {hit.segment.id: hit.score for hit in near[0]}
            records = [hit.segment for hit in near[0]]
        z = np.array(list(known.values()), np.float32) * wanted.scales[:1] + wanted.offsets[:1]
        ids = dict.fromkeys([*(hit.segment.id for hits in near for hit in hits), *also])
        others, vectors = self._store.fetch([one for one in ids if one not in known])
        return [*records, *others], np.concatenate([z, scores(parts, against, vectors)])


@dataclass(frozen=True, slots=True)
class _Step:
    """One thing that is looked for; most questions are one step."""

    parts: Sequence[Part]
    vectors: Sequence[PartVectors]

    @property
    def phrases(self) -> tuple[str, ...]:
        """What must be said or written there word for word."""
        return tuple(phrase for part in self.parts if isinstance(part, TextPart) for phrase in part.phrases)


def _known(asked: Iterable[tuple[Part, Example]]) -> list[PartVectors]:
    """The parts of which there are vectors: judged segments may be gone, and of some words the model knows none."""
    return [PartVectors(example.vectors, part.weight) for part, example in asked if len(example.vectors)]


def _later(part: Part, example: Example, *, avoided: _Step) -> _Step:
    """What comes later in a sequence; what is not wanted is not wanted there either."""
    unwanted = [each for each in avoided.vectors if each.weight < 0]
    return _Step((part,), [*_known([(part, example)]), *unwanted])


def _words_bar(hits: Iterable[Hit]) -> float:
    """What the words of a question reach by chance, of the first _BAR_HITS of those that hold some."""
    first = sorted(hits, key=lambda hit: -hit.score)[:_BAR_HITS]
    found = at_the_bar((hit.segment.content, hit.score) for hit in first)
    if found is not None:
        return found
    return first[-1].score if len(first) == _BAR_HITS else 0.0  # few contents hold them, or these are of more


def _better_of(some: Sequence[Result], others: Sequence[Result], query: Query) -> tuple[Result, ...]:
    """Each content once, as the list has it that is surer of it."""
    found: dict[str, Result] = {}
    for result in (*some, *others):
        if result.content not in found or result.score > found[result.content].score:
            found[result.content] = result
    ranked = sorted(found.values(), key=lambda result: (result.content in query.wrong, -result.score))
    return tuple(ranked[: query.limit])


def _where(filters: Filters, chosen: set[str] | None) -> Where:
    """Filters as the store understands them."""
    return Where(
        kinds=filters.kinds or None,
        evidence=filters.evidence or None,
        contents=frozenset(chosen) if chosen is not None and len(chosen) <= _FEW else None,
        languages=filters.languages or None,
        phrases=filters.phrases,
        without=filters.without,
    )


def _depths(limit: int) -> list[int]:
    """How many hits are asked for, more and more until there are enough results; all lists begin with the same."""
    needed = limit * _HITS_PER_RESULT
    return [*_DEPTHS, needed] if needed > _DEPTHS[-1] else [*_DEPTHS]


def _sunk(hit: Hit, least: float, *, wrong: bool) -> Hit:
    """A hit that is no surer than the results before it, and hardly sure at all where its file was said to be wrong."""
    return Hit(hit.segment, min(hit.score * (_WRONG if wrong else 1.0), least))


def _both(sense: Where, where: Where) -> Where | None:
    """What is in a sense and in a filter, too; None when nothing can be."""
    kinds = sense.kinds if where.kinds is None else where.kinds & (sense.kinds or where.kinds)
    evidence = sense.evidence if where.evidence is None else where.evidence & (sense.evidence or where.evidence)
    return replace(where, kinds=kinds, evidence=evidence) if kinds and evidence else None
