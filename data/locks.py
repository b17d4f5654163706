"""The lock that keeps a library to one ingest at a time."""

from __future__ import annotations

import os
from pathlib import Path

from filelock import FileLock, Timeout

from data.errors import StoreUnavailableError

_PATIENCE_S = 1.0  # outlasts those who only look
_LOOK_S = 0.05  # outlasts another who looks


def ingest_lock(home: Path) -> FileLock:
    """The lock of a library, to be held while it is changed; `acquire` raises Timeout while another holds it."""
    return FileLock(home / "ingest.lock", timeout=_PATIENCE_S)


def is_ingesting(home: Path) -> bool:
    """Whether a process holds the lock now: one that was killed does not."""
    try:
        import fcntl
    except ImportError:  # Windows
        return home.is_dir() and _is_taken(home)
    try:
        lock = os.open(home / "ingest.lock", os.O_RDONLY)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise StoreUnavailableError(f"{str(home)!r} cannot be looked at: {error.strerror}; set OMNIA_HOME") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)  # shared, so that those who look do not see each other
    except BlockingIOError:
        return True
    except OSError:  # some network drives know no such locks
        return _is_taken(home)
    finally:
        os.close(lock)
    return False


def _is_taken(home: Path) -> bool:
    """Where locks cannot be shared: whether the lock cannot be had."""
    lock = FileLock(home / "ingest.lock", timeout=_LOOK_S)
    try:
        with lock.acquire(poll_interval=_LOOK_S / 5):
            return False
    except Timeout:
        return True
