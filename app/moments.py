"""Moments: the hits of one content merged into the places worth showing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from app.results import Moment
from data.records import Evidence, Hit, Span

MOST_MOMENTS = 5
_GAP_S = 0.5  # between windows that still count as one stretch
_AS_GOOD = 0.75  # of the stretch's score: a neighbour as good as this belongs to it
_WORTH = 0.5  # of the file's best score: a moment as good as this is shown


def best_moments(hits: Sequence[Hit], *, apart: bool = False) -> tuple[Moment, ...]:
    """The best moments among the hits of one content, best first, at most MOST_MOMENTS.

    Shots and windows of sound are cut by the clock, so neighbours that match about equally well are one
    stretch. Spoken and written passages are cut by sense: each keeps its own times, so that a moment starts
    where its sentence does; of passages on one page that overlap only the best is kept.

    Args:
        apart: the hits are the steps of a sequence: each is a moment of its own, in the order given.
    """
    if apart:
        return tuple(_moment(hit) for hit in hits)
    ranked = sorted(hits, key=lambda hit: -hit.score)
    moments: list[Moment] = []
    spans: list[Span] = []
    for hit in ranked:
        if hit.score < ranked[0].score * _WORTH:
            break
        joined = False
        for i, moment in enumerate(moments):
            if moment.evidence is not hit.segment.evidence:
                continue
            if _covered(spans[i], hit.segment.span):
                joined = True
            elif _stretches(moment, hit):
                moments[i] = _stretched(moment, hit.segment.span)
                joined = True
            if joined:
                break
        if not joined and len(moments) < MOST_MOMENTS:
            moments.append(_moment(hit))
            spans.append(hit.segment.span)
    return tuple(moments)


def _moment(hit: Hit) -> Moment:
    segment, span = hit.segment, hit.segment.span
    return Moment(
        segment=segment.id,
        evidence=segment.evidence,
        start_s=span.start_s,
        end_s=span.end_s,
        page=span.page,
        char_start=span.char_start,
        char_end=span.char_end,
        snippet=segment.snippet,
        score=float(hit.score),
    )


def _stretches(moment: Moment, hit: Hit) -> bool:
    if hit.segment.evidence not in (Evidence.SEEN, Evidence.HEARD) or hit.score < moment.score * _AS_GOOD:
        return False
    times = (moment.start_s, moment.end_s, hit.segment.span.start_s, hit.segment.span.end_s)
    return _touch(*times, gap=_GAP_S)


def _stretched(moment: Moment, span: Span) -> Moment:
    starts = [start for start in (moment.start_s, span.start_s) if start is not None]
    ends = [end for end in (moment.end_s, span.end_s) if end is not None]
    return replace(moment, start_s=min(starts), end_s=max(ends))


def _covered(kept: Span, span: Span) -> bool:
    """Whether two passages of one page (or of one text) share characters."""
    if kept.page != span.page or kept.start_s is not None:
        return False
    return _touch(kept.char_start, kept.char_end, span.char_start, span.char_end, gap=-1)


def _touch(
    start: float | None, end: float | None, other_start: float | None, other_end: float | None, *, gap: float
) -> bool:
    if start is None or end is None or other_start is None or other_end is None:
        return False
    return other_start <= end + gap and start <= other_end + gap
