"""How far something stands out, against what the same question finds by chance."""

from __future__ import annotations

import math

import numpy as np
import pytest

from app.chance import ABOVE, BELOW, BESIDE, CROWD, HALF, WORDS, at_the_bar, bar, chance, standings
from app.results import Band


def typical(segments: int) -> float:
    return bar([], segments=segments) + BELOW


def test_what_stands_half_above_the_bar_is_as_likely_right_as_not():
    assert chance(1.0 + HALF, 1.0) == pytest.approx(0.5)
    chances = [chance(standing, 1.0) for standing in (-100, 0, 2, 3, 100)]
    assert chances == sorted(chances)
    assert 0 < chances[0] < 1e-9 < 1 - 1e-9 < chances[-1] < 1


def test_the_bar_is_what_the_best_content_after_a_few_others_reaches():
    places = typical(3_000) + np.linspace(2, -2, 4 * BESIDE + 1)  # each a content of its own, and every second twice
    reached = [(str(number), place) for number, place in enumerate(places)]
    reached += [(content, place - 0.01) for content, place in reached[::2]]
    assert at_the_bar(reversed(reached)) == pytest.approx(places[BESIDE])
    assert at_the_bar(reached[:BESIDE]) is None


def test_many_right_answers_do_not_raise_the_bar_to_themselves():
    album = [(str(number), 9.0) for number in range(500)]
    assert bar(album, segments=3_000) == pytest.approx(typical(3_000) + ABOVE)


def test_a_question_near_to_nothing_does_not_make_everything_stand_out():
    far = [(str(number), -9.0) for number in range(500)]
    assert bar(far, segments=3_000) == pytest.approx(typical(3_000) - BELOW)


def test_in_a_larger_library_the_same_stands_out_less():
    assert chance(3.0, bar([], segments=100)) > chance(3.0, bar([], segments=100_000))
    z, nothing = np.array([2.0], np.float32), np.zeros(1, np.float32)
    few, many = (standings(z, nothing, nothing, crowd=crowd)[0] for crowd in (10, 1_000))
    assert few - many == pytest.approx(CROWD * math.log(100))


def test_words_count_as_far_as_they_are_rarer_than_at_the_bar():
    z, bm25 = np.array([1, 1, 1, -5], np.float32), np.array([0, 4, 9, 9], np.float32)
    without, common, rare, far = standings(z, bm25, np.zeros(4, np.float32), crowd=1, words_bar=5.0)
    assert without == common == pytest.approx(1)
    assert rare == pytest.approx(1 + 4 * WORDS)
    assert far == pytest.approx(4 * WORDS)  # being unlike the question does not speak against what holds its words


def test_the_bands_say_what_a_score_means():
    assert [Band.of(score) for score in (0.9, 0.5, 0.3, 0.1, 0.09)] == ["strong", "strong", "likely", "likely", "weak"]
