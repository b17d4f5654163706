"""Files: the contents that segments belong to, as the files a person knows."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice, zip_longest
from typing import TYPE_CHECKING

from app.moments import best_moments
from app.query import Filters
from app.results import Moment, Result
from data.records import Evidence, FileRecord, FileState, Hit, Kind, segment_id

if TYPE_CHECKING:
    from data.catalogue import Catalogue

_FEWEST_LOOKED_UP = 20  # contents in one question to the catalogue
_TAKEN_IN = {
    Kind.IMAGE: Evidence.SEEN,
    Kind.VIDEO: Evidence.SEEN,
    Kind.AUDIO: Evidence.HEARD,
    Kind.DOCUMENT: Evidence.WRITTEN,
    Kind.TEXT: Evidence.WRITTEN,
}


def indexed_files(catalogue: Catalogue, contents: Sequence[str], fingerprint: str) -> dict[str, list[FileRecord]]:
    """The files of each content that are indexed under a fingerprint; contents without such a file are left out."""
    found: dict[str, list[FileRecord]] = {}
    for content, files in catalogue.files_of(contents, fingerprint).items():
        indexed = [file for file in files if file.state is FileState.INDEXED]
        if indexed:
            found[content] = indexed
    return found


def first_files(
    catalogue: Catalogue, contents: Sequence[str], *, fingerprint: str, count: int
) -> dict[str, list[FileRecord]]:
    """The files, indexed under a fingerprint, of the first `count` contents that have any, in the contents' order."""
    found: dict[str, list[FileRecord]] = {}
    step = max(count, _FEWEST_LOOKED_UP)
    for start in range(0, len(contents), step):
        portion = contents[start : start + step]
        known = indexed_files(catalogue, portion, fingerprint)
        found |= {content: known[content] for content in portion if content in known}
        if len(found) >= count:
            break
    return dict(islice(found.items(), count))


def result_of(hits: Sequence[Hit], files: Sequence[FileRecord], *, same: bool = False) -> Result:
    """One content's hits (best first, at least one) as a result: the first of its files, the others named."""
    segment = hits[0].segment
    return _result(files, kind=segment.kind, content=segment.content, moments=best_moments(hits), same=same)


def newest(catalogue: Catalogue, *, fingerprint: str, filters: Filters, count: int) -> tuple[Result, ...]:
    """The files that filters choose, those first that changed last. Needs neither model nor store."""
    contents = catalogue.newest(filters.files, fingerprint, kinds=filters.kinds, limit=count)
    files = indexed_files(catalogue, contents, fingerprint)
    return tuple(_unasked(content, files[content], fingerprint) for content in contents if content in files)


def glimpse(catalogue: Catalogue, *, fingerprint: str, count: int) -> tuple[Result, ...]:
    """A few files of the library, of every kind in turn, to start from. Needs neither model nor store."""
    some = [catalogue.some(kind, fingerprint, limit=count) for kind in Kind]
    files = indexed_files(catalogue, [content for contents in some for content in contents], fingerprint)
    in_turn = (content for turn in zip_longest(*some) for content in turn if content in files)
    return tuple(_unasked(content, files[content], fingerprint) for content in islice(in_turn, count))


def _unasked(content: str, files: Sequence[FileRecord], fingerprint: str) -> Result:
    """A content as a whole, its score 0; the one moment has no place and stands for the first of its segments."""
    kind = files[0].kind or Kind.TEXT
    moment = Moment(
        segment=segment_id(content, fingerprint, 0),
        evidence=_TAKEN_IN[kind],
        start_s=None,
        end_s=None,
        page=None,
        snippet="",
        score=0.0,
    )
    return _result(files, kind=kind, content=content, moments=(moment,))


def _result(
    files: Sequence[FileRecord], *, kind: Kind, content: str, moments: tuple[Moment, ...], same: bool = False
) -> Result:
    first, *others = sorted(files, key=lambda file: file.path)
    return Result(
        id=first.id,
        path=first.path,
        root=first.root,
        kind=first.kind or kind,
        content=content,
        score=moments[0].score,
        moments=moments,
        other_paths=tuple(file.path for file in others),
        same=same,
        duration_s=first.duration_s,
    )
