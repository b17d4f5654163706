"""Changes: which found files are as they were, told by size and time; the others are named by their content."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from data.catalogue import Catalogue, Known
from data.errors import MediaError, UnreadableMediaError, UnsupportedMediaError
from data.records import FileState
from indexer.crawl import Found

_LOOK_UP = 2_000  # files looked up in the catalogue at once
_CHUNK_BYTES = 1 << 20


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
    try:
        return Changed(found, (known.content if known and is_same_file else None) or content_hash(Path(found.path)))
    except UnreadableMediaError as error:
        return Unusable(found, error)


def content_hash(path: Path) -> str:
    """SHA-256 of a file's bytes as 64 hex digits.

    Raises:
        UnreadableMediaError: the file vanished, or may not be read.
    """
    digest = hashlib.sha256()
    try:
        # Not blocking, in case the file was replaced by a pipe since it was found.
        with open(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb", buffering=0) as stream:
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
