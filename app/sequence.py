"""Sequence: things that follow each other in one recording: "rain then applause"."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from data.records import Hit

WITHIN_S = 60.0  # from the end of one thing to the beginning of the next
_LEAST = 1e-6  # of a chance, so that its logarithm is finite


@dataclass(frozen=True, slots=True)
class _Chain:
    """Hits one after the other, with the sum of the logarithms of their chances."""

    hits: tuple[Hit, ...]
    sureness: float


def in_sequence(steps: Sequence[Sequence[Hit]]) -> list[Hit]:
    """The hits of the best chain in each recording, one for each step, best recording first.

    Each begins after the one before began, and at most WITHIN_S after it ended. All hits of a chain get its score: the
    geometric mean of their chances, so that it is as good as a single hit that is as sure as they are on average.

    Args:
        steps: the hits of each step, two steps or more; those without a time are left out.
    """
    by_content = [_timed(hits) for hits in steps]
    best: list[_Chain] = []
    for content, firsts in by_content[0].items():
        chains = [_Chain((hit,), _log(hit)) for hit in firsts]
        for step in by_content[1:]:
            chains = [longest for hit in step.get(content, ()) if (longest := _extended(chains, hit))]
        best += sorted(chains, key=lambda chain: -chain.sureness)[:1]
    best.sort(key=lambda chain: -chain.sureness)
    return [Hit(hit.segment, math.exp(chain.sureness / len(chain.hits))) for chain in best for hit in chain.hits]


def _extended(chains: Sequence[_Chain], hit: Hit) -> _Chain | None:
    """The surest chain that a hit can follow, with the hit at its end."""
    before = [chain for chain in chains if _follows(chain.hits[-1], hit)]
    if not before:
        return None
    surest = max(before, key=lambda chain: chain.sureness)
    return _Chain((*surest.hits, hit), surest.sureness + _log(hit))


def _follows(before: Hit, hit: Hit) -> bool:
    begun_s, next_s = before.segment.span.start_s or 0.0, hit.segment.span.start_s or 0.0
    ended_s = before.segment.span.end_s or begun_s
    return begun_s < next_s <= ended_s + WITHIN_S


def _timed(hits: Sequence[Hit]) -> dict[str, list[Hit]]:
    found: defaultdict[str, list[Hit]] = defaultdict(list)
    for hit in hits:
        if hit.segment.span.start_s is not None:
            found[hit.segment.content].append(hit)
    return found


def _log(hit: Hit) -> float:
    return math.log(max(hit.score, _LEAST))
