"""Space: one model with its own collection, and which of them the library answers with now."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import RLock
from typing import TYPE_CHECKING, Generic, TypeVar

from app.once import Once
from data.errors import ModelMismatchError, OmniaError, OutdatedVectorsError
from data.printing import for_shell
from data.settings import Settings

if TYPE_CHECKING:
    from app.search import SearchService
    from data.catalogue import Catalogue, LibraryModel
    from data.vectors import VectorStore
    from embedder.embed import Embedder

T = TypeVar("T")

_FRESH_S = 1.0  # between two looks at which model is active
_LET_GO_S = 120.0  # after a switch, a query that began before it is over


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Space:
    """A model and the vectors it made. A query stays in one space from its beginning to its end.

    Args:
        service: joins the embedder and the store of this space.
    """

    model: LibraryModel
    embedder: Once[Embedder]
    store: Once[VectorStore]
    service: Once[SearchService]


class Spaces:
    """The space that questions are asked in, looked up again each second; safe to use from several threads.

    Args:
        fingerprint_of: of a model's name, as it is in this version of Omnia.
        open_space: makes the parts of a space, each opened when it is first needed.
    """

    def __init__(
        self,
        settings: Settings,
        catalogue: Callable[[], Catalogue],
        *,
        fingerprint_of: Callable[[str], str],
        open_space: Callable[[LibraryModel], Space],
    ) -> None:
        self._settings = settings
        self._catalogue = catalogue
        self._fingerprint_of = fingerprint_of
        self._open = open_space
        self._lock = RLock()
        self._now: Space | None = None
        self._looked_s = 0.0
        self._fingerprints: dict[str, str] = {}  # of a folder's model it takes long to tell
        self._looked_again = ""  # for which active fingerprint
        self._left: list[tuple[float, Once[VectorStore]]] = []

    def __call__(self) -> Space:
        """The space of the model that the settings name, or else of the active one.

        Raises:
            BadSettingsError: no model has this name.
            ModelMismatchError: the library holds nothing of this model.
            OutdatedVectorsError: what it holds is of another version of it.
            StoreUnavailableError: the catalogue cannot be read.
        """
        with self._lock:
            if self._now is not None and time.monotonic() - self._looked_s < _FRESH_S:
                return self._now
            model = self._wanted()
            if self._now is None or self._now.model.fingerprint != model.fingerprint:
                self._leave()
                self._now = self._open(model)
            self._looked_s = time.monotonic()
            self._let_go(_LET_GO_S)
            return self._now

    def close(self) -> None:
        """Let go of every store."""
        with self._lock:
            self._leave()
            self._let_go(0.0)

    def _wanted(self) -> LibraryModel:
        from data.catalogue import LibraryModel

        catalogue = self._catalogue()
        active = catalogue.active()
        name = self._settings.model_for(active.name if active else None)
        known = self._fingerprints.get(name)
        exchanged = active is not None and active.name == name and active.fingerprint not in (known, self._looked_again)
        if known is None or exchanged:  # looked at again once, since the folder may hold another by now
            try:
                self._fingerprints[name] = self._fingerprint_of(name)
            except OmniaError as error:
                if active is None or name != active.name:
                    raise
                raise catalogue.unusable(active, error, fingerprint_of=self._fingerprint_of) from error
            self._looked_again = active.fingerprint if active else ""
        fingerprint = self._fingerprints[name]
        wanted = LibraryModel(name, fingerprint)
        if active is None or active.fingerprint == fingerprint:
            return wanted
        if self._settings.model and catalogue.has_indexed(fingerprint):
            return wanted  # asked for by name: also while it is still being filled, or after it was left
        if not catalogue.has_indexed(active.fingerprint):
            return wanted  # an empty library has nothing to mistake
        if active.name == name:
            raise OutdatedVectorsError(
                f"this library was made by {active.fingerprint}, which {fingerprint} cannot read; "
                f"run ingest to refill it: python -m indexer ingest {for_shell(catalogue.roots())}",
                fingerprint=fingerprint,
            )
        raise ModelMismatchError(
            f"this library holds nothing made by {name}, it was made by {active.name}: "
            "ask without --model and OMNIA_MODEL, or fill it: "
            f"python -m indexer ingest {for_shell(catalogue.roots())} --model {shlex.quote(name)}"
        )

    def _leave(self) -> None:
        """Forget the space; its model is freed with the last query that uses it."""
        if self._now is not None:
            self._left.append((time.monotonic(), self._now.store))
            self._now = None

    def _let_go(self, after_s: float) -> None:
        """Close the stores that were left so long ago that no query uses them."""
        for left_s, store in [*self._left]:
            if time.monotonic() - left_s >= after_s:
                self._left.remove((left_s, store))
                if store.made:
                    store.made.close()


class Current(Generic[T]):
    """One part of whatever space is the current one: a call gives it."""

    def __init__(self, spaces: Spaces, part: Callable[[Space], Once[T]]) -> None:
        self._spaces = spaces
        self._part = part

    def __call__(self) -> T:
        return self._part(self._spaces())()

    @property
    def made(self) -> T | None:
        """The part, or None while nobody asked for it; never waits for the model."""
        return self._part(self._spaces()).made
