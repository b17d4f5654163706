"""Library: what the commands work on, each part opened when a file first needs it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import Timeout

from data.catalogue import Catalogue, LibraryModel, open_catalogue
from data.errors import BadSettingsError, ModelMismatchError, OmniaError, StoreLockedError, StoreUnavailableError
from data.locks import ingest_lock
from data.points import collection_folder
from data.settings import Settings
from data.vectors import VectorStore, drop_vectors, open_vectors, stored_dim
from embedder.embed import Embedder, load_embedder
from embedder.rows import model_row

if TYPE_CHECKING:
    from indexer.pipeline import Pool


_NICENESS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """What an ingest works on; the model, the workers and the vector store are opened by the calls.

    Args:
        fingerprint: of the model that `open_embedder` loads.
        home: the library's own folder, left out of crawls.
        open_store: opens that model's collection.
        place: tells that collection from one that has come in its stead; "" where it cannot be told.
        name: of that model, as `model_row` takes it from any folder.
        open_other: opens the collection of another fingerprint, None when there is none.
        drop_other: deletes the collection of another fingerprint.
        workers: processes of the pool.
    """

    catalogue: Catalogue
    fingerprint: str
    home: Path
    open_store: Callable[[], VectorStore]
    open_embedder: Callable[[], Embedder]
    open_pool: Callable[[], Pool]
    name: str = ""
    place: Callable[[], str] = lambda: ""
    open_other: Callable[[str], VectorStore | None] = lambda _: None
    drop_other: Callable[[str], None] = lambda _: None
    workers: int = 1

    @property
    def model(self) -> LibraryModel:
        """The model that is filled in."""
        return LibraryModel(self.name or self.fingerprint, self.fingerprint)


@contextmanager
def open_library(settings: Settings, *, any_model: bool = False) -> Iterator[Library]:
    """The library that the settings name, for changing it: only one process at a time may.

    Where they name no model, the library's active one is meant, as it is in this version of Omnia.

    Args:
        any_model: for what needs none, so that it works also when the active one's folder is gone.

    Raises:
        BadSettingsError: the model is not known.
        StoreLockedError: another process is changing the library.
        StoreUnavailableError: the folder or the catalogue cannot be used.
    """
    if any_model:
        settings = replace(settings, model=None)
    if settings.model:
        model_row(settings.model)  # refused before anything is made
    try:
        settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = ingest_lock(settings.home)
        lock.acquire()
    except Timeout:
        raise StoreLockedError(
            f"another ingest is filling {str(settings.home)!r}: wait for it to end, or give OMNIA_HOME another folder"
        ) from None
    except OSError as error:
        raise StoreUnavailableError(
            f"the library's folder {str(settings.home)!r} cannot be used: {error.strerror}; set OMNIA_HOME elsewhere"
        ) from error
    try:
        with closing(open_catalogue(settings.catalogue_url)) as catalogue:
            if not catalogue.claim():
                raise StoreLockedError(
                    "another ingest, with another OMNIA_HOME, fills this catalogue: wait for it to end"
                )
            catalogue.end_runs()
            active = catalogue.active()
            name = settings.model_for(active.name if active and not any_model else None)
            try:
                row = model_row(name)
            except OmniaError as error:
                if active is None or name != active.name:
                    raise
                raise catalogue.unusable(active, error, fingerprint_of=_fingerprint_of) from error
            library = catalogue.library_id()
            yield Library(
                catalogue=catalogue,
                fingerprint=row.fingerprint,
                home=settings.home,
                open_store=lambda: open_vectors(settings, library=library, fingerprint=row.fingerprint, dim=row.dim),
                open_embedder=lambda: _open_embedder(name, settings, fingerprint=row.fingerprint),
                open_pool=lambda: _open_pool(settings.workers),
                name=str(Path(name).expanduser().absolute()) if row.hub and row.hub.folder else name,
                workers=settings.workers,
                place=lambda: place_of(settings, row.fingerprint),
                open_other=lambda fingerprint: _open_other(settings, library, fingerprint),
                drop_other=lambda fingerprint: drop_vectors(settings, library=library, fingerprint=fingerprint),
            )
    finally:
        lock.release()


def models_called(name: str, catalogue: Catalogue) -> list[LibraryModel]:
    """The library's models of a name or fingerprint: the version that this Omnia has, the one that answers, others.

    Raises:
        BadSettingsError: there is none.
    """
    models, active = catalogue.models(), catalogue.active()
    current = ""
    with suppress(OmniaError):  # only an older version knew it, or its folder is gone
        current = model_row(name).fingerprint
    meant = [one for one in models if name in (one.name, one.fingerprint) or one.fingerprint == current]
    if not meant:
        names = ", ".join(f"{one.name} ({one.fingerprint})" for one in models) or "none"
        raise BadSettingsError(f"the library has nothing of a model {name!r}; its models are: {names}")
    answers = active.fingerprint if active else None
    return sorted(meant, key=lambda one: (one.fingerprint != current, one.fingerprint != answers))


def trouble_of(active: LibraryModel, settings: Settings) -> str:
    """Why the model that answers cannot in this version of Omnia, and what to do; "" where it can."""
    try:
        if settings.model and _fingerprint_of(settings.model) == active.fingerprint:
            return ""  # it has moved, and OMNIA_MODEL says where to
        now = _fingerprint_of(active.name)
    except OmniaError as error:
        return str(error)
    if now == active.fingerprint:
        return ""
    return f"{active.name} is {now} by now; ingest the folders to refill the library"


def _fingerprint_of(name: str) -> str:
    return model_row(name).fingerprint


def place_of(settings: Settings, fingerprint: str) -> str:
    """What tells the collection of a fingerprint from one made anew, copied or brought back, without opening it.

    Returns:
        "" where there is none, and on a server, which can lose what it holds without a sign.
    """
    if settings.qdrant_url:
        return ""
    folder = collection_folder(settings.home, fingerprint)
    try:
        return f"{(folder / 'shard').stat().st_ino} {(folder / 'collection.json').stat().st_ctime_ns}"
    except OSError:
        return ""


def _open_other(settings: Settings, library: str, fingerprint: str) -> VectorStore | None:
    dim = stored_dim(settings, library=library, fingerprint=fingerprint)
    return None if dim is None else open_vectors(settings, library=library, fingerprint=fingerprint, dim=dim)


def _open_embedder(model: str, settings: Settings, *, fingerprint: str) -> Embedder:
    """Load the model, and from here on stand behind whoever searches.

    On Linux niceness is a thread's own and passes on to what it starts (torch's threads, the readers): the thread that
    answers other processes for the store was started before and keeps its priority.

    Raises:
        ModelMismatchError: the model is not the one that the library was opened for.
    """
    if hasattr(os, "nice"):
        os.nice(_NICENESS)
    embedder = load_embedder(
        model,
        device=settings.device,
        trust_remote_code=settings.trust_remote_code,
        accept_licence=settings.accept_licence,
    )
    if embedder.row.fingerprint != fingerprint:  # a folder's model may be exchanged at any moment
        raise ModelMismatchError(f"{model} is {embedder.row.fingerprint} now, not {fingerprint} as it was; start again")
    return embedder


def _open_pool(workers: int) -> Pool:
    from embedder.media.sandbox import ReaderPool

    return ReaderPool(workers)
