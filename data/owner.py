"""SharedStore: the embedded vectors for every process of one user at once.

One process holds `owner.lock` in the home and has the shards open: the owner. Every other process
is its guest and asks it over loopback. When the owner ends, also by `kill -9`, the kernel frees the
lock and the next call of any guest takes it. Every operation may be repeated, so a call that was
under way is simply made again.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from uuid import UUID

from filelock import FileLock, Timeout

from data.errors import StoreUnavailableError
from data.paged import Page, PagedStore
from data.points import collection_folder, stored_identity
from data.records import Hit, SegmentRecord
from data.remote import Connection
from data.vectors import ANYWHERE, Vectors, Where
from data.wire import ADDRESS_FILE, Address, Frame, OwnerGoneError

if TYPE_CHECKING:
    from data.serve import Owner

log = logging.getLogger(__name__)

PATIENCE_S = 15.0  # how long a call looks for an owner, or waits for its answer
_HELLO_S = 2.0
_T = TypeVar("_T")


def open_shared(home: Path, *, fingerprint: str, dim: int) -> SharedStore:
    """Open the collection of `fingerprint` in `home`, as its owner or as a guest of the owner.

    Raises:
        StoreUnavailableError: the folder cannot be used, or its owner does not answer.
        ModelMismatchError: the collection exists with another width.
    """
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StoreUnavailableError(
            f"cannot use the library folder {home}: {error.strerror}; set OMNIA_HOME to a folder you own"
        ) from error
    seat = _Seat.take(home.resolve())
    store = SharedStore(seat, fingerprint=fingerprint, dim=dim)
    try:
        seat.perform(lambda role: role.open(fingerprint, dim=dim))
    except BaseException:
        seat.leave()
        raise
    return store


def shared_dim(home: Path, *, fingerprint: str) -> int | None:
    """The width of the stored collection of `fingerprint` in `home`, None when there is none."""
    kept = stored_identity(collection_folder(home, fingerprint))
    return None if kept is None else kept[1]


def drop_shared(home: Path, *, fingerprint: str) -> None:
    """Delete the collection of `fingerprint` in `home`, whoever has it open.

    Raises:
        StoreUnavailableError: the owner does not answer, or the folder cannot be deleted.
    """
    if not (home / "vectors").exists():
        return
    seat = _Seat.take(home.resolve())
    try:
        seat.perform(lambda role: role.drop(fingerprint))
    finally:
        seat.leave()


class SharedStore(PagedStore):
    """One collection, whoever owns it at the moment; after a drop calls are errors until it is opened anew."""

    def __init__(self, seat: _Seat, *, fingerprint: str, dim: int) -> None:
        self.dim = dim
        self._seat = seat
        self._fingerprint = fingerprint
        self._unflushed = False
        self._closed = False

    @property
    def is_owner(self) -> bool:
        """Whether this process holds the shards now."""
        return self._seat.is_owner

    def upsert(self, records: Sequence[SegmentRecord], vectors: Vectors) -> None:
        self._do(lambda store: store.upsert(records, vectors))
        self._unflushed = True

    def flush(self) -> None:
        self._unflushed = False  # first: what another thread writes meanwhile may come too late for this one
        self._do(lambda store: store.flush())

    def search(self, vectors: Vectors, *, limit: int, where: Where | Sequence[Where] = ANYWHERE) -> list[list[Hit]]:
        return self._do(lambda store: store.search(vectors, limit=limit, where=where))

    def search_words(self, text: str, *, limit: int, where: Where = ANYWHERE) -> list[Hit]:
        return self._do(lambda store: store.search_words(text, limit=limit, where=where))

    def fetch(self, ids: Sequence[UUID]) -> tuple[list[SegmentRecord], Vectors]:
        return self._do(lambda store: store.fetch(ids))

    def segments(self, content: str) -> list[SegmentRecord]:
        return self._do(lambda store: store.segments(content))

    def page(self, after: UUID | None, *, limit: int) -> Page:
        return self._do(lambda store: store.page(after, limit=limit))

    def contents(self) -> set[str]:
        return self._do(lambda store: store.contents())

    def delete(self, contents: Collection[str]) -> None:
        self._do(lambda store: store.delete(contents))
        self._unflushed = True

    def count(self, where: Where = ANYWHERE) -> int:
        return self._do(lambda store: store.count(where))

    def close(self) -> None:
        """Flush what was written here; the last store of this process at this home also gives the ownership up."""
        if self._closed:
            return
        try:
            if self._unflushed and self._seat.is_seated:
                self.flush()
        finally:
            self._closed = True
            self._seat.leave()

    def _do(self, operation: Callable[[PagedStore], _T]) -> _T:
        if self._closed:
            raise StoreUnavailableError("this vector store is closed; open it again")
        return self._seat.perform(lambda role: operation(role.store(self._fingerprint, dim=self.dim)))


class _Seat:
    """This process's place at one home: its owner, or a guest of the owner."""

    _all: dict[Path, _Seat] = {}  # noqa: RUF012
    _all_lock = threading.Lock()
    _at_exit = False

    def __init__(self, home: Path) -> None:
        self._home = home
        self._lock = FileLock(home / "owner.lock", thread_local=False)
        self._switching = threading.Lock()
        self._role: Owner | Connection | None = None
        self._users = 0
        self._pid = os.getpid()

    @classmethod
    def take(cls, home: Path) -> _Seat:
        """The process's one seat at `home`, with one more user."""
        with cls._all_lock:
            if not cls._at_exit:
                cls._at_exit = True
                atexit.register(_leave_all)
            seat = cls._all.get(home)
            if seat is None or seat._pid != os.getpid():
                seat = cls._all[home] = cls(home)
            seat._users += 1
            return seat

    def leave(self) -> None:
        """One user less; the last one closes."""
        with self._all_lock:
            self._users -= 1
            if self._users == 0:
                if self._all.get(self._home) is self:
                    del self._all[self._home]
                self.close()

    @property
    def is_seated(self) -> bool:
        return self._role is not None

    @property
    def is_owner(self) -> bool:
        return self._lock.is_locked and self._role is not None

    def perform(self, operation: Callable[[Owner | Connection], _T]) -> _T:
        """Do something that may be repeated with whoever owns the shards.

        Raises:
            StoreUnavailableError: no owner answers in time.
        """
        deadline = time.monotonic() + PATIENCE_S
        while True:
            role = self.reach(deadline)
            try:
                return operation(role)
            except OwnerGoneError as error:
                self.forget(role)
                if time.monotonic() > deadline:
                    raise StoreUnavailableError(f"{error}; try again") from error

    def reach(self, deadline: float) -> Owner | Connection:
        """The owner object of this process, or a connection to the owner that answered just now or before.

        Raises:
            StoreUnavailableError: neither by `deadline`.
        """
        role = self._role
        if role is not None:
            return role
        if self._pid != os.getpid():
            raise StoreUnavailableError("the vector store was opened before a fork; open it in the child")
        with self._switching:
            pause_s, why = 0.01, "no owner has published its address"
            while self._role is None:
                self._role = self._become_owner()
                if self._role is None:
                    try:
                        self._role = self._become_guest()
                    except OwnerGoneError as error:
                        why = str(error)
                if self._role is None:
                    if time.monotonic() > deadline:
                        raise StoreUnavailableError(
                            f"another process holds {self._home} but cannot be reached ({why}); stop it and try again"
                        )
                    time.sleep(pause_s)
                    pause_s = min(2 * pause_s, 0.25)
            return self._role

    def forget(self, role: Owner | Connection) -> None:
        """The role failed: look for another on the next `reach`."""
        with self._switching:
            if self._role is role and isinstance(role, Connection):
                self._role = None

    def close(self) -> None:
        """Give the role up; an owner flushes, withdraws its address and frees the lock, in this order."""
        if self._pid != os.getpid():
            return  # a forked child must not close what its parent holds
        with self._switching:
            role, self._role = self._role, None
            try:
                if role is not None:
                    role.close()
            finally:
                self._lock.release()

    def _become_owner(self) -> Owner | None:
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            return None
        except (OSError, NotImplementedError) as error:
            raise StoreUnavailableError(
                f"cannot lock {self._home / 'owner.lock'}: {error}; set OMNIA_HOME to a local folder you own"
            ) from error
        try:
            with suppress(OSError):  # of an owner that was killed, and by now perhaps of another version
                (self._home / ADDRESS_FILE).unlink()
            from data.serve import Owner  # guests need neither the engine nor a web server

            return Owner(self._home)
        except BaseException:
            self._lock.release()
            raise

    def _become_guest(self) -> Connection | None:
        address = Address.read(self._home)
        if address is None:
            return None
        connection = Connection(address, patience_s=PATIENCE_S)
        try:
            connection.ask("hello", Frame({}), patience_s=_HELLO_S)
        except OwnerGoneError:
            connection.close()
            raise
        except StoreUnavailableError as error:
            connection.close()
            raise OwnerGoneError(str(error)) from error
        log.info("guest of process %d at %s", address.pid, self._home)
        return connection


def _leave_all() -> None:
    with _Seat._all_lock:
        seats = list(_Seat._all.values())
        _Seat._all.clear()
    for seat in seats:
        try:
            seat.close()
        except StoreUnavailableError as error:  # the process ends anyway, and what it acknowledged is in the log
            log.warning("%s", error)
