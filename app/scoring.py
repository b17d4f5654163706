"""Scoring: how the vectors of a query's parts become one score for a segment, in plain numpy.

score(x) = Σ_parts weight · max_i cos(v_part,i, x), divided by the sum of the positive weights.

Why so. A part is one idea said through several senses (a spoken recording is heard and said; a page is seen
and written), and a segment answers it through one of them: hence the best over a part's vectors, not their
mean, which would lie between the senses and near none. Parts are wishes that must hold together: hence the
sum over parts, so that a segment good on both beats one that is excellent on either. A negative part
subtracts its best in the same way.

For positive parts a sum of bests is the best of sums: the maximum, over one vector chosen from each part, of
x · Σ weight v. Each such combination is one vector, whose exact nearest neighbours the store knows. So the
candidates are those of the combinations, and no segment that belongs to the top can be missed. Worked:
parts {a1, a2} and {b} give the combinations a1+b and a2+b; with one typed sentence there is one combination
and the store's score is the final one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from data.vectors import Vectors

MAX_COMBINATIONS = 24  # store searches for one query
_NOTHING = 1e-6  # a combination shorter than this points nowhere


@dataclass(frozen=True, slots=True, eq=False)
class PartVectors:
    """One part of a query as the model sees it.

    Args:
        vectors: (V, D) float32 of unit norm, V at least 1.
        weight: not 0; negative means "not like this".
    """

    vectors: Vectors
    weight: float


@dataclass(frozen=True, slots=True, eq=False)
class Combinations:
    """The vectors to search the store with.

    Args:
        vectors: (C, D) float32, unit norm.
        scales: (C,) by which a cosine with the vector becomes the query's score, where `exact`.
        exact: the best of scale · cosine over the combinations is the score itself.
    """

    vectors: Vectors
    scales: Vectors
    exact: bool


def fit(parts: Sequence[PartVectors]) -> list[PartVectors]:
    """The parts with their vectors pooled until at most MAX_COMBINATIONS combinations are left."""
    wishes = sum(part.weight > 0 for part in parts)
    most = max(1, int(MAX_COMBINATIONS ** (1 / max(1, wishes)) + 1e-9))
    return [PartVectors(pool(part.vectors, most), part.weight) for part in parts]


def combinations(parts: Sequence[PartVectors]) -> Combinations:
    """One search vector for each choice of a vector from each positive part, negative parts subtracted.

    A negative part of several vectors is subtracted as their mean here; `scores` corrects that over the
    candidates.
    """
    wishes = [part for part in parts if part.weight > 0]
    total = sum(part.weight for part in wishes)
    away = sum((part.weight * part.vectors.mean(axis=0) for part in parts if part.weight < 0), np.float32(0))
    sums = np.stack(
        [
            sum((part.weight * vector for part, vector in zip(wishes, chosen, strict=True)), away)
            for chosen in product(*(part.vectors for part in wishes))
        ]
    )  # (C, D)
    norms = np.linalg.norm(sums, axis=1)  # (C,)
    kept = norms > _NOTHING
    return Combinations(
        vectors=(sums[kept] / norms[kept, None]).astype(np.float32),
        scales=(norms[kept] / total).astype(np.float32),
        exact=all(len(part.vectors) == 1 for part in parts if part.weight < 0),
    )


def scores(parts: Sequence[PartVectors], segments: Vectors) -> Vectors:
    """The exact score of each segment (N, D), as (N,) float32."""
    total = sum(part.weight for part in parts if part.weight > 0)
    summed = np.zeros(len(segments), np.float32)
    for part in parts:
        summed += part.weight * (segments @ part.vectors.T).max(axis=1)  # (N, V) -> (N,)
    return summed / np.float32(total)


def pool(vectors: Vectors, most: int) -> Vectors:
    """At most `most` unit vectors that stand for (V, D): the vectors themselves, or centres of their groups.

    Spherical k-means from a start that does not depend on chance: the vector nearest the mean, then always
    the one farthest from those taken.
    """
    if len(vectors) <= most:
        return vectors
    centres = vectors[_spread(vectors, most)]
    for _ in range(10):
        nearest = (vectors @ centres.T).argmax(axis=1)  # (V,)
        centres = np.stack(
            [_unit(vectors[nearest == i].sum(axis=0), otherwise=centres[i]) for i in range(len(centres))]
        )
    return centres.astype(np.float32)


def _spread(vectors: Vectors, count: int) -> list[int]:
    taken = [int((vectors @ vectors.mean(axis=0)).argmax())]
    closest = vectors @ vectors[taken[0]]
    while len(taken) < count:
        taken.append(int(closest.argmin()))
        closest = np.maximum(closest, vectors @ vectors[taken[-1]])
    return taken


def _unit(vector: Vectors, *, otherwise: Vectors) -> Vectors:
    norm = float(np.linalg.norm(vector))
    return vector / np.float32(norm) if norm > _NOTHING else otherwise
