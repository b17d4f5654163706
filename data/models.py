"""Models: the questions to the catalogue, and the changes of it, that are about its models."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import replace

from sqlalchemy import delete, func, select, update
from sqlalchemy.engine import Engine

from data.database import Kept, reading, translated
from data.errors import BadSettingsError, OmniaError, StoreUnavailableError
from data.looking import lost_contents
from data.settings import DEFAULT_MODEL
from data.switching import (
    Filling,
    LibraryModel,
    Waiting,
    activate,
    active_model,
    adopt,
    filling,
    forget_outcomes,
    known_models,
    rename,
    waiting,
)
from data.tables import INDEXINGS, LIBRARY, MODELS


class Models:
    """The part of `Catalogue` that knows which model answers, and how far every other has come."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reader = reading(engine)
        self._fillings: Kept[list[Filling]] = Kept(engine)

    @translated
    def library_id(self) -> str:
        """What tells the library's collections on a Qdrant server from others'; it lasts as long as the catalogue.

        Raises:
            StoreUnavailableError: it is not there.
        """
        with self._reader.connect() as db:
            found: str | None = db.execute(select(LIBRARY.c.id)).scalar_one_or_none()
        if found is None:
            raise StoreUnavailableError("the catalogue lacks the library's ID; restore it from a whole copy")
        return found

    @translated
    def active(self) -> LibraryModel | None:
        """The model whose collection answers; None before the first ingest."""
        with self._reader.connect() as db:
            return active_model(db)

    @translated
    def models(self) -> list[LibraryModel]:
        """Every model that an ingest has begun with and that was not forgotten."""
        with self._reader.connect() as db:
            return known_models(db)

    def unusable(
        self, active: LibraryModel, why: OmniaError, *, fingerprint_of: Callable[[str], str]
    ) -> BadSettingsError:
        """The error to raise where the model that answers cannot be used; it tells what can be done without it.

        Args:
            fingerprint_of: of a model's name, as it is in this version of Omnia.
        """
        remedy = f"ingest FOLDER --model {DEFAULT_MODEL}, of each folder"
        for one in self.models():
            with suppress(OmniaError):
                if fingerprint_of(one.name) == one.fingerprint and self.has_indexed(one.fingerprint):
                    remedy = f"switch {shlex.quote(one.name)}"
        return BadSettingsError(f"the model that this library answers with: {why}; or: python -m indexer {remedy}")

    @translated
    def has_indexed(self, fingerprint: str) -> bool:
        """Whether any content is indexed under a fingerprint."""
        with self._reader.connect() as db:
            found = select(INDEXINGS.c.content).where(INDEXINGS.c.fingerprint == fingerprint).limit(1)
            return db.execute(found).first() is not None

    @translated
    def filled_so_far(self, fingerprint: str) -> tuple[int, int] | None:
        """How many contents a model has, and how many the active one; None where it is that one, or has as many."""
        with self._reader.connect() as db:
            active = active_model(db)
            if active is None or active.fingerprint == fingerprint:
                return None
            has, wanted = (
                db.execute(select(func.count()).where(INDEXINGS.c.fingerprint == one)).scalar_one()
                for one in (fingerprint, active.fingerprint)
            )
        return (has, wanted) if has < wanted else None

    @translated
    def place(self, fingerprint: str) -> str:
        """Where the last ingest found the collection of a fingerprint, "" where that was not told."""
        with self._reader.connect() as db:
            query = select(MODELS.c.place).where(MODELS.c.fingerprint == fingerprint)
            return db.execute(query).scalar_one_or_none() or ""

    @translated
    def note_place(self, fingerprint: str, place: str) -> None:
        """All that is indexed under a fingerprint has its vectors in this place."""
        with self._engine.begin() as db:
            db.execute(update(MODELS).where(MODELS.c.fingerprint == fingerprint).values(place=place))

    @translated
    def lost(self, stored: Collection[str], fingerprint: str) -> set[str]:
        """The contents that are indexed under a fingerprint though they are not among those stored."""
        with self._reader.connect() as db:
            return lost_contents(db, stored, fingerprint)

    @translated
    def fillings(self) -> list[Filling]:
        """How far every model has come, counted again only after a change."""
        return self._fillings(lambda db: [filling(db, model) for model in known_models(db)])

    @translated
    def waiting(self, fingerprint: str, roots: Sequence[str]) -> list[Waiting]:
        """What the active model has indexed under these roots and `fingerprint` is still to embed, by kind."""
        with self._reader.connect() as db:
            return waiting(db, fingerprint, roots)

    @translated
    def switch(self, model: LibraryModel, *, force: bool = False) -> Filling:
        """Make a model the active one, in one transaction, if it lacks nothing and works, or with `force`.

        One that failed on most takes the place of an earlier version of itself all the same, which cannot answer.

        Whoever asks has the lock of ingests, so that nothing changes after it was counted. One that answers already is
        called from now on as it was asked for.

        Returns:
            How far it had come; `is_active` tells whether it answers now.
        """
        with self._reader.connect() as db:
            found, was = filling(db, model), active_model(db)
        if found.is_active:
            with self._engine.begin() as db:
                rename(db, model)
            return found
        is_another = was is not None and was.name != model.name
        if (found.missing or (found.is_broken and is_another)) and not force:
            return found
        with self._engine.begin() as db:
            adopt(db, model)
            activate(db, model)
            rename(db, model)
        return replace(found, is_active=True)

    @translated
    def forget_model(self, fingerprint: str) -> int:
        """Drop what became of files under a fingerprint; returns how many contents were indexed.

        The model stays in `models` until `forget_name`, so that a crash before its vectors are gone can be mended.
        """
        with self._engine.begin() as db:
            return forget_outcomes(db, fingerprint)

    @translated
    def forget_name(self, fingerprint: str) -> None:
        """The last step of forgetting a model."""
        with self._engine.begin() as db:
            db.execute(delete(MODELS).where(MODELS.c.fingerprint == fingerprint))
