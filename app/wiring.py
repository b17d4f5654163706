"""Wiring: the parts of a library joined once for a process, each opened when it is first needed."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from threading import Lock, Thread
from typing import TYPE_CHECKING, Generic, TypeVar

from data.errors import OmniaError
from data.records import FileState
from data.settings import Settings

if TYPE_CHECKING:
    from app.previews import PreviewCache
    from app.search import SearchService
    from data.catalogue import Catalogue
    from data.vectors import VectorStore
    from embedder.embed import Embedder
    from embedder.media.sandbox import ReaderPool

log = logging.getLogger(__name__)
T = TypeVar("T")

_READERS = 2  # processes that read query files and draw previews


class Once(Generic[T]):
    """A thing made at the first call and given at every call, from whatever thread."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._lock = Lock()
        self._made: list[T] = []

    def __call__(self) -> T:
        with self._lock:
            if not self._made:
                self._made.append(self._make())
            return self._made[0]

    @property
    def made(self) -> T | None:
        """The thing, or None while nobody asked for it; never waits."""
        return self._made[0] if self._made else None


class Library:
    """What the page and the commands stand on. A part is a call: `library.service().search(query)`.

    The catalogue opens in milliseconds, so that media and counts are there while the model still loads.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.catalogue: Once[Catalogue] = Once(self._open_catalogue)
        self.embedder: Once[Embedder] = Once(self._load_embedder)
        self.store: Once[VectorStore] = Once(self._open_store)
        self.readers: Once[ReaderPool] = Once(self._start_readers)
        self.previews: Once[PreviewCache] = Once(self._open_previews)
        self.service: Once[SearchService] = Once(self._join_service)

    def why_nothing(self) -> str:
        """Why a question found nothing, one line with what to do next."""
        from embedder.embed import model_row

        summary = self.catalogue().summary()
        if not any(state is FileState.INDEXED for _, state in summary.counts):
            return "the library is empty; fill it with: python -m indexer ingest FOLDER"
        if not summary.segments.get(model_row(self.settings.model).fingerprint):
            return (
                f"the library holds files, but none embedded with {self.settings.model} as it is now; "
                "ingest its folders again, or name the model it was made with in OMNIA_MODEL"
            )
        return "the library holds no file of the kinds asked for; ask for other kinds"

    def close(self) -> None:
        """Let go of the reader processes and the store; the library must not be used afterwards."""
        if self.readers.made:
            self.readers.made.close()
        if self.store.made:
            self.store.made.close()

    def _open_catalogue(self) -> Catalogue:
        from data.catalogue import open_catalogue

        return open_catalogue(self.settings.catalogue_url)

    def _load_embedder(self) -> Embedder:
        from embedder.embed import load_embedder

        return load_embedder(self.settings.model, device=self.settings.device)

    def _open_store(self) -> VectorStore:
        from data.vectors import open_vectors
        from embedder.embed import model_row

        row = model_row(self.settings.model)
        return open_vectors(self.settings, fingerprint=row.fingerprint, dim=row.dim)

    def _start_readers(self) -> ReaderPool:
        from embedder.media.limits import Limits
        from embedder.media.sandbox import ReaderPool

        return ReaderPool(_READERS, limits=Limits(seconds=30, file_seconds=60))

    def _open_previews(self) -> PreviewCache:
        from app.previews import PreviewCache

        return PreviewCache(self.settings.home / "cache" / "previews", readers=self.readers())

    def _join_service(self) -> SearchService:
        from app.search import SearchService

        return SearchService(self.embedder(), self.store(), catalogue=self.catalogue(), readers=self.readers())


shared: Once[Library] = Once(lambda: Library(Settings.load()))
"""The library of this process, told by OMNIA_* where it lies."""


@asynccontextmanager
async def while_serving(_server: object) -> AsyncIterator[None]:
    """Load the model beside the first visits rather than before them, and let go of everything at the end."""
    Thread(target=_warm_up, name="warm-up", daemon=True).start()
    try:
        yield
    finally:
        if shared.made:
            shared.made.close()


def _warm_up() -> None:
    try:
        shared().service()
    except OmniaError as error:
        log.error("the library is not ready: %s", error)  # the page says it too, when it is asked
