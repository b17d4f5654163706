"""Scoring against a background, against their definitions worked out the slow way."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest

from app.relevance import (
    FLOOR,
    PRIOR_COUNT,
    PRIOR_MEAN,
    PRIOR_SPREAD,
    SENSES,
    Levels,
    levels,
)
from app.scoring import MAX_COMBINATIONS, PartVectors, combinations, fit, pool, scores
from data.records import Evidence, Kind


def random_unit(count: int, dim: int = 16, *, seed: int = 0):
    vectors = np.random.default_rng(seed).normal(size=(count, dim)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_the_best_combination_of_positive_parts_is_the_score():
    parts = [PartVectors(random_unit(3, seed=1), 1.0), PartVectors(random_unit(2, seed=2), 0.5)]
    segments = random_unit(50, seed=3)
    against = [levels(part.vectors, segments) for part in parts]
    wanted = combinations(parts, against)
    assert wanted.vectors.shape == (6, 16)
    np.testing.assert_allclose(np.linalg.norm(wanted.vectors, axis=1), 1, atol=1e-5)
    by_combination = (segments @ wanted.vectors.T * wanted.scales + wanted.offsets).max(axis=1)
    np.testing.assert_allclose(by_combination, scores(parts, against, segments), atol=1e-4)


def test_the_score_of_one_vector_is_its_distance_from_the_background():
    part = PartVectors(np.eye(1, 4, dtype=np.float32), 1.0)
    against = [Levels(np.array([0.2], np.float32), np.array([0.1], np.float32))]
    segments = np.array([[0.6, 0.8, 0, 0], [0.2, 0, 0.98, 0]], np.float32)
    np.testing.assert_allclose(scores([part], against, segments), [4.0, 0.0], atol=1e-4)


def test_a_negative_part_takes_away_only_where_it_stands_out():
    wish, no = PartVectors(np.eye(1, 4, dtype=np.float32), 1.0), PartVectors(np.eye(4, dtype=np.float32)[1:2], -1.0)
    against = [Levels(np.zeros(1, np.float32), np.ones(1, np.float32))] * 2
    segments = np.array([[0.6, 0.8, 0, 0], [0.6, -0.8, 0, 0]], np.float32)
    np.testing.assert_allclose(scores([wish, no], against, segments), [-0.2, 0.6], atol=1e-4)


def test_levels_of_nothing_are_the_prior_and_of_much_are_the_sample():
    query = random_unit(2)
    empty = levels(query, np.empty((0, 16), np.float32))
    np.testing.assert_allclose(empty.means, PRIOR_MEAN, atol=1e-6)
    np.testing.assert_allclose(empty.spreads, PRIOR_SPREAD + FLOOR, atol=1e-6)
    sample = random_unit(20_000, seed=5)
    full = levels(query, sample)
    np.testing.assert_allclose(full.means, (query @ sample.T).mean(axis=1), atol=1e-3)
    np.testing.assert_allclose(full.spreads, (query @ sample.T).std(axis=1) + FLOOR, atol=1e-3)


def test_levels_by_hand():
    query = np.array([[1.0, 0.0]], np.float32)
    sample = np.array([[1.0, 0.0], [0.0, 1.0]], np.float32)
    mean = (1 + 0 + PRIOR_COUNT * PRIOR_MEAN) / (2 + PRIOR_COUNT)
    square = (0.5**2 + 0.5**2 + PRIOR_COUNT * PRIOR_SPREAD**2) / (2 + PRIOR_COUNT)
    level = levels(query, sample)
    assert level.means[0] == pytest.approx(mean)
    assert level.spreads[0] == pytest.approx(math.sqrt(square) + FLOOR)


@pytest.mark.parametrize("wishes", [1, 2, 3, 7])
def test_parts_are_pooled_until_the_store_is_asked_few_times(wishes):
    parts = fit([PartVectors(random_unit(24, seed=seed), 1.0) for seed in range(wishes)])
    against = [levels(part.vectors, random_unit(5)) for part in parts]
    assert 1 <= len(combinations(parts, against).vectors) <= MAX_COMBINATIONS


def test_pooling_keeps_unit_vectors_near_every_idea():
    ideas = np.eye(4, 16, dtype=np.float32)
    vectors = np.repeat(ideas, 10, axis=0) + 0.01 * random_unit(40)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    centres = pool(vectors, 4)
    np.testing.assert_allclose(np.linalg.norm(centres, axis=1), 1, atol=1e-5)
    assert ((ideas @ centres.T).max(axis=1) > 0.99).all()
    np.testing.assert_array_equal(pool(vectors[:3], 4), vectors[:3])


@pytest.mark.parametrize(("kind", "evidence"), list(product(Kind, Evidence)))
def test_every_segment_has_one_background_and_pages_are_not_pictures(kind: Kind, evidence: Evidence) -> None:
    mine = [sense for sense in SENSES if kind in sense.kinds and evidence in sense.evidence]
    assert len(mine) == 1
    assert (mine[0].kinds == {Kind.DOCUMENT}) == (kind is Kind.DOCUMENT and evidence is Evidence.SEEN)
