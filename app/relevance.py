"""Relevance: how far a cosine stands out from what segments of its kind give anyway.

The cosine of a sentence with a picture is not the cosine of two sentences: sounds embed close together, written
passages far apart, and some questions are near to everything. So each query vector is first compared with a sample
of the library, sense by sense, and a cosine counts by its distance from that background:

    z = (cos - mean) / (spread + FLOOR)

PRIOR_COUNT imagined cosines of unrelated things join the sample, so that a library of three pictures has a
background too; FLOOR keeps a question that is equally far from everything from finding wonders. Over all kinds at
once this raised the average precision of the first 10, among the 77 sample files, from 0.36 to 0.54 for files as
queries and from 0.57 to 0.68 for single words, against plain cosines (with omnia-zero; LOG.md has omnia-mini, and
what did worse: medians, and tails fitted to the background). How likely a z of some size is right is another
question, of app/chance.py.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock, Thread
from typing import TYPE_CHECKING

import numpy as np

from data.errors import StoreUnavailableError
from data.records import Evidence, Kind, SegmentRecord
from data.vectors import Where

if TYPE_CHECKING:
    from data.vectors import Vectors, VectorStore

log = logging.getLogger(__name__)

PRIOR_COUNT = 10.0
PRIOR_MEAN = 0.10
PRIOR_SPREAD = 0.12
FLOOR = 0.05
SENSES = (  # each has a background of its own: pages are seen as pictures are, but the model reads them, too
    Where(evidence=frozenset({Evidence.SEEN}), kinds=frozenset(Kind) - {Kind.DOCUMENT}),
    Where(evidence=frozenset({Evidence.SEEN}), kinds=frozenset({Kind.DOCUMENT})),
    *(Where(evidence=frozenset({one}), kinds=frozenset(Kind)) for one in Evidence if one is not Evidence.SEEN),
)
_SAMPLE = 2_000  # segments; ids are hashes, so the first of them are a fair draw
_STEP = 100  # of them in one question to the store, which answers nothing else meanwhile
_PAUSE_S = 0.002
_FRESH_S = 10.0  # a sample younger than this is not drawn again


@dataclass(frozen=True, slots=True, eq=False)
class Levels:
    """The background of query vectors in one sense.

    Args:
        means: (V,) the cosine that an unrelated segment gives.
        spreads: (V,) its standard deviation and FLOOR.
    """

    means: Vectors
    spreads: Vectors


def levels(vectors: Vectors, sample: Vectors) -> Levels:
    """The levels of query vectors (V, D) against a sample (S, D) of one sense, S may be 0."""
    cosines = vectors @ sample.T  # (V, S)
    number = cosines.shape[1]
    means = (cosines.sum(axis=1) + PRIOR_COUNT * PRIOR_MEAN) / (number + PRIOR_COUNT)
    squares = cosines.var(axis=1) * number if number else 0.0
    spreads = np.sqrt((squares + PRIOR_COUNT * PRIOR_SPREAD**2) / (number + PRIOR_COUNT)) + FLOOR
    return Levels(means.astype(np.float32), np.broadcast_to(spreads, means.shape).astype(np.float32))


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """A fair draw of the library.

    Args:
        vectors: (S, D) of each of SENSES, S may be 0.
        counts: the segments of the whole library by kind and evidence, estimated from the draw; exact where it is all
            of the library.
    """

    vectors: Mapping[Where, Vectors]
    counts: Mapping[tuple[Kind, Evidence], float]

    def count(self, where: Where) -> float:
        """How many segments there are of these kinds and this evidence, about."""
        return sum(
            number
            for (kind, evidence), number in self.counts.items()
            if (where.kinds is None or kind in where.kinds) and (where.evidence is None or evidence in where.evidence)
        )


class Background:
    """A sample of the library, drawn anew while the library grows.

    A query never waits for a new sample but for the first.
    """

    def __init__(self, store: VectorStore) -> None:
        self._store = store
        self._lock = Lock()
        self._drawn_s = 0.0
        self._sample = Sample({}, {})

    def sample(self) -> Sample:
        """The latest sample.

        Raises:
            StoreUnavailableError: the first sample cannot be drawn.
        """
        if not self._sample.counts:
            self._draw()
        elif time.monotonic() - self._drawn_s > _FRESH_S:
            self._drawn_s = time.monotonic()
            Thread(target=self._draw_again, name="background", daemon=True).start()
        return self._sample

    def _draw(self) -> None:
        with self._lock:
            drawn: list[Vectors] = [np.empty((0, self._store.dim), np.float32)]
            known: list[SegmentRecord] = []
            for records, vectors in self._store.scan(batch_size=_STEP):
                drawn.append(vectors)
                known += records
                if len(known) >= _SAMPLE:
                    break
                time.sleep(_PAUSE_S)
            rows, of = np.concatenate(drawn), np.array([SENSES.index(sense_of(one)) for one in known], np.int64)
            each = self._store.count() / max(1, len(known))  # segments that one of the sample stands for
            self._sample = Sample(
                vectors={sense: rows[of == number] for number, sense in enumerate(SENSES)},
                counts={
                    group: number * each for group, number in Counter((one.kind, one.evidence) for one in known).items()
                },
            )
            self._drawn_s = time.monotonic()

    def _draw_again(self) -> None:
        try:
            self._draw()
        except StoreUnavailableError as error:
            log.warning("the background keeps its old sample: %s", error)


def sense_of(record: SegmentRecord) -> Where:
    """Which of SENSES a segment belongs to."""
    return next(
        sense for sense in SENSES if record.evidence in (sense.evidence or ()) and record.kind in (sense.kinds or ())
    )
