"""Files: the contents that segments belong to, as the files a person knows."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice, zip_longest
from typing import TYPE_CHECKING

from app.moments import best_moments
from app.query import Filters
from app.results import Result
from data.records import FileRecord, FileState, Hit, Kind, segment_id

if TYPE_CHECKING:
    from data.catalogue import Catalogue
    from data.vectors import VectorStore

_FEWEST_LOOKED_UP = 20  # contents in one question to the catalogue
_GLIMPSED = 500  # segments looked at for a glimpse


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
    first, *others = sorted(files, key=lambda file: file.path)
    best = hits[0]
    return Result(
        id=first.id,
        path=first.path,
        root=first.root,
        kind=first.kind or best.segment.kind,
        content=best.segment.content,
        score=float(best.score),
        moments=best_moments(hits),
        other_paths=tuple(file.path for file in others),
        same=same,
        duration_s=first.duration_s,
    )


def newest(
    store: VectorStore, catalogue: Catalogue, *, fingerprint: str, filters: Filters, count: int
) -> tuple[Result, ...]:
    """The files that filters choose, those first that changed last; their score is 0. Needs no model."""
    contents = catalogue.newest(filters.files, fingerprint, kinds=filters.kinds, limit=count)
    records, _ = store.fetch([segment_id(content, fingerprint, 0) for content in contents])
    files = indexed_files(catalogue, contents, fingerprint)
    return tuple(result_of([Hit(record, 0.0)], files[record.content]) for record in records if record.content in files)


def glimpse(store: VectorStore, catalogue: Catalogue, *, fingerprint: str, count: int) -> tuple[Result, ...]:
    """A few files of the library, of every kind in turn, to start from; their score is 0. Needs no model."""
    records, _ = next(store.scan(batch_size=_GLIMPSED), ([], None))
    firsts: dict[str, Hit] = {}
    for record in sorted(records, key=lambda record: record.number):
        firsts.setdefault(record.content, Hit(record, 0.0))
    files = indexed_files(catalogue, list(firsts), fingerprint)
    by_kind: dict[Kind, list[Result]] = {kind: [] for kind in Kind}
    for content, hit in firsts.items():
        if content in files:
            by_kind[hit.segment.kind].append(result_of([hit], files[content]))
    in_turn = zip_longest(*by_kind.values())
    return tuple(result for turn in in_turn for result in turn if result)[:count]
