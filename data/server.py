"""ServerStore: the same vectors on a Qdrant server, reached by URL.

No Qdrant server can be installed where this was built, so the calls are tested with
`QdrantClient(":memory:")` only; the wire to a real server is not.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from uuid import UUID

import httpx
from qdrant_client import QdrantClient, models
from qdrant_client.common.client_exceptions import QdrantException
from qdrant_client.http.exceptions import ApiException, ResponseHandlingException, UnexpectedResponse

from data.errors import ModelMismatchError, StoreUnavailableError
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
    safe_name,
    slices,
    stacked,
)
from data.records import Hit, SegmentRecord
from data.vectors import ANYWHERE, Vectors, VectorStore, Where
from data.wording import asked

_TIMEOUT_S = 60
_UPSERT_STEP = 256  # keeps a request well under the server's 32 MB
_READ_STEP = 1_000


def open_server(url: str, api_key: str | None, *, library: str, fingerprint: str, dim: int) -> ServerStore:
    """Open a library's collection of `fingerprint` on the server at `url`, making it when it is missing.

    Raises:
        StoreUnavailableError: nothing answers there, or the key is refused.
        ModelMismatchError: the collection exists with another width.
    """
    with _reaching(url):
        client = _client(url, api_key)
    return ServerStore(client, url, library=library, fingerprint=fingerprint, dim=dim)


def server_dim(url: str, api_key: str | None, *, library: str, fingerprint: str) -> int | None:
    """The width of a stored collection, None when there is none."""
    with _reaching(url), closing(_client(url, api_key)) as client:
        name = _collection_name(library, fingerprint)
        return _width(client, name) if client.collection_exists(name) else None


def drop_from_server(url: str, api_key: str | None, *, library: str, fingerprint: str) -> None:
    """Delete a collection; nothing happens when there is none."""
    with _reaching(url), closing(_client(url, api_key)) as client:
        client.delete_collection(_collection_name(library, fingerprint))


class ServerStore(VectorStore):
    """One collection, `omnia-<library>-<fingerprint>`, on a Qdrant server; libraries do not see each other's.

    Args:
        client: owned by this store from now on.
        url: for messages only.
        library: its id (`Catalogue.library_id`).
    """

    def __init__(self, client: QdrantClient, url: str, *, library: str, fingerprint: str, dim: int) -> None:
        self.dim = dim
        self._client = client
        self._url = url
        self._name = _collection_name(library, fingerprint)
        self._closed = False
        with _reaching(url):
            if not client.collection_exists(self._name):
                self._create()
            for field in INDEXED_FIELDS:  # repeating it does nothing: mends a half-made collection
                client.create_payload_index(self._name, field, models.PayloadSchemaType.KEYWORD, wait=True)
            words = models.TextIndexParams(
                type=models.TextIndexType.TEXT,
                tokenizer=models.TokenizerType.WORD,
                lowercase=True,
                phrase_matching=True,
                scoring=models.TextScoringParams(type=models.TextScoringType.BM25),
            )
            client.create_payload_index(self._name, WORDS_FIELD, words, wait=True)
            width = _width(client, self._name)
        if width != dim:
            raise ModelMismatchError(
                f"collection {self._name} at {url} has width {width}, not {dim}; "
                "use the model it was ingested with, or delete the collection and ingest again"
            )

    def upsert(self, records: Sequence[SegmentRecord], vectors: Vectors) -> None:
        vectors = checked(records, vectors, dim=self.dim)
        for part in slices(len(records), _UPSERT_STEP):
            points = [
                models.PointStruct(id=str(record.id), vector=vector.tolist(), payload=payload_of(record))
                for record, vector in zip(records[part], vectors[part], strict=True)
            ]
            with self._server():
                self._client.upsert(self._name, points, wait=True)

    def flush(self) -> None:
        """Nothing to do: every change waits until the server has it in its log."""
        with self._server():
            pass

    def search(self, vectors: Vectors, *, limit: int, where: Where | Sequence[Where] = ANYWHERE) -> list[list[Hit]]:
        vectors = checked_queries(vectors, dim=self.dim)
        wanted = [conditions(one) if limit > 0 else None for one in each(where, len(vectors))]
        params = models.SearchParams(quantization=models.QuantizationSearchParams(rescore=True, oversampling=2.0))
        requests = [
            models.QueryRequest(
                query=vector.tolist(),
                filter=_filter(only) if only else None,
                limit=limit,
                params=params,
                with_payload=True,
            )
            for vector, only in zip(vectors, wanted, strict=True)  # (D,)
            if only is not None
        ]
        if not requests:
            return [[] for _ in wanted]
        with self._server():
            answers = iter(self._client.query_batch_points(self._name, requests))
        lists = ([] if only is None else next(answers).points for only in wanted)
        return [[Hit(record_of(point.id, point.payload), point.score) for point in points] for points in lists]

    def search_words(self, text: str, *, limit: int, where: Where = ANYWHERE) -> list[Hit]:
        only = conditions(where)
        if only is None or limit < 1 or not text.strip():
            return []
        with self._server():
            found = self._client.query_points(
                self._name,
                query=models.TextQuery(text=asked(text)),
                using=WORDS_FIELD,
                query_filter=_filter(only) if only else None,
                limit=limit,
                with_payload=True,
            )
        return [Hit(record_of(point.id, point.payload), point.score) for point in found.points]

    def fetch(self, ids: Sequence[UUID]) -> tuple[list[SegmentRecord], Vectors]:
        found: dict[UUID, models.Record] = {}
        wanted = [str(one) for one in dict.fromkeys(ids)]
        for part in slices(len(wanted), _READ_STEP):
            with self._server():
                points = self._client.retrieve(self._name, wanted[part], with_payload=True, with_vectors=True)
            found |= {UUID(str(point.id)): point for point in points}
        asked = [found[one] for one in ids if one in found]
        records = [record_of(point.id, point.payload) for point in asked]
        return records, stacked([point.vector for point in asked], dim=self.dim)

    def segments(self, content: str) -> list[SegmentRecord]:
        pages = self._pages(_filter(Conditions({"content": [content]})), step=_READ_STEP, vectors=False)
        records = [record_of(point.id, point.payload) for page in pages for point in page]
        return sorted(records, key=lambda record: record.number)

    def scan(self, *, batch_size: int = 1000) -> Iterator[tuple[list[SegmentRecord], Vectors]]:
        for page in self._pages(None, step=batch_size, vectors=True):
            if page:
                records = [record_of(point.id, point.payload) for point in page]
                yield records, stacked([point.vector for point in page], dim=self.dim)

    def contents(self) -> set[str]:
        with self._server():
            # There are never more contents than points, so this limit loses none.
            limit = self._client.count(self._name, exact=True).count + 1_000
            facet = self._client.facet(self._name, "content", limit=limit, exact=True)
        return {str(hit.value) for hit in facet.hits if hit.count > 0}

    def delete(self, contents: Collection[str]) -> None:
        gone = sorted(set(contents))
        for part in slices(len(gone), _READ_STEP):
            only = _filter(Conditions({"content": gone[part]}))
            with self._server():
                self._client.delete(self._name, models.FilterSelector(filter=only), wait=True)

    def count(self, where: Where = ANYWHERE) -> int:
        wanted = conditions(where)
        if wanted is None:
            return 0
        with self._server():
            return self._client.count(self._name, count_filter=_filter(wanted) if wanted else None, exact=True).count

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._client.close()

    def _create(self) -> None:
        # int8 codes rather than the embedded home's TurboQuant: every server version knows them.
        codes = models.ScalarQuantizationConfig(type=models.ScalarType.INT8, quantile=0.99, always_ram=True)
        try:
            self._client.create_collection(
                self._name,
                vectors_config=models.VectorParams(size=self.dim, distance=models.Distance.COSINE),
                quantization_config=models.ScalarQuantization(scalar=codes),
            )
        except UnexpectedResponse as error:
            if error.status_code != 409:  # 409: another process made it in this moment
                raise

    def _pages(self, only: models.Filter | None, *, step: int, vectors: bool) -> Iterator[list[models.Record]]:
        after = None
        while True:
            with self._server():
                points, after = self._client.scroll(
                    self._name,
                    scroll_filter=only,
                    limit=step,
                    offset=after,
                    with_payload=True,
                    with_vectors=vectors,
                )
            yield points
            if after is None:
                return

    @contextmanager
    def _server(self) -> Iterator[None]:
        if self._closed:
            raise StoreUnavailableError(f"the vector store at {self._url} is closed; open it again")
        with _reaching(self._url):
            yield


def _client(url: str, api_key: str | None) -> QdrantClient:
    return QdrantClient(url=url, api_key=api_key, timeout=_TIMEOUT_S, check_compatibility=False)


def _collection_name(library: str, fingerprint: str) -> str:
    return f"omnia-{library}-{safe_name(fingerprint)}"


def _width(client: QdrantClient, name: str) -> int | None:
    params = client.get_collection(name).config.params.vectors
    return params.size if isinstance(params, models.VectorParams) else None


def _filter(wanted: Conditions) -> models.Filter:
    return models.Filter(
        must=[
            *(_one_of(name, values) for name, values in wanted.any_of.items()),
            *(_phrase(phrase) for phrase in wanted.phrases),
        ],
        must_not=[
            *(_one_of(name, values) for name, values in wanted.none_of.items()),
            *(_phrase(phrase) for phrase in wanted.without),
        ],
    )


def _one_of(name: str, values: list[str]) -> models.FieldCondition:
    return models.FieldCondition(key=name, match=models.MatchAny(any=values))


def _phrase(phrase: str) -> models.FieldCondition:
    return models.FieldCondition(key=WORDS_FIELD, match=models.MatchPhrase(phrase=phrase))


@contextmanager
def _reaching(url: str) -> Iterator[None]:
    try:
        yield
    except UnexpectedResponse as error:
        advice = (
            "check OMNIA_QDRANT_API_KEY"
            if error.status_code in (401, 403)
            else "check that OMNIA_QDRANT_URL names a Qdrant server, and its log"
        )
        raise StoreUnavailableError(
            f"the Qdrant server at {url} answered {error.status_code} {error.reason_phrase}; {advice}"
        ) from error
    except (ResponseHandlingException, httpx.TransportError) as error:
        raise StoreUnavailableError(
            f"no Qdrant server answers at {url} ({_line(error)}); start it, correct OMNIA_QDRANT_URL, "
            "or unset it to keep the vectors in OMNIA_HOME"
        ) from error
    except (ApiException, QdrantException, ValueError) as error:
        raise StoreUnavailableError(
            f"the Qdrant server at {url} cannot be used: {_line(error)}; check OMNIA_QDRANT_URL"
        ) from error


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
