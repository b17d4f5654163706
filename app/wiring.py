"""Wiring: the parts of a library joined once for a process, each opened when it is first needed."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from threading import Event, Thread
from typing import TYPE_CHECKING

from anyio import to_thread

from app.ingests import Ingests
from app.once import Once
from app.query import ANYTHING, Filters
from app.space import Current, Space, Spaces
from data.errors import ModelMismatchError, OmniaError
from data.printing import for_shell, printable, shortened
from data.records import FileChoice, FileState
from data.settings import Settings

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from app.clips import ClipCache
    from app.previews import PreviewCache
    from app.search import SearchService
    from data.catalogue import Catalogue, LibraryModel
    from data.vectors import VectorStore
    from embedder.embed import Embedder
    from embedder.media.sandbox import ReaderPool
    from embedder.rows import ModelRow

log = logging.getLogger(__name__)

_HEAD_START_S = 3.0  # of the first page before model and store, whose opening would keep it waiting
_REST_S = 0.8  # after it, while the browser draws; a question that comes sooner opens them itself
_READERS = 2  # processes that read query files and draw previews
_ENCODERS = 2  # processes that make clips, so that no preview has to wait for one


class Library:
    """What the page and the commands stand on. A part is a call: `library.service().search(query)`.

    The catalogue opens in milliseconds, so that media and counts are there while the model still loads. Embedder, store
    and service are those of the model that answers: after a switch the next call gives the other model's.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.ingests = Ingests(settings)
        self.catalogue: Once[Catalogue] = Once(self._open_catalogue)
        self.readers: Once[ReaderPool] = Once(self._start_readers)
        self.previews: Once[PreviewCache] = Once(self._open_previews)
        self.encoders: Once[ReaderPool] = Once(self._start_encoders)
        self.clips: Once[ClipCache] = Once(self._open_clips)
        self.space = Spaces(
            settings,
            lambda: self.catalogue(),
            fingerprint_of=lambda name: self.row_of(name).fingerprint,
            open_space=self._open_space,
        )
        self.embedder = Current(self.space, lambda space: space.embedder)
        self.store = Current(self.space, lambda space: space.store)
        self.service = Current(self.space, lambda space: space.service)

    def why_nothing(self, filters: Filters = ANYTHING) -> str:
        """Why a question found nothing, one line with what to do next."""
        summary = self.catalogue().summary()
        if not any(state is FileState.INDEXED for _, state in summary.counts):
            return "the library is empty; fill it with: python -m indexer ingest FOLDER"
        if not self.store().count():
            return (
                "the library's files have no vectors in the store (deleted, another server?); "
                f"embed them again with: python -m indexer ingest {for_shell(self.catalogue().roots())}"
            )
        for folder in filters.files.folders:
            if not self.catalogue().chosen(FileChoice(folders=(folder,)), self.space().model.fingerprint):
                return (
                    f"no folder {printable(shortened(folder))!r} holds files of the library; a name with spaces "
                    """goes in quotation marks: in:"my trips/" (in a shell 'in:"my trips/"')"""
                )
        if filters == ANYTHING:
            return "nothing in the library says or writes this; try other words"
        return "no file in the library fits what was asked for; leave out a kind, a filter or a phrase"

    def close(self) -> None:
        """Let go of the reader processes and the stores; the library must not be used afterwards."""
        for pool in (self.readers.made, self.encoders.made):
            if pool:
                pool.close()
        self.space.close()

    def row_of(self, name: str) -> ModelRow:
        """What is known of a model without loading it."""
        from embedder.rows import model_row

        return model_row(name)

    def load(self, name: str) -> Embedder:
        """A model, ready for words if it takes them; the rest of it is loaded when the first example is given."""
        from embedder.embed import load_embedder
        from embedder.segment import Modality

        return load_embedder(
            name,
            device=self.settings.device,
            modalities={Modality.WORDS} & self.row_of(name).modalities,
            trust_remote_code=self.settings.trust_remote_code,
            accept_licence=self.settings.accept_licence,
        )

    def _open_catalogue(self) -> Catalogue:
        from data.catalogue import open_catalogue

        return open_catalogue(self.settings.catalogue_url)

    def _open_space(self, model: LibraryModel) -> Space:
        embedder = Once(lambda: self.load(model.name))
        store = Once(lambda: self._open_store(model))
        service = Once(lambda: self._join_service(model, embedder(), store()))
        return Space(model=model, embedder=embedder, store=store, service=service)

    def _open_store(self, model: LibraryModel) -> VectorStore:
        from data.vectors import open_vectors

        library, dim = self.catalogue().library_id(), self.row_of(model.name).dim
        return open_vectors(self.settings, library=library, fingerprint=model.fingerprint, dim=dim)

    def _start_readers(self) -> ReaderPool:
        from embedder.media.limits import Limits
        from embedder.media.sandbox import ReaderPool

        return ReaderPool(_READERS, limits=Limits(seconds=30, file_seconds=60))

    def _open_previews(self) -> PreviewCache:
        from app.previews import PreviewCache
        from embedder.media.kept import previews_folder

        return PreviewCache(previews_folder(self.settings.home), readers=self.readers())

    def _start_encoders(self) -> ReaderPool:
        from embedder.media.limits import Limits
        from embedder.media.sandbox import ReaderPool

        return ReaderPool(_ENCODERS, limits=Limits(seconds=30, file_seconds=180))

    def _open_clips(self) -> ClipCache:
        from app.clips import ClipCache

        return ClipCache(self.settings.home / "cache" / "clips", encoders=self.encoders())

    def _join_service(self, model: LibraryModel, embedder: Embedder, store: VectorStore) -> SearchService:
        from app.search import SearchService

        if embedder.row.fingerprint != model.fingerprint:  # a folder's model may be exchanged at any moment
            raise ModelMismatchError(
                f"{model.name} is {embedder.row.fingerprint} now, not {model.fingerprint} as it was; start again"
            )
        return SearchService(embedder, store, catalogue=self.catalogue(), readers=self.readers())


first_page = Event()
"""Set when a page has been drawn."""

shared: Once[Library] = Once(lambda: Library(Settings.load()))
"""The library of this process, told by OMNIA_* where it lies."""


def _make_api() -> ASGIApp:
    from app.api import api

    return api(shared)


_api = Once(_make_api)


async def late_api(scope: Scope, receive: Receive, send: Send) -> None:
    """The API of this process's library; it is made beside the first page, which its imports would keep waiting."""
    made = _api.made if _api.made is not None else await to_thread.run_sync(_api)
    await made(scope, receive, send)


@asynccontextmanager
async def while_serving(_server: object) -> AsyncIterator[None]:
    """Open what the first page needs at once, model and store after it, and let go of everything at the end."""
    Thread(target=_warm_up, name="warm-up", daemon=True).start()
    try:
        yield
    finally:
        if shared.made:
            shared.made.close()


def _warm_up() -> None:
    try:
        shared().catalogue()
        if first_page.wait(_HEAD_START_S):
            time.sleep(_REST_S)
        _api()
        shared().service()
    except OmniaError as error:
        log.error("the library is not ready: %s", error)  # the page says it too, when it is asked
