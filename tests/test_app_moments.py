"""The hits of one content as the moments that are worth showing."""

from __future__ import annotations

from uuid import UUID

import pytest

from app.files import result_of
from app.moments import MOST_MOMENTS
from app.sequence import in_sequence
from data.records import Evidence, FileRecord, FileState, Hit, Kind, SegmentRecord, Span

_FILE = FileRecord(
    id=1,
    root="/films",
    path="/films/farm.mp4",
    size_bytes=1,
    mtime_ns=1,
    kind=Kind.VIDEO,
    content="c" * 64,
    fingerprint="f",
    state=FileState.INDEXED,
)


def shot(number: int, *, evidence: Evidence = Evidence.SEEN, seconds: float = 4) -> Hit:
    span = Span(start_s=number * seconds, end_s=(number + 1) * seconds)
    segment = SegmentRecord(
        id=UUID(int=number), content="c" * 64, number=number, kind=Kind.VIDEO, evidence=evidence, span=span
    )
    return Hit(segment, 0.9)


@pytest.mark.parametrize("evidence", [Evidence.SEEN, Evidence.HEARD])
def test_each_step_of_a_sequence_is_a_moment_of_its_own(evidence):
    chain = in_sequence([[shot(0, evidence=evidence)], [shot(1, evidence=evidence)]])
    times = [(moment.start_s, moment.end_s) for moment in result_of(chain, [_FILE], apart=True).moments]
    assert times == [(0, 4), (4, 8)]
    (together,) = result_of(chain, [_FILE]).moments
    assert (together.start_s, together.end_s) == (0, 8), "elsewhere neighbours are one stretch"


def test_no_step_of_a_long_sequence_is_left_out():
    chain = in_sequence([[shot(number)] for number in range(MOST_MOMENTS + 2)])
    moments = result_of(chain, [_FILE], apart=True).moments
    assert [moment.start_s for moment in moments] == [number * 4 for number in range(MOST_MOMENTS + 2)]
