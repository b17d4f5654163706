"""Scoring: how the vectors of a query's parts become one score for a segment, in plain numpy.

    z(x) = Σ_parts weight · max_i (cos(v_part,i, x) - mean_i) / spread_i,   divided by the sum of positive weights

with the background's mean and spread in x's evidence (app/relevance.py). Why so. A part is one idea said through
several senses (a spoken recording is heard and said; a page is seen and written), and a segment answers it through
one of them: hence the best over a part's vectors, not their mean, which would lie between the senses and near none.
Parts are wishes that must hold together: hence the sum over parts, so that a segment good on both beats one that is
excellent on either. A negative part takes away its best where that is above 0: what is like it sinks, and being
unlike it earns nothing.

For positive parts a sum of bests is the best of sums: the maximum, over one vector chosen from each part, of
x · Σ weight v / spread, less a constant. Each such combination is one vector, whose exact nearest neighbours the
store knows. So the candidates are those of the combinations, and none that belongs to the top is missed. Worked:
parts {a1, a2} and {b} give the combinations a1+b and a2+b; one typed sentence gives one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from app.relevance import Levels
from data.vectors import Vectors

MAX_COMBINATIONS = 16  # vectors to search the store with, for one evidence
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
    """The vectors to search one evidence with: z = the best of scale · cosine + offset over the combinations.

    Args:
        vectors: (C, D) float32, unit norm.
        scales: (C,)
        offsets: (C,)
    """

    vectors: Vectors
    scales: Vectors
    offsets: Vectors


def fit(parts: Sequence[PartVectors]) -> list[PartVectors]:
    """The parts with their vectors pooled until at most MAX_COMBINATIONS combinations are left."""
    wishes = sum(part.weight > 0 for part in parts)
    most = max(1, int(MAX_COMBINATIONS ** (1 / max(1, wishes)) + 1e-9))
    return [PartVectors(pool(part.vectors, most), part.weight) for part in parts]


def combinations(parts: Sequence[PartVectors], levels: Sequence[Levels]) -> Combinations:
    """One search vector for each choice of a vector from each positive part; negative parts are left out.

    Without any positive part there is none.

    Args:
        levels: of each part's vectors in the evidence to be searched.
    """
    wishes = [(part, level) for part, level in zip(parts, levels, strict=True) if part.weight > 0]
    if not wishes:
        nothing = np.empty(0, np.float32)
        return Combinations(np.empty((0, 0), np.float32), scales=nothing, offsets=nothing)
    total = sum(part.weight for part, _ in wishes)
    chosen = list(product(*(range(len(part.vectors)) for part, _ in wishes)))  # C choices of one i per part
    sums = np.stack(
        [
            sum(
                part.weight / level.spreads[i] * part.vectors[i]
                for (part, level), i in zip(wishes, choice, strict=True)
            )
            for choice in chosen
        ]
    )  # (C, D)
    offsets = np.array(
        [
            -sum(
                part.weight * level.means[i] / level.spreads[i] for (part, level), i in zip(wishes, choice, strict=True)
            )
            for choice in chosen
        ]
    )  # (C,)
    norms = np.linalg.norm(sums, axis=1)  # (C,)
    kept = norms > _NOTHING
    return Combinations(
        vectors=(sums[kept] / norms[kept, None]).astype(np.float32),
        scales=(norms[kept] / total).astype(np.float32),
        offsets=(offsets[kept] / total).astype(np.float32),
    )


def scores(parts: Sequence[PartVectors], levels: Sequence[Levels], segments: Vectors) -> Vectors:
    """The exact z of each segment (N, D) of one evidence, as (N,) float32."""
    total = sum(part.weight for part in parts if part.weight > 0) or 1
    summed = np.zeros(len(segments), np.float32)
    for part, level in zip(parts, levels, strict=True):
        best = ((segments @ part.vectors.T - level.means) / level.spreads).max(axis=1)  # (N, V) -> (N,)
        summed += part.weight * (best if part.weight > 0 else np.maximum(best, 0))
    return summed / np.float32(total)


def pool(vectors: Vectors, most: int) -> Vectors:
    """At most `most` unit vectors that stand for (V, D): the vectors themselves, or centres of their groups.

    Spherical k-means from a start that does not depend on chance: the vector nearest the mean, then always the
    one farthest from those taken.
    """
    if len(vectors) <= most:
        return vectors
    centres = vectors[_spread(vectors, most)]
    for _ in range(10):
        nearest = (vectors @ centres.T).argmax(axis=1)  # (V,)
        centres = np.stack(
            [_unit(vectors[nearest == i].sum(axis=0), otherwise=centre) for i, centre in enumerate(centres)]
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
