"""On disk: a file of the library as it lies there now, and whether it may be shown."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from data.errors import UnreadableMediaError
from data.records import FileRecord, changed_ns

_AGAIN = "run ingest again"
_MOVED = "if it was moved, run ingest again; then search anew"


@dataclass(frozen=True, slots=True)
class OnDisk:
    """A file that is there and can be opened.

    Args:
        status: of the file itself, behind any link.
    """

    record: FileRecord
    path: Path
    status: os.stat_result

    @property
    def version(self) -> str:
        """What names these bytes: what is made of them is kept under it, and never shown for others."""
        if _as_indexed(self.record, self.status):
            return self.record.content or ""
        return f"{self.record.content}/{self.status.st_size}/{self.status.st_mtime_ns}"


def on_disk(record: FileRecord) -> OnDisk:
    """The file of a record.

    A file that was edited since it was indexed is shown as it is. What lies behind a link is shown only while it is
    what was indexed: a link that was put or turned elsewhere afterwards leads nowhere.

    Raises:
        UnreadableMediaError: it is away, cannot be opened, or may not be shown.
    """
    path = Path(record.path)
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # before it is opened: a pipe would wait for its other end
            raise UnreadableMediaError(path, "it is not a plain file any more", hint=_AGAIN)
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
    except (OSError, ValueError) as error:
        denied = isinstance(error, PermissionError)
        reason = "the file may not be read" if denied else "the file is not there at the moment"
        raise UnreadableMediaError(path, reason, hint="" if denied else _MOVED) from error
    if os.path.realpath(path) != str(path) and not _as_indexed(record, status):
        raise UnreadableMediaError(path, "it is a link to something that was not indexed", hint=_AGAIN)
    return OnDisk(record, path, status)


def _as_indexed(record: FileRecord, status: os.stat_result) -> bool:
    return (status.st_size, changed_ns(status)) == (record.size_bytes, record.mtime_ns)
