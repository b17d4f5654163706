"""The owner's side: embedded collections of one home, answered to guests over loopback.

Requests run on the server's own thread one after the other: the engine holds the interpreter lock
during a call, so a pool of threads would only add hand-overs. Guests keep their requests small.
"""

from __future__ import annotations

import errno
import logging
import os
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from data.edge import EdgeStore, delete_collection, is_made
from data.errors import ModelMismatchError, OmniaError, StoreUnavailableError
from data.points import collection_folder, payload_of, record_of
from data.records import SegmentRecord
from data.wire import (
    ADDRESS_FILE,
    NONCE_HEADER,
    PROOF_HEADER,
    Address,
    Frame,
    answer_proof,
    ask_proof,
    new_token,
    same_proof,
    where_from_json,
)

log = logging.getLogger(__name__)

_START_S = 10.0
_END_S = 30.0  # for the request that is under way: its shard is closed afterwards, before another process may open it
_SWITCH_S = 0.0005  # a guest's question waits for the interpreter lock several times, each time as long as this or more


class Owner:
    """Every collection under `home/vectors`, open in this process, served until `close`.

    The caller holds the home's lock from before this is made until after it is closed.

    Raises:
        StoreUnavailableError: no port on 127.0.0.1, or the address cannot be written.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._stores: dict[str, EdgeStore] = {}
        self._opening = threading.Lock()
        self._former_switch_s = sys.getswitchinterval()
        self._is_published = False
        listener = _listen()
        self._address = Address(os.getpid(), listener.getsockname()[1], new_token())
        app = Starlette(routes=[Route("/{operation}", self._answer, methods=["POST"])])
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                lifespan="off",
                ws="none",
                log_config=None,
                log_level="warning",
                access_log=False,
                timeout_keep_alive=3600,
                timeout_graceful_shutdown=2,
            )
        )
        self._thread = threading.Thread(target=self._server.run, args=([listener],), name="omnia-owner", daemon=True)
        try:
            self._start()
        except BaseException:
            self.close()
            listener.close()
            raise

    def open(self, fingerprint: str, *, dim: int) -> None:
        """Open the collection of `fingerprint`, or make it; raises what `store` does."""
        self.store(fingerprint, dim=dim, make=True)

    def store(self, fingerprint: str, *, dim: int, make: bool = False) -> EdgeStore:
        """The open collection of `fingerprint`.

        Args:
            make: whether one that is missing is made; else a question that comes late brings back what was dropped.

        Raises:
            ModelMismatchError: it exists with another width.
            StoreUnavailableError: it cannot be opened, or was dropped.
        """
        with self._opening:
            if not self._is_published:
                self._publish()
            store = self._stores.get(fingerprint)
            if store is None:
                folder = collection_folder(self._home, fingerprint)
                if not make and not is_made(folder):
                    raise StoreUnavailableError(
                        f"{self._home} holds no vectors of {fingerprint} any more; "
                        "ask again, or ingest with this model to make them anew"
                    )
                store = EdgeStore(folder, fingerprint=fingerprint, dim=dim)
                self._stores[fingerprint] = store
        if store.dim != dim:
            raise ModelMismatchError(
                f"the vectors of {fingerprint} in {self._home} have width {store.dim}, not {dim}; "
                "use the model they were made with"
            )
        return store

    def drop(self, fingerprint: str) -> None:
        """Close the collection of `fingerprint` and delete it.

        Raises:
            StoreUnavailableError: it cannot be deleted.
        """
        with self._opening:
            store = self._stores.pop(fingerprint, None)
            if store is not None:
                store.close()
            delete_collection(collection_folder(self._home, fingerprint))

    def close(self) -> None:
        """Stop answering, flush and close the collections, withdraw the address."""
        self._server.should_exit = True
        if self._thread.ident is not None:
            self._thread.join(timeout=_END_S)
        try:
            for store in self._stores.values():
                store.close()
        finally:
            self._stores.clear()
            sys.setswitchinterval(self._former_switch_s)
            (self._home / ADDRESS_FILE).unlink(missing_ok=True)
            log.info("no longer the owner of %s", self._home)

    def _start(self) -> None:
        sys.setswitchinterval(_SWITCH_S)
        self._thread.start()
        deadline = time.monotonic() + _START_S
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                raise StoreUnavailableError(f"cannot serve {self._home} on 127.0.0.1; see the log")
            time.sleep(0.002)
        self._publish()
        if not self._is_published:
            log.warning("no room on the disk of %s: other processes cannot use it until there is some", self._home)
        log.info("owner of %s, answering on port %d", self._home, self._address.port)

    def _publish(self) -> None:
        """Write the address; on a full disk later, since who only searches here needs no guests."""
        try:
            self._address.write(self._home)
            self._is_published = True
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise StoreUnavailableError(
                    f"cannot write {self._home / ADDRESS_FILE}: {error.strerror}; check its permissions"
                ) from error

    async def _answer(self, request: Request) -> Response:
        operation = request.path_params["operation"]
        nonce = request.headers.get(NONCE_HEADER, "")
        expected = ask_proof(self._address.token, operation=operation, nonce=nonce)
        if not nonce or not same_proof(request.headers.get(PROOF_HEADER, ""), expected):
            return Response(status_code=401)
        status, frame = self._outcome(operation, await request.body())
        proof = answer_proof(self._address.token, nonce=nonce)
        return Response(frame.pack(), status_code=status, headers={PROOF_HEADER: proof})

    def _outcome(self, operation: str, body: bytes) -> tuple[int, Frame]:
        try:
            asked = Frame.unpack(body)
            if operation == "hello":
                return 200, Frame({"pid": self._address.pid})
            if operation == "open":
                self.open(asked.header["fingerprint"], dim=asked.header["dim"])
                return 200, Frame({})
            if operation == "drop":
                self.drop(asked.header["fingerprint"])
                return 200, Frame({})
            perform = _OPERATIONS.get(operation)
            if perform is None:
                return 404, Frame({"error": f"the owner knows no operation {operation!r}"})
            store = self.store(asked.header["fingerprint"], dim=asked.header["dim"])
            return 200, perform(store, asked)
        except ModelMismatchError as error:
            return 409, Frame({"error": str(error)})
        except OmniaError as error:
            return 503, Frame({"error": str(error)})
        except (ValueError, KeyError, TypeError) as error:
            return 400, Frame({"error": f"the owner cannot read {operation!r}: {error!r}"})


def _listen() -> socket.socket:
    # asyncio switches Nagle's delay off only where the protocol is named: answers took 40 ms without it.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.bind(("127.0.0.1", 0))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise StoreUnavailableError(f"cannot listen on 127.0.0.1: {error.strerror}") from error
    return listener


def _upsert(store: EdgeStore, asked: Frame) -> Frame:
    records = [record_of(point_id, payload) for point_id, payload in asked.header["points"]]
    store.upsert(records, asked.floats.reshape(-1, store.dim))
    return Frame({})


def _flush(store: EdgeStore, asked: Frame) -> Frame:
    store.flush()
    return Frame({})


def _search(store: EdgeStore, asked: Frame) -> Frame:
    vectors = asked.floats.reshape(-1, store.dim)  # (Q, D)
    wheres = [where_from_json(one) for one in asked.header["where"]]
    found = store.search(vectors, limit=asked.header["limit"], where=wheres)
    return Frame({"hits": [[[*_point(hit.segment), hit.score] for hit in hits] for hits in found]})


def _search_words(store: EdgeStore, asked: Frame) -> Frame:
    where = where_from_json(asked.header["where"])
    hits = store.search_words(asked.header["text"], limit=asked.header["limit"], where=where)
    return Frame({"hits": [[*_point(hit.segment), hit.score] for hit in hits]})


def _fetch(store: EdgeStore, asked: Frame) -> Frame:
    records, vectors = store.fetch([UUID(one) for one in asked.header["ids"]])
    return Frame({"points": [_point(record) for record in records]}, vectors)


def _segments(store: EdgeStore, asked: Frame) -> Frame:
    return Frame({"points": [_point(record) for record in store.segments(asked.header["content"])]})


def _page(store: EdgeStore, asked: Frame) -> Frame:
    after = asked.header["after"]
    page = store.page(None if after is None else UUID(after), limit=asked.header["limit"])
    following = None if page.next is None else str(page.next)
    return Frame({"points": [_point(record) for record in page.records], "next": following}, page.vectors)


def _contents(store: EdgeStore, asked: Frame) -> Frame:
    return Frame({"contents": sorted(store.contents())})


def _delete(store: EdgeStore, asked: Frame) -> Frame:
    store.delete(asked.header["contents"])
    return Frame({})


def _count(store: EdgeStore, asked: Frame) -> Frame:
    return Frame({"count": store.count(where_from_json(asked.header["where"]))})


def _point(record: SegmentRecord) -> list[object]:
    return [str(record.id), payload_of(record)]


_OPERATIONS: dict[str, Callable[[EdgeStore, Frame], Frame]] = {
    "upsert": _upsert,
    "flush": _flush,
    "search": _search,
    "search_words": _search_words,
    "fetch": _fetch,
    "segments": _segments,
    "page": _page,
    "contents": _contents,
    "delete": _delete,
    "count": _count,
}
