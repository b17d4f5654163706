"""Twins: which media are tested on, without those that have a near twin among the media that are trained on.

Groups hold out what is called the same; a drawing that two collections name differently, or one exam printed twice,
is found by what the towers and the readers say of it.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from embedder.model.projector import FRAMES
from embedder.training.cache import Shelf
from embedder.training.pairs import IN_MOTION, Medium

log = logging.getLogger(__name__)

Vectors = NDArray[np.float32]
Rows = Mapping[str, Sequence[int]]

_MOST_OF_GROUP = 4  # tested pages; those of one section are found by the same words
_SHARED_PHRASES = 0.5  # of the phrases of two pages; except for reprints, pages stay below 0.42
_PHRASE = 5  # words
_BLOCK = 2_048  # media compared at once


@dataclass(frozen=True, slots=True)
class _Look:
    """What media are compared by, and the cosine above which two are twins, each less the mean of all.

    Args:
        limit: within a source, where one style alone brings different things near.
        elsewhere: between sources.
    """

    of: Callable[[Shelf, Sequence[int]], Vectors]
    limit: float
    elsewhere: float


def without_twins(shelves: Sequence[Shelf], whole: Collection[str]) -> dict[str, list[int]]:
    """The rows of each shelf that are tested on, by source, in an order that says nothing.

    Args:
        whole: sources of which nothing is trained on, and all is tested.
    """
    asked = {shelf.source: _held_out(shelf, whole=shelf.source in whole) for shelf in shelves}
    trained = {
        shelf.source: [row for row, entry in enumerate(shelf.entries) if not entry.held_out] for shelf in shelves
    } | {source: [] for source in whole}
    twins: set[str] = set()  # by their origins, so that a clip goes with its picture
    for media, look in _LOOKS:
        some = [shelf for shelf in shelves if shelf.medium in media]
        twins.update(_looking_alike(some, asked, trained, look))
    twins.update(_reading_alike(shelves, asked, trained))
    found: dict[str, list[int]] = {}
    for shelf in shelves:
        count = len(asked[shelf.source])
        alone = [row for row in asked[shelf.source] if shelf.origin(row) not in twins]
        found[shelf.source] = kept = list(_few_of_a_section(shelf, alone) if shelf.medium is Medium.DOCUMENT else alone)
        if len(kept) < count:
            log.info(
                "%s: %d of %d are not tested on: %d have a twin that is trained on, %d are pages of a long section",
                *(shelf.source, count - len(kept), count, count - len(alone), len(alone) - len(kept)),
            )
    return found


def _held_out(shelf: Shelf, *, whole: bool) -> list[int]:
    rows = [row for row, entry in enumerate(shelf.entries) if whole or entry.held_out]
    return sorted(rows, key=lambda row: hashlib.sha256(shelf.entries[row].key.encode()).digest())


def _few_of_a_section(shelf: Shelf, rows: Sequence[int]) -> Iterator[int]:
    sections: Counter[str] = Counter()
    for row in rows:
        sections[shelf.entries[row].group] += 1
        if sections[shelf.entries[row].group] <= _MOST_OF_GROUP:
            yield row


def _looking_alike(shelves: Sequence[Shelf], asked: Rows, trained: Rows, look: _Look) -> Iterator[str]:
    """Origins of those media that are nearer than allowed to one that is trained on."""
    mine = [(shelf, row) for shelf in shelves for row in asked[shelf.source]]
    if not mine:
        return
    mean = _mean(shelves, look)
    queries = np.concatenate([_units(shelf, asked[shelf.source], look, mean) for shelf in shelves])  # (Q, E)
    families = np.array([_family(shelf) for shelf, _ in mine])
    is_twin = np.zeros(len(mine), bool)
    for shelf in shelves:
        limits = np.where(families == _family(shelf), look.limit, look.elsewhere)
        for block in _blocks(trained[shelf.source]):
            nearest = (queries @ _units(shelf, block, look, mean).T).max(axis=1)  # (Q,)
            is_twin |= nearest > limits
    yield from (shelf.origin(row) for (shelf, row), twin in zip(mine, is_twin, strict=True) if twin)


def _mean(shelves: Sequence[Shelf], look: _Look) -> Vectors:
    """(E,) of all media."""
    sums = [look.of(shelf, block).sum(axis=0) for shelf in shelves for block in _blocks(range(len(shelf.entries)))]
    mean: Vectors = np.sum(sums, axis=0) / sum(len(shelf.entries) for shelf in shelves)
    return mean


def _units(shelf: Shelf, rows: Sequence[int], look: _Look, mean: Vectors) -> Vectors:
    """(N, E) of unit norm, 0 where a medium is the mean itself."""
    found = look.of(shelf, rows) - mean
    norms = np.linalg.norm(found, axis=1, keepdims=True)
    units: Vectors = found / np.maximum(norms, 1e-6)
    return units


def _blocks(rows: Sequence[int]) -> Iterator[Sequence[int]]:
    yield from (rows[start : start + _BLOCK] for start in range(0, len(rows), _BLOCK))


def _family(shelf: Shelf) -> str:
    """Its source, or that of the pictures that it moves over."""
    return shelf.source.removesuffix(IN_MOTION)


def _places(shelf: Shelf, rows: Sequence[int]) -> Vectors:
    """(N, P * E): what is where in the picture, as it is."""
    return shelf.places[list(rows), 0].reshape(len(rows), shelf.places[:1, 0].size).astype(np.float32)


def _frames(shelf: Shelf, rows: Sequence[int]) -> Vectors:
    """(N, FRAMES * E): what is heard when, as it is."""
    frames = shelf.frames[list(rows), 0].astype(np.float32)  # (N, T, E)
    padded = np.pad(frames, ((0, 0), (0, FRAMES - frames.shape[1]), (0, 0)))
    return padded.reshape(len(rows), FRAMES * frames.shape[2])


# Of the stamps, the 25 above 0.9 are by eye those drawings of the clip-art that are among them; within a set of emoji
# many things come that near to others. Sounds are compared over time, since the odds of a class are much the same in
# any recording of it: by those a goat is a sheep, and drums are one. Pages all look alike: reprints are above 0.98,
# others below 0.94.
_LOOKS = (
    ((Medium.IMAGE, Medium.VIDEO), _Look(_places, limit=0.95, elsewhere=0.9)),
    ((Medium.AUDIO,), _Look(_frames, limit=0.98, elsewhere=0.98)),
    ((Medium.DOCUMENT,), _Look(_places, limit=0.98, elsewhere=0.98)),
)


def _reading_alike(shelves: Sequence[Shelf], asked: Rows, trained: Rows) -> Iterator[str]:
    """Origins of the pages that share more than half of their phrases with one that is trained on (Jaccard)."""
    pages = [shelf for shelf in shelves if shelf.medium is Medium.DOCUMENT]
    known = [_phrases(shelf.entries[row].words) for shelf in pages for row in trained[shelf.source]]
    on: defaultdict[str, list[int]] = defaultdict(list)  # on which pages a phrase stands
    for number, phrases in enumerate(known):
        for phrase in phrases:
            on[phrase].append(number)
    for shelf in pages:
        for row in asked[shelf.source]:
            mine = _phrases(shelf.entries[row].words)
            shared = Counter(chain.from_iterable(on.get(phrase, ()) for phrase in mine))
            if any(count > _SHARED_PHRASES * len(mine | known[number]) for number, count in shared.items()):
                yield shelf.origin(row)


def _phrases(words: str) -> set[str]:
    """Each five words in a row, in English letters as captions are: translations share what they leave untranslated."""
    plain = re.findall(r"[a-z]+", words.lower())
    return {" ".join(plain[start : start + _PHRASE]) for start in range(len(plain) - _PHRASE + 1)}
