"""The lock that keeps a library to one ingest at a time."""

from __future__ import annotations

from pathlib import Path

from filelock import FileLock, Timeout

_PATIENCE_S = 1.0  # outlasts those who only look


def ingest_lock(home: Path) -> FileLock:
    """The lock of a library, to be held while it is changed; `acquire` raises Timeout while another holds it."""
    return FileLock(home / "ingest.lock", timeout=_PATIENCE_S)


def is_ingesting(home: Path) -> bool:
    """Whether a process holds the lock now: one that was killed does not."""
    if not home.is_dir():
        return False
    lock = FileLock(home / "ingest.lock", timeout=0)
    try:
        with lock:
            return False
    except Timeout:
        return True
