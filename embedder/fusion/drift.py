"""Drift: how far a model's embeddings of the same inputs moved, and what searches lost by it.

Made for "projector drift" (Conan-embedding-v3, arXiv 2606.09331): a projector copied beside a fused backbone feeds
it what the specialist's backbone understood, so that embeddings move and recall falls though no projector weight
changed. The three measures tell apart: embeddings that moved, that moved each by itself, that moved past others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data.errors import ModelMismatchError

Vectors = NDArray[np.float32]
_Exact = NDArray[np.float64]

_CHUNK_ROWS = 1024  # questions per matrix of cosines, which has a column for every input


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """What `drift` found over `inputs` inputs.

    Args:
        moved: mean of 1 - cosine(before, after): 0 for none, 1 for orthogonal, 2 for opposite.
        cka: linear CKA, 0 to 1; 1 where all inputs moved together (a rotation, a shift, a scaling).
        k: rank up to which a right answer counts.
        recall_before: recall@k among the embeddings before, 0 to 1.
        recall_after: recall@k among the embeddings after.
    """

    inputs: int
    moved: float
    cka: float
    k: int
    recall_before: float
    recall_after: float


def drift(before: Vectors, after: Vectors, *, questions: Vectors | None = None, k: int = 10) -> Drift:
    """Compare two models' embeddings of the same inputs.

    Args:
        before: (N, D), row i embeds input i.
        after: (N, D), in the same order.
        questions: (N, D), row i asks for input i, such as the embedding of its caption by a model that did not drift;
            without them the embeddings before ask: does an input still lie nearest to where it was?

    Raises:
        ModelMismatchError: shapes differ, there are fewer than two rows, or a value is not finite.
    """
    questions = before if questions is None else questions
    for name, vectors in (("before", before), ("after", after), ("questions", questions)):
        _check(name, vectors, before.shape)
    return Drift(
        inputs=len(before),
        moved=mean_moved(before, after),
        cka=linear_cka(before, after),
        k=k,
        recall_before=recall_at(questions, before, k=k),
        recall_after=recall_at(questions, after, k=k),
    )


def mean_moved(before: Vectors, after: Vectors) -> float:
    """1/N * sum_i (1 - cos(before_i, after_i)), 0 to 2, for (N, D) and (N, D); a zero vector counts as orthogonal."""
    return float(1 - (_unit(before) * _unit(after)).sum(axis=1).mean())


def linear_cka(before: Vectors, after: Vectors) -> float:
    """Linear centred kernel alignment, 0 to 1 (Kornblith et al. 2019, arXiv 1905.00414, section 3).

    With columns centred, X = before (N, D) and Y = after (N, E), and Frobenius norms:
    CKA = |Y'X|^2 / (|X'X| * |Y'Y|). No rotation, shift or scaling of either side changes it. It is biased upwards
    where N is not well above D: even unrelated vectors then score high. 0 where one side is a single point.
    """
    x, y = (vectors.astype(np.float64) - vectors.mean(axis=0, dtype=np.float64) for vectors in (before, after))
    own = float(np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y))
    return float(np.linalg.norm(y.T @ x) ** 2 / own) if own > 0 else 0.0


def recall_at(questions: Vectors, answers: Vectors, *, k: int) -> float:
    """Share of questions (N, D) whose own answer, the same row of (N, D), is among their k nearest by cosine.

    An answer that is exactly as near as the right one counts as nearer, so that answers which all fell into one
    point find nothing.
    """
    asked, found = _unit(questions), _unit(answers)
    hits = 0
    for start in range(0, len(asked), _CHUNK_ROWS):
        cosines = asked[start : start + _CHUNK_ROWS] @ found.T  # (chunk, N)
        rows = np.arange(len(cosines))
        own = cosines[rows, start + rows]  # (chunk,)
        # The last bits of a product depend on its place in the matrix; equal vectors must compare equal.
        ahead = (cosines >= own[:, None] - 1e-12).sum(axis=1) - 1
        hits += int((ahead < k).sum())
    return hits / len(asked)


def _unit(vectors: Vectors) -> _Exact:
    exact = vectors.astype(np.float64)
    norms = np.linalg.norm(exact, axis=1, keepdims=True)
    return exact / np.where(norms == 0, 1, norms)


def _check(name: str, vectors: Vectors, shape: tuple[int, ...]) -> None:
    if vectors.shape != shape or len(shape) != 2 or shape[0] < 2:
        raise ModelMismatchError(
            f"{name}: embeddings of shape {vectors.shape} beside {shape}; embed the same two or more inputs with both"
        )
    if not np.isfinite(vectors).all():
        raise ModelMismatchError(f"{name}: embeddings that are not finite; look for NaN in the model's weights")
