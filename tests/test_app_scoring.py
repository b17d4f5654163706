"""Scoring, against the definition worked out the slow way."""

from __future__ import annotations

import numpy as np
import pytest

from app.scoring import MAX_COMBINATIONS, PartVectors, combinations, fit, pool, scores


def random_unit(count: int, dim: int = 16, *, seed: int = 0):
    vectors = np.random.default_rng(seed).normal(size=(count, dim)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_the_best_combination_of_positive_parts_is_the_score():
    parts = [PartVectors(random_unit(3, seed=1), 1.0), PartVectors(random_unit(2, seed=2), 0.5)]
    segments = random_unit(50, seed=3)
    wanted = combinations(parts)
    assert wanted.vectors.shape == (6, 16)
    assert wanted.exact
    by_combination = (segments @ wanted.vectors.T * wanted.scales).max(axis=1)
    np.testing.assert_allclose(by_combination, scores(parts, segments), atol=1e-5)


def test_a_negative_part_of_one_vector_is_exact_and_one_of_several_is_not():
    wish = PartVectors(random_unit(2, seed=1), 1.0)
    one, several = (PartVectors(random_unit(count, seed=2), -0.5) for count in (1, 3))
    assert combinations([wish, one]).exact
    assert not combinations([wish, several]).exact
    segments = random_unit(20, seed=4)
    expected = (segments @ wish.vectors.T).max(axis=1) - 0.5 * (segments @ several.vectors.T).max(axis=1)
    np.testing.assert_allclose(scores([wish, several], segments), expected, atol=1e-5)


@pytest.mark.parametrize("wishes", [1, 2, 3, 7])
def test_parts_are_pooled_until_the_store_is_asked_few_times(wishes):
    parts = fit([PartVectors(random_unit(24, seed=seed), 1.0) for seed in range(wishes)])
    assert 1 <= len(combinations(parts).vectors) <= MAX_COMBINATIONS


def test_pooling_keeps_unit_vectors_near_every_idea():
    ideas = np.eye(4, 16, dtype=np.float32)
    vectors = np.repeat(ideas, 10, axis=0) + 0.01 * random_unit(40)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    centres = pool(vectors, 4)
    np.testing.assert_allclose(np.linalg.norm(centres, axis=1), 1, atol=1e-5)
    assert ((ideas @ centres.T).max(axis=1) > 0.99).all()
    assert pool(vectors[:3], 4) is not None
    np.testing.assert_array_equal(pool(vectors[:3], 4), vectors[:3])
