"""Prune: let go of roots, of models, and of vectors that no file has any more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from data.catalogue import LibraryModel, holding
from data.errors import BadSettingsError, OmniaError, StoreUnavailableError
from data.printing import counted
from data.vectors import VectorStore
from embedder.rows import model_row
from indexer.away import absolute
from indexer.crawl import absence
from indexer.library import Library, models_called


@dataclass(frozen=True, slots=True)
class Pruned:
    """How many files were forgotten, and how many contents lost their vectors."""

    files: int
    contents: int


def prune(
    library: Library,
    *,
    roots: Sequence[Path] = (),
    offline: bool = False,
    model: str | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Pruned:
    """Forget roots and a model, then every vector that no file answers for, and all previews.

    Args:
        roots: also folders and files in them.
        offline: every root, too, that the last ingest found away and that still is.
        model: name or fingerprint of a model that is not the active one, by whatever name.
        say: is told which roots stay though they lie in what is forgotten.

    Raises:
        BadSettingsError: a root was never ingested, or the model is not in the library or is the active one.
        StoreUnavailableError: vectors cannot be deleted; what was named is forgotten all the same.
    """
    catalogue = library.catalogue
    known = catalogue.summary().roots
    paths = {root.path for root in known}
    doomed = {str(root) if str(root) in paths else str(absolute(root)) for root in roots}
    strangers = sorted(one for one in doomed - paths if not (holding(one, paths) and catalogue.has_files(one)))
    if strangers:
        names = ", ".join(repr(root.path) for root in known) or "none"
        raise BadSettingsError(f"{strangers[0]!r} was never ingested; the roots are: {names}")
    fingerprints = _left_behind(library, model) if model else []
    if offline:
        doomed |= {root.path for root in known if root.offline_reason and absence(Path(root.path))}
    stays = sorted(path for path in paths - doomed if holding(path, doomed))
    if stays:
        say(f"what was ingested by itself stays until it is named, too: {', '.join(map(repr, stays))}")
    files = sum(catalogue.forget_root(root) for root in sorted(doomed, reverse=True))
    contents = sum(_drop(library, fingerprint) for fingerprint in fingerprints)
    for fingerprint, orphans in catalogue.orphans().items():
        catalogue.forget_contents(orphans, fingerprint)
    try:
        for fingerprint in {one.fingerprint for one in catalogue.models()} - {*fingerprints}:
            store = library.open_other(fingerprint)
            if store is not None:
                contents += _drop_strays(library, store, fingerprint)
    except StoreUnavailableError as error:
        raise StoreUnavailableError(
            f"{counted(files, 'file')} forgotten, but their vectors stay: {str(error).partition(';')[0]}; "
            "mend that, then: python -m indexer prune"
        ) from error
    if files or contents:
        _empty(library.home / "cache")
    return Pruned(files, contents)


def _empty(cache: Path) -> None:
    """Remove the previews and clips: their names do not tell which are of what is forgotten; they are made anew."""
    for kept in cache.glob("*/*/*"):
        if kept.suffix != ".part":  # the page is about to rename it
            kept.unlink(missing_ok=True)


def _left_behind(library: Library, model: str) -> list[str]:
    """The fingerprints of a model that may be dropped."""
    active = library.catalogue.active()
    answers = active.fingerprint if active else None
    called = models_called(model, library.catalogue)
    fingerprints = [one.fingerprint for one in called if one.fingerprint != answers]
    if not fingerprints:
        raise BadSettingsError(
            f"{model!r} is the model that answers; let another one answer first: python -m indexer switch MODEL"
        )
    refill = _refill_of(active) if active is not None else ""
    if model != refill and refill in fingerprints:
        raise BadSettingsError(
            f"{model!r} is being refilled from {answers}; finish that (ingest every folder), or name what to delete "
            f"by its fingerprint: {', '.join(fingerprints)}"
        )
    return fingerprints


def _refill_of(active: LibraryModel) -> str:
    """The fingerprint that the model that answers has in this version of Omnia, if it is another one by now."""
    with suppress(OmniaError):
        now = model_row(active.name).fingerprint
        return now if now != active.fingerprint else ""
    return ""


def _drop(library: Library, fingerprint: str) -> int:
    """Rows first, then vectors, then the name: after a crash in between, the same command goes on."""
    contents = library.catalogue.forget_model(fingerprint)
    library.drop_other(fingerprint)
    library.catalogue.forget_name(fingerprint)
    return contents


def _drop_strays(library: Library, store: VectorStore, fingerprint: str) -> int:
    try:
        stray = library.catalogue.unindexed(store.contents(), fingerprint)
        if stray:
            store.delete(stray)
            store.flush()
    finally:
        store.close()
    return len(stray)
