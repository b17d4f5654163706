"""Changes: which found files are as they were, told by size and time; the others are named by their content."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import FileIO
from itertools import islice
from pathlib import Path

from data.catalogue import Catalogue, Known
from data.errors import MediaError, UnreadableMediaError, UnsupportedMediaError
from data.records import FileState
from embedder.media.sniff import identify
from indexer.crawl import Found

log = logging.getLogger(__name__)

_LOOK_UP = 2_000  # files looked up in the catalogue at once
_CHUNK_BYTES = 1 << 20
_LARGE_BYTES = 64 << 20  # to read all of these takes longer than to look first whether any reader takes them


@dataclass(frozen=True, slots=True)
class Settled:
    """Nothing to do: size, time and fingerprint are those of the last outcome, which is `known`."""

    found: Found
    known: Known


@dataclass(frozen=True, slots=True)
class Changed:
    """A new or changed file, or a rename or copy of one: its content tells."""

    found: Found
    content: str


@dataclass(frozen=True, slots=True)
class Unusable:
    """Cannot be read at all."""

    found: Found
    error: MediaError


@dataclass(frozen=True, slots=True)
class OutOfReach:
    """Cannot even be looked at, as when its drive is away: what was indexed of it stays until it can."""

    found: Found
    known: Known


Change = Settled | Changed | Unusable | OutOfReach


def changes(crawl: Iterable[Found], catalogue: Catalogue, *, run: int, fingerprint: str) -> Iterator[Change]:
    """What became of each found file since the last run, in the order found; known files are marked seen."""
    files = iter(crawl)
    while batch := list(islice(files, _LOOK_UP)):
        known = catalogue.known([found.path for found in batch], fingerprint)
        catalogue.mark_seen(run, [one.id for one in known.values()])
        for found in batch:
            yield _change(found, known.get(found.path))


def unmet(crawl: Iterable[Found], catalogue: Catalogue, *, fingerprint: str) -> Iterator[Found]:
    """Those files that the catalogue knows nothing of under a fingerprint; none is marked seen."""
    files = iter(crawl)
    while batch := list(islice(files, _LOOK_UP)):
        known = catalogue.known([found.path for found in batch], fingerprint)
        yield from (found for found in batch if found.path not in known)


def _change(found: Found, known: Known | None) -> Change:
    is_same_file = known is not None and (known.size_bytes, known.mtime_ns) == (found.size_bytes, found.mtime_ns)
    if known is not None and is_same_file and known.settled:
        return Settled(found, known)
    if found.problem and known is not None and known.state is FileState.INDEXED:
        return OutOfReach(found, known)
    if found.problem:
        return Unusable(found, UnreadableMediaError(found.path, found.problem, hint="repair or remove it"))
    if not found.is_regular:
        return Unusable(found, UnsupportedMediaError(found.path, "not a regular file (a pipe, socket or device)"))
    if found.size_bytes == 0:
        return Unusable(found, UnsupportedMediaError(found.path, "empty file"))
    if known is not None and is_same_file and known.content:
        return Changed(found, known.content)
    path = Path(found.path)
    if found.size_bytes >= _LARGE_BYTES and (unsupported := _unsupported(path)):
        return Unusable(found, unsupported)
    try:
        return Changed(found, content_hash(path))
    except UnreadableMediaError as error:
        return Unusable(found, error)


def _unsupported(path: Path) -> UnsupportedMediaError | None:
    """Why no reader takes a file, as far as its beginning tells; what else is wrong with it is told by its reader.

    Archives are left to a process with limits, for the list of what is in one may be of any size.
    """
    try:
        with _opened(path) as file:
            is_archive = file.read(2) == b"PK"
        if not is_archive:
            identify(path)
    except UnsupportedMediaError as error:
        return error
    except Exception as error:
        log.debug("%r: %s", path, error)
    return None


def content_hash(path: Path) -> str:
    """SHA-256 of a file's bytes as 64 hex digits.

    Raises:
        UnreadableMediaError: the file vanished, or may not be read.
    """
    digest = hashlib.sha256()
    try:
        with _opened(path) as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                digest.update(chunk)
    except FileNotFoundError as error:
        raise UnreadableMediaError(path, "vanished while it was being read", hint="run ingest again") from error
    except PermissionError as error:
        raise UnreadableMediaError(path, "permission denied", hint="allow reading it") from error
    except OSError as error:
        reason = f"cannot be read: {(error.strerror or str(error)).lower()}"
        raise UnreadableMediaError(path, reason, hint="check the disk") from error
    return digest.hexdigest()


def _opened(path: Path) -> FileIO:
    """Not blocking, in case the file was replaced by a pipe since it was found."""
    return open(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb", buffering=0)
