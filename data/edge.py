"""EdgeStore: the embedded home of the vectors, one Qdrant Edge shard in a folder.

The engine holds the interpreter lock during every call (measured), so work is cut into small
calls: a search in another thread then waits for one slice, not for a whole batch.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import qdrant_edge as qe

from data.errors import ModelMismatchError, StoreLockedError, StoreUnavailableError
from data.paged import Page, PagedStore
from data.points import (
    INDEXED_FIELDS,
    WORDS_FIELD,
    Conditions,
    checked,
    checked_queries,
    conditions,
    each,
    payload_of,
    record_of,
    slices,
    stacked,
    stored_identity,
)
from data.records import Hit, SegmentRecord
from data.vectors import ANYWHERE, Vectors, Where
from data.wording import asked

_UPSERT_STEP = 256
_FLUSH_EVERY = 2_000  # points; more unflushed ones make the next open replay a long log
_READ_STEP = 1_000
_LOCKED_S = 3.0  # a killed process lets go of its files one after the other
_OVERSAMPLING = 2.0
_ALL = 10**9
# The segments are sparse memory maps: a page of them that the disk has no block for ends the process (SIGBUS), which
# nothing can catch. A slice and a flush of 2,000 points take some MB each, the files of the log 64 MB; the rest is for
# others (catalogue, previews) that write to the same disk between the look and the write.
_RESERVE_BYTES = 256 * 2**20
_UNFLUSHED = "unflushed"  # a file that lies in the folder from the first write until `close`: opening replays the log
_FORBIDDEN = ("Permission denied", "os error 13", "Read-only file system", "os error 30")
_FULL = ("No space left", "os error 28", "os error 112", "Disk quota exceeded")  # 112: Windows


class EdgeStore(PagedStore):
    """One collection in a folder of its own: `collection.json` beside `shard/`.

    Only one process may have it open: a second open of the same shard breaks the first one's flushes.
    The caller holds a lock for that (see data/owner.py); this class takes none.

    Args:
        folder: of this collection; made when it is missing.
        fingerprint: the identity the vectors were made under.
        dim: width of the vectors.

    Raises:
        ModelMismatchError: the folder holds a collection of another width or fingerprint.
        StoreLockedError: another process has the shard open.
        StoreUnavailableError: the folder cannot be used, or opening it would write to a full disk.
    """

    def __init__(self, folder: Path, *, fingerprint: str, dim: int) -> None:
        self.dim = dim
        self._folder = folder
        self._unflushed = 0
        self._closed = False
        try:
            _check_identity(folder, fingerprint=fingerprint, dim=dim)
            self._shard = _open_shard(folder, fingerprint=fingerprint, dim=dim)
            self._is_marked = (folder / _UNFLUSHED).exists()
        except OSError as error:
            raise _failure(
                f"cannot use the vector store {folder}", error, folder, advice="check permissions and free space"
            ) from error

    def upsert(self, records: Sequence[SegmentRecord], vectors: Vectors) -> None:
        vectors = checked(records, vectors, dim=self.dim)
        for part in slices(len(records), _UPSERT_STEP):
            points = [
                qe.Point(record.id, vector, payload_of(record))
                for record, vector in zip(records[part], vectors[part], strict=True)
            ]
            with self._engine():
                self._begin_write()
                self._shard.update(qe.UpdateOperation.upsert_points(points))
            self._unflushed += len(points)
            if self._unflushed >= _FLUSH_EVERY:
                self._flush_segments()
            if part.stop < len(records):
                time.sleep(0.0002)  # lets a waiting search in

    def flush(self) -> None:
        """Sync the log, which the next open replays over whatever a power cut left of the segments.

        The engine's own flush would do, but it holds the interpreter lock for 30 to 130 ms, in which no search is
        answered; this takes 10 ms and holds none.
        """
        with self._engine():
            if not _sync_files(self._folder / "shard" / "wal"):
                self._flush_segments()

    def _flush_segments(self) -> None:
        with self._engine():
            self._unflushed = 0
            self._shard.flush()

    def search(self, vectors: Vectors, *, limit: int, where: Where | Sequence[Where] = ANYWHERE) -> list[list[Hit]]:
        vectors = checked_queries(vectors, dim=self.dim)
        wanted = [conditions(one) if limit > 0 else None for one in each(where, len(vectors))]
        params = qe.SearchParams(quantization=qe.QuantizationSearchParams(rescore=True, oversampling=_OVERSAMPLING))
        requests = [
            qe.QueryRequest(
                limit=limit,
                query=qe.Query.Nearest(vector),
                filter=_filter(only) if only else None,
                params=params,
                with_payload=True,
            )
            for vector, only in zip(vectors, wanted, strict=True)  # (D,)
            if only is not None
        ]
        if not requests:
            return [[] for _ in wanted]
        with self._engine():
            found = iter(self._shard.query_batch(qe.QueryBatchRequest(requests)))
        lists = ([] if only is None else next(found) for only in wanted)
        return [[Hit(record_of(one.id, one.payload), one.score) for one in points] for points in lists]

    def search_words(self, text: str, *, limit: int, where: Where = ANYWHERE) -> list[Hit]:
        only = conditions(where)
        if only is None or limit < 1 or not text.strip():
            return []
        request = qe.QueryRequest(
            limit=limit,
            query=qe.TextQuery(WORDS_FIELD, asked(text)),
            filter=_filter(only) if only else None,
            with_payload=True,
        )
        with self._engine():
            points = self._shard.query(request)
        return [Hit(record_of(point.id, point.payload), point.score) for point in points]

    def fetch(self, ids: Sequence[UUID]) -> tuple[list[SegmentRecord], Vectors]:
        found: dict[object, qe.Record] = {}
        wanted: list[qe.PointId] = list(dict.fromkeys(ids))
        for part in slices(len(wanted), _READ_STEP):
            with self._engine():
                found |= {point.id: point for point in self._shard.retrieve(wanted[part], True, True)}
        points = [found[one] for one in ids if one in found]
        records = [record_of(point.id, point.payload) for point in points]
        return records, stacked([point.vector for point in points], dim=self.dim)

    def segments(self, content: str) -> list[SegmentRecord]:
        only = _filter(Conditions({"content": [content]}))
        records: list[SegmentRecord] = []
        after: qe.PointId | None = None
        while True:
            request = qe.ScrollRequest(offset=after, limit=_READ_STEP, filter=only, with_payload=True)
            with self._engine():
                points, after = self._shard.scroll(request)
            records += [record_of(point.id, point.payload) for point in points]
            if after is None:
                return sorted(records, key=lambda record: record.number)

    def page(self, after: UUID | None, *, limit: int) -> Page:
        request = qe.ScrollRequest(offset=after, limit=limit, with_payload=True, with_vector=True)
        with self._engine():
            points, following = self._shard.scroll(request)
        records = [record_of(point.id, point.payload) for point in points]
        return Page(
            records,
            stacked([point.vector for point in points], dim=self.dim),
            following if following is None else UUID(str(following)),
        )

    def contents(self) -> set[str]:
        # The index's own counts: 5 ms at 100k points in 5k contents, `exact=True` 185; forgotten values stay, with 0.
        with self._engine():
            facet = self._shard.facet(qe.FacetRequest("content", limit=_ALL, exact=False))
        return {str(hit.value) for hit in facet.hits if hit.count > 0}

    def delete(self, contents: Collection[str]) -> None:
        gone = sorted(set(contents))
        for part in slices(len(gone), _READ_STEP):
            only = _filter(Conditions({"content": gone[part]}))
            with self._engine():
                self._begin_write()
                self._shard.update(qe.UpdateOperation.delete_points_by_filter(only))
                self._unflushed += part.stop - part.start

    def count(self, where: Where = ANYWHERE) -> int:
        wanted = conditions(where)
        if wanted is None:
            return 0
        with self._engine():
            return int(self._shard.count(qe.CountRequest(exact=True, filter=_filter(wanted) if wanted else None)))

    def close(self) -> None:
        if not self._closed:
            if self._is_marked:
                self._flush_segments()  # so that the next open has nothing to replay
            self._closed = True
            self._shard.close()
            if self._is_marked:
                (self._folder / _UNFLUSHED).unlink(missing_ok=True)

    def _begin_write(self) -> None:
        """Refuse where there is no room; else leave the mark by which the next open knows that it will write too."""
        _check_room(self._folder)
        if not self._is_marked:
            (self._folder / _UNFLUSHED).touch()
            _sync_folder(self._folder)
            self._is_marked = True

    @contextmanager
    def _engine(self) -> Iterator[None]:
        if self._closed:
            raise StoreUnavailableError(f"the vector store {self._folder} is closed; open it again")
        try:
            yield
        except StoreUnavailableError:
            raise
        except Exception as error:  # the engine raises bare Exception for everything
            raise _failure(
                f"the vector store {self._folder} failed",
                error,
                self._folder,
                advice="check free space, then run again",
            ) from error


def is_made(folder: Path) -> bool:
    """Whether a folder holds a collection, which an EdgeStore would open and not make."""
    return (folder / "shard").exists()


def delete_collection(folder: Path) -> None:
    """Delete a collection that nobody has open; a crash leaves all of it or none under its name.

    Raises:
        StoreUnavailableError: it cannot be deleted.
    """
    doomed = folder.with_name(f"{folder.name}.dropped")
    try:
        if doomed.exists():  # an earlier deletion was cut off
            shutil.rmtree(doomed)
        if folder.exists():
            folder.rename(doomed)
            shutil.rmtree(doomed)
    except OSError as error:
        raise StoreUnavailableError(f"cannot delete {folder}: {error.strerror}; check its permissions") from error


def _filter(wanted: Conditions) -> qe.Filter:
    return qe.Filter(
        must=[
            *(_one_of(name, values) for name, values in wanted.any_of.items()),
            *(_phrase(phrase) for phrase in wanted.phrases),
        ],
        must_not=[
            *(_one_of(name, values) for name, values in wanted.none_of.items()),
            *(_phrase(phrase) for phrase in wanted.without),
        ],
    )


def _one_of(name: str, values: list[str]) -> qe.FieldCondition:
    """One value is looked for in two thirds of the time that a list of one takes."""
    match = qe.MatchValue(values[0]) if len(values) == 1 else qe.MatchAny(values)
    return qe.FieldCondition(key=name, match=match)


def _phrase(phrase: str) -> qe.FieldCondition:
    return qe.FieldCondition(key=WORDS_FIELD, match=qe.MatchPhrase(phrase))


def _check_identity(folder: Path, *, fingerprint: str, dim: int) -> None:
    kept = stored_identity(folder)
    if kept is not None and kept != (fingerprint, dim):
        raise ModelMismatchError(
            f"{folder} holds vectors of width {kept[1]} from {kept[0]}, "
            f"not {dim} from {fingerprint}; use that model, or delete the folder and ingest again"
        )


def _open_shard(folder: Path, *, fingerprint: str, dim: int) -> qe.EdgeShard:
    shard = folder / "shard"
    if not is_made(folder):
        _create_shard(folder, fingerprint=fingerprint, dim=dim)
    elif (folder / _UNFLUSHED).exists():
        _check_room(folder)
    deadline = time.monotonic() + _LOCKED_S
    while True:
        try:
            return _with_indexes(qe.EdgeShard.load(str(shard)), folder)
        except StoreUnavailableError:
            raise
        except Exception as error:  # bare Exception again
            if "WouldBlock" not in str(error):
                raise _failure(
                    f"cannot open {shard}", error, folder, advice=f"if it stays so, delete {folder} and ingest again"
                ) from error
            if time.monotonic() > deadline:
                raise StoreLockedError(
                    f"another process has {shard} open; stop it (or what it left running) and try again"
                ) from error
        time.sleep(0.05)


def _with_indexes(shard: qe.EdgeShard, folder: Path) -> qe.EdgeShard:
    """The shard with all indexes; what an older version lacks is made once, which takes 2 s for 100k segments."""
    # Tokens as every home makes them: the local mode of qdrant-client knows no stems and no folded accents.
    words = qe.TextIndexParams(tokenizer=qe.TokenizerType.Word, lowercase=True, phrase_matching=True, scoring=True)
    wanted: dict[str, Any] = {**dict.fromkeys(INDEXED_FIELDS, qe.PayloadSchemaType.Keyword), WORDS_FIELD: words}
    there = shard.info().payload_schema
    for name, index in wanted.items():
        if name not in there:
            _check_room(folder)
            shard.update(qe.UpdateOperation.create_field_index(name, index))
    return shard


def _create_shard(folder: Path, *, fingerprint: str, dim: int) -> None:
    """A whole empty shard, made beside its place and renamed into it: a crash leaves none or all of it."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    _check_room(folder)
    unfinished = folder / "shard.new"
    shutil.rmtree(unfinished, ignore_errors=True)
    codes = qe.TurboQuantQuantizationConfig(bits=qe.TurboQuantBitSize.Bits8, memory=qe.Memory.Pinned)
    config = qe.EdgeConfig(
        vectors=qe.EdgeVectorParams(size=dim, distance=qe.Distance.Cosine, quantization_config=codes),
        optimizers=qe.EdgeOptimizersConfig(indexing_threshold=10**9),  # no HNSW
    )
    try:
        shard = qe.EdgeShard.create(str(unfinished), config)
        _with_indexes(shard, folder).flush()
        shard.close()
    except StoreUnavailableError:
        raise
    except Exception as error:
        raise _failure(
            f"cannot make a vector store in {folder}", error, folder, advice="check its permissions and free space"
        ) from error
    manifest = folder / "collection.json.new"
    manifest.write_text(json.dumps({"fingerprint": fingerprint, "dim": dim}), encoding="utf-8")
    manifest.replace(folder / "collection.json")
    unfinished.rename(folder / "shard")
    _sync_folder(folder)


def _free_bytes(folder: Path) -> int:
    """What is left on the disk that a folder lies on, or will lie on."""
    return shutil.disk_usage(next(path for path in (folder, *folder.parents) if path.exists())).free


def _check_room(folder: Path) -> None:
    """Refuse to write where the disk might not hold it."""
    if _free_bytes(folder) < _RESERVE_BYTES:
        raise _no_room(folder)


def _no_room(folder: Path) -> StoreUnavailableError:
    return StoreUnavailableError(
        f"no room on the disk of {folder}: {_free_bytes(folder) // 2**20} MB left; "
        "make room and run the same again, nothing is lost"
    )


def _sync_folder(folder: Path) -> None:
    """Make renames in a folder survive a power cut, where the system can."""
    if os.name == "posix":
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)


def _sync_files(folder: Path) -> bool:
    """Make what files of a folder hold, also through memory maps, survive a power cut; False where that cannot be."""
    if os.name != "posix":
        return False
    try:
        for file in folder.iterdir():
            opened = os.open(file, os.O_RDONLY)
            try:
                os.fsync(opened)
            finally:
                os.close(opened)
        _sync_folder(folder)
    except OSError:  # the engine has just begun a new file or let go of an old one
        return False
    return True


def _failure(what: str, error: Exception, folder: Path, *, advice: str) -> StoreUnavailableError:
    """What went wrong and what to do next: what `advice` says, but for a full disk and where it may not write."""
    text = " ".join(str(error).split())
    if any(sign in text for sign in _FULL):
        return _no_room(folder)
    if any(sign in text for sign in _FORBIDDEN):
        advice = f"allow reading and writing {folder} and all in it (was something run as another user?)"
    return StoreUnavailableError(f"{what}: {text[:300]}; {advice}")
