"""Files: the contents that segments belong to, as the files a person knows."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice, zip_longest
from typing import TYPE_CHECKING

from app.moments import best_moments
from app.query import Filters
from app.results import Result
from data.records import (
    ANY_FILE,
    Evidence,
    FileChoice,
    FileRecord,
    FileState,
    Hit,
    Kind,
    SegmentRecord,
    Span,
    segment_id,
)

if TYPE_CHECKING:
    from data.catalogue import Catalogue
    from data.vectors import VectorStore

_FEWEST_LOOKED_UP = 20  # contents in one question to the catalogue
_TAKEN_IN = {
    Kind.IMAGE: Evidence.SEEN,
    Kind.VIDEO: Evidence.SEEN,
    Kind.AUDIO: Evidence.HEARD,
    Kind.DOCUMENT: Evidence.WRITTEN,
    Kind.TEXT: Evidence.WRITTEN,
}


def indexed_files(catalogue: Catalogue, contents: Sequence[str], fingerprint: str) -> dict[str, list[FileRecord]]:
    """The files of each content that are indexed under a fingerprint, by path; contents without any are left out."""
    found: dict[str, list[FileRecord]] = {}
    for content, files in catalogue.files_of(contents, fingerprint).items():
        indexed = sorted((file for file in files if file.state is FileState.INDEXED), key=lambda file: file.path)
        if indexed:
            found[content] = indexed
    return found


def first_files(
    catalogue: Catalogue, contents: Sequence[str], *, fingerprint: str, count: int, choice: FileChoice
) -> dict[str, list[FileRecord]]:
    """The files, indexed under a fingerprint, of the first `count` contents that have any, in the contents' order.

    Args:
        choice: copies that it means come before others.
    """
    found: dict[str, list[FileRecord]] = {}
    step = max(count, _FEWEST_LOOKED_UP)
    for start in range(0, len(contents), step):
        portion = contents[start : start + step]
        known = indexed_files(catalogue, portion, fingerprint)
        found |= {content: known[content] for content in portion if content in known}
        if len(found) >= count:
            break
    return _chosen_first(catalogue, dict(islice(found.items(), count)), choice, fingerprint)


def result_of(hits: Sequence[Hit], files: Sequence[FileRecord], *, same: bool = False, apart: bool = False) -> Result:
    """One content's hits (best first, at least one) as a result: the first of its files, the others named.

    Args:
        apart: the hits are the steps of a sequence, and stay apart.
    """
    first, *others = files
    best = hits[0]
    return Result(
        id=first.id,
        path=first.path,
        root=first.root,
        kind=first.kind or best.segment.kind,
        content=best.segment.content,
        score=float(best.score),
        moments=best_moments(hits, apart=apart),
        other_paths=tuple(sorted(file.path for file in others)),
        same=same,
        duration_s=first.duration_s,
    )


def newest(
    catalogue: Catalogue, store: VectorStore, *, fingerprint: str, filters: Filters, count: int
) -> tuple[Result, ...]:
    """The files that filters choose, those first that changed last; their score is 0. Needs no model."""
    contents = catalogue.newest(filters.files, fingerprint, kinds=filters.kinds, limit=count)
    files = first_files(catalogue, contents, fingerprint=fingerprint, count=count, choice=filters.files)
    return _unasked(list(files), files, store, fingerprint)


def glimpse(catalogue: Catalogue, store: VectorStore | None, *, fingerprint: str, count: int) -> tuple[Result, ...]:
    """A few files of the library, of every kind in turn, to start from; their score is 0. Needs no model.

    Args:
        store: None while it is not open, which takes long: what is written is then left out.
    """
    some = [catalogue.some(kind, fingerprint, limit=count) for kind in Kind]
    files = indexed_files(catalogue, [content for contents in some for content in contents], fingerprint)
    in_turn = (content for turn in zip_longest(*some) for content in turn if content in files)
    return _unasked(list(islice(in_turn, count)), files, store, fingerprint)


def _chosen_first(
    catalogue: Catalogue, files: dict[str, list[FileRecord]], choice: FileChoice, fingerprint: str
) -> dict[str, list[FileRecord]]:
    copies = [file.id for same in files.values() if len(same) > 1 for file in same]
    if choice == ANY_FILE or not copies:
        return files
    chosen = catalogue.chosen_files(copies, choice, fingerprint)
    return {content: sorted(same, key=lambda file: file.id not in chosen) for content, same in files.items()}


def _unasked(
    contents: Sequence[str], files: dict[str, list[FileRecord]], store: VectorStore | None, fingerprint: str
) -> tuple[Result, ...]:
    """Contents as they begin."""
    numbers = [segment_id(content, fingerprint, 0) for content in contents]
    known = {} if store is None else {record.content: record for record in store.fetch(numbers)[0]}
    found = []
    for content, number in zip(contents, numbers, strict=True):
        kind = files[content][0].kind or Kind.TEXT
        segment = known.get(content) or SegmentRecord(
            id=number, content=content, number=0, kind=kind, evidence=_TAKEN_IN[kind], span=Span()
        )
        found.append(result_of([Hit(segment, 0.0)], files[content]))
    return tuple(found)
