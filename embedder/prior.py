"""The training-free vector: the words of what a frozen classifier sees or hears, weighted by how sure it is.

"ConSE", Norouzi et al. 2014, arXiv 1312.5650; LOG.md has the grid that the numbers come from.
"""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]

PICTURE_TOP, SOUND_TOP = 20, 10  # classes that count
_PICTURE_TEMPERATURE = 2.0


def picture_odds(logits: Vectors) -> Vectors:
    """Class logits (N, C) of pictures to the weight of each class (N, C); a row sums to one."""
    soft = logits / _PICTURE_TEMPERATURE
    weights = np.exp(soft - soft.max(axis=1, keepdims=True))
    return cast(Vectors, weights / weights.sum(axis=1, keepdims=True))


def sound_odds(logits: Vectors) -> Vectors:
    """Class logits (P, C) of one sound's patches to (C,) in (0, 1): each class counts where it is heard best."""
    best = logits.max(axis=0).clip(-30, 30)  # never zero, so that silence has a vector too
    return cast(Vectors, 1 / (1 + np.exp(-best)))


def prior(odds: Vectors, table: Vectors, *, top: int) -> Vectors:
    """Weights (N, C) and the classes' vectors (C, D) to (N, D), not of unit norm."""
    return cast(Vectors, keep_top(odds, top) @ table)


def keep_top(weights: Vectors, count: int) -> Vectors:
    """Each row's `count` largest weights (N, C), the others zero; every row then sums to one."""
    places = np.argpartition(-weights, count - 1, axis=1)[:, :count]
    kept = np.zeros_like(weights)
    np.put_along_axis(kept, places, np.take_along_axis(weights, places, axis=1), axis=1)
    return cast(Vectors, kept / kept.sum(axis=1, keepdims=True))
