"""Chance: how likely something that stands out is what was asked for, judged by what else the same question finds.

In a large library the best of many unrelated segments stands out further than in a small one, and for some questions
further than for others. Nobody has said which answers are right, but hardly a question has more than BESIDE right
ones: what the best content after those reaches is what this question reaches here by chance. An answer counts by how
far it stands above that bar:

    standing = z - CROWD · ln(segments of its sense) + WORDS · (bm25 - bm25 of the content at the bar) + NAMES · rarity
    chance   = 1 / (1 + exp(-SLOPE · (standing - bar - HALF)))

where what is below the bar by its words has no part of WORDS, and the rarity is that of the question's words in the
name of the file. The bar is the same for all answers of one question, so it changes no order. CROWD does: the prior
that something of a sense is meant grows with how much of it there is, but more slowly than the number of accidents.

A question may have many right ones after all (an album of one dog), or fewer contents than BESIDE to be compared
with. So the bar is kept between BELOW and ABOVE of where it lies on the average in a library of that many segments,
TYPICAL. SLOPE and HALF were fitted on one half of held-out media and tried on the other; LOG.md has the numbers, and
how the other constants were chosen.

BM25 is itself an estimate of log-odds, up to a scale and a constant (Robertson and Zaragoza 2009), so it is added
to them; less what the content at the bar has, since every long passage holds the small words of a sentence.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from data.vectors import Vectors

SLOPE = 2.4
HALF = 1.5
CROWD = 0.1
WORDS = 0.25
NAMES = 0.6
BESIDE = 10
TYPICAL = (0.31, -1.07)  # · ln(segments), and a constant
BELOW, ABOVE = 0.5, 0.3
_FEWEST = 20.0  # segments; in fewer the average is not known
_SURE = 30.0  # log-odds past which a chance is no longer told from 1


def standings(z: Vectors, bm25: Vectors, names: Vectors, *, crowd: float, words_bar: float = 0.0) -> Vectors:
    """How far segments of one sense (N,) stand out: by z, by the words they hold, by their files' names, (N,) each.

    Being far from the question speaks against a segment, but not against one that holds its words.

    Args:
        crowd: segments of the sense in the library.
        words_bar: BM25 that the content at the bar reaches.
    """
    z = np.where((bm25 > 0) | (names > 0), np.maximum(z, 0), z)
    held = WORDS * np.maximum(bm25 - words_bar, 0) + NAMES * names
    standing: Vectors = z - CROWD * math.log(max(1.0, crowd)) + held
    return standing


def at_the_bar(reached: Iterable[tuple[str, float]]) -> float | None:
    """What the best content after BESIDE others reaches; None where there are no more than those.

    Args:
        reached: contents with what a segment of theirs reaches, in any order; a content counts by its best.
    """
    best: dict[str, float] = {}
    for content, value in reached:
        best[content] = max(best.get(content, -math.inf), value)
    ranked = sorted(best.values(), reverse=True)
    return ranked[BESIDE] if len(ranked) > BESIDE else None


def bar(reached: Iterable[tuple[str, float]], *, segments: float) -> float:
    """The standing that a question reaches by chance.

    Args:
        reached: contents and standings of all that was found.
        segments: how many were searched.
    """
    slope, constant = TYPICAL
    typical = slope * math.log(max(_FEWEST, segments)) + constant
    found = at_the_bar(reached)
    return typical - BELOW if found is None else min(max(found, typical - BELOW), typical + ABOVE)


def chance(standing: float, bar: float) -> float:
    """The chance, in (0, 1), that what stands so far out is what was asked for."""
    odds = SLOPE * (standing - bar - HALF)
    return 1 / (1 + math.exp(-min(max(odds, -_SURE), _SURE)))
