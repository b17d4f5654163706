"""RemoteStore: the vectors as a guest sees them, asking the owner over loopback."""

from __future__ import annotations

import secrets
import ssl
from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

import httpx
import numpy as np

from data.errors import ModelMismatchError, StoreUnavailableError
from data.paged import Page, PagedStore
from data.points import checked, checked_queries, each, payload_of, record_of, slices, stacked
from data.records import Hit, SegmentRecord
from data.vectors import ANYWHERE, Vectors, Where
from data.wire import (
    NONCE_HEADER,
    PROOF_HEADER,
    Address,
    Frame,
    Header,
    OwnerGoneError,
    answer_proof,
    ask_proof,
    same_proof,
    where_to_json,
)

_UPSERT_STEP = 256  # points a request: other guests' searches wait for one request, not for the batch
_STEP = 1_000
_CONNECT_S = 1.0


class Connection:
    """Requests to one owner, safe from several threads; after OwnerGoneError it is of no more use.

    Args:
        patience_s: how long an owner that is alive may take to answer.
    """

    def __init__(self, address: Address, *, patience_s: float) -> None:
        self._address = address
        self._client = httpx.Client(
            base_url=f"http://127.0.0.1:{address.port}",
            trust_env=False,  # a proxy must never see loopback
            timeout=httpx.Timeout(patience_s, connect=_CONNECT_S),
            verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),  # unused; the default reads every root certificate
            limits=httpx.Limits(keepalive_expiry=3600),
        )

    def ask(self, operation: str, frame: Frame, *, patience_s: float | None = None) -> Frame:
        """One question and its answer.

        Raises:
            OwnerGoneError: nothing answers, or not the owner.
            StoreUnavailableError: the owner is alive but does not answer in time, or its store failed.
            ModelMismatchError: as the owner's store raised it.
        """
        nonce = secrets.token_hex(16)
        proof = ask_proof(self._address.token, operation=operation, nonce=nonce)
        timeout = httpx.USE_CLIENT_DEFAULT if patience_s is None else httpx.Timeout(patience_s)
        try:
            response = self._client.post(
                f"/{operation}",
                content=frame.pack(),
                headers={NONCE_HEADER: nonce, PROOF_HEADER: proof},
                timeout=timeout,
            )
        except httpx.ReadTimeout as error:
            raise StoreUnavailableError(
                f"process {self._address.pid} holds the library but does not answer; wait for it or stop it"
            ) from error
        except httpx.HTTPError as error:
            raise OwnerGoneError(f"the owner of the library is gone ({type(error).__name__})") from error
        expected = answer_proof(self._address.token, nonce=nonce)
        if not same_proof(response.headers.get(PROOF_HEADER, ""), expected):
            raise OwnerGoneError(f"port {self._address.port} belongs to another program now")
        return _opened(response)

    def open(self, fingerprint: str, *, dim: int) -> None:
        """Have the owner open the collection of `fingerprint`, or make it."""
        self.ask("open", Frame({"fingerprint": fingerprint, "dim": dim}))

    def store(self, fingerprint: str, *, dim: int) -> RemoteStore:
        """The collection of `fingerprint`, without asking yet."""
        return RemoteStore(self, fingerprint=fingerprint, dim=dim)

    def drop(self, fingerprint: str) -> None:
        """Have the owner delete the collection of `fingerprint`."""
        self.ask("drop", Frame({"fingerprint": fingerprint}))

    def close(self) -> None:
        self._client.close()


class RemoteStore(PagedStore):
    """One collection of the owner's; closing it is the connection's business."""

    def __init__(self, connection: Connection, *, fingerprint: str, dim: int) -> None:
        self.dim = dim
        self._connection = connection
        self._fingerprint = fingerprint

    def upsert(self, records: Sequence[SegmentRecord], vectors: Vectors) -> None:
        vectors = checked(records, vectors, dim=self.dim)
        for part in slices(len(records), _UPSERT_STEP):
            points = [[str(record.id), payload_of(record)] for record in records[part]]
            self._ask("upsert", {"points": points}, vectors[part])

    def flush(self) -> None:
        self._ask("flush", {})

    def search(self, vectors: Vectors, *, limit: int, where: Where | Sequence[Where] = ANYWHERE) -> list[list[Hit]]:
        vectors = checked_queries(vectors, dim=self.dim)
        wheres = [where_to_json(one) for one in each(where, len(vectors))]
        answer = self._ask("search", {"limit": limit, "where": wheres}, vectors)
        return [_hits(hits) for hits in answer.header["hits"]]

    def search_words(self, text: str, *, limit: int, where: Where = ANYWHERE) -> list[Hit]:
        return _hits(
            self._ask("search_words", {"text": text, "limit": limit, "where": where_to_json(where)}).header["hits"]
        )

    def fetch(self, ids: Sequence[UUID]) -> tuple[list[SegmentRecord], Vectors]:
        records: list[SegmentRecord] = []
        rows: list[Vectors] = [stacked([], dim=self.dim)]
        for part in slices(len(ids), _STEP):
            answer = self._ask("fetch", {"ids": [str(one) for one in ids[part]]})
            records += _records(answer)
            rows.append(answer.floats.reshape(-1, self.dim))
        return records, np.concatenate(rows)

    def segments(self, content: str) -> list[SegmentRecord]:
        return _records(self._ask("segments", {"content": content}))

    def page(self, after: UUID | None, *, limit: int) -> Page:
        answer = self._ask("page", {"after": None if after is None else str(after), "limit": limit})
        following = answer.header["next"]
        return Page(
            _records(answer),
            answer.floats.reshape(-1, self.dim),
            None if following is None else UUID(following),
        )

    def contents(self) -> set[str]:
        return set(self._ask("contents", {}).header["contents"])

    def delete(self, contents: Collection[str]) -> None:
        gone = sorted(set(contents))
        for part in slices(len(gone), _STEP):
            self._ask("delete", {"contents": gone[part]})

    def count(self, where: Where = ANYWHERE) -> int:
        return int(self._ask("count", {"where": where_to_json(where)}).header["count"])

    def close(self) -> None:
        """Nothing of its own to let go of."""

    def _ask(self, operation: str, header: Header, floats: Vectors | None = None) -> Frame:
        header = {"fingerprint": self._fingerprint, "dim": self.dim, **header}
        return self._connection.ask(operation, Frame(header) if floats is None else Frame(header, floats))


def _hits(rows: Sequence[tuple[str, dict[str, Any], float]]) -> list[Hit]:
    return [Hit(record_of(point_id, payload), score) for point_id, payload, score in rows]


def _records(answer: Frame) -> list[SegmentRecord]:
    return [record_of(point_id, payload) for point_id, payload in answer.header["points"]]


def _opened(response: httpx.Response) -> Frame:
    frame = Frame.unpack(response.content)
    if response.status_code == httpx.codes.OK:
        return frame
    message = str(frame.header.get("error", f"the owner answered {response.status_code}"))
    if response.status_code == httpx.codes.CONFLICT:
        raise ModelMismatchError(message)
    raise StoreUnavailableError(message)
