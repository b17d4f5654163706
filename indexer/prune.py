"""Prune: let go of roots, and of vectors that no file has any more."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from data.errors import BadSettingsError
from indexer.library import Library


@dataclass(frozen=True, slots=True)
class Pruned:
    """How many files were forgotten, and how many contents lost their vectors."""

    files: int
    contents: int


def prune(library: Library, *, roots: Sequence[Path] = (), offline: bool = False) -> Pruned:
    """Forget roots (all offline ones with `offline`), then every vector that no file answers for.

    Raises:
        BadSettingsError: a root was never ingested.
    """
    catalogue = library.catalogue
    known = catalogue.summary().roots
    doomed = {os.path.abspath(root.expanduser()) for root in roots}
    strangers = sorted(doomed - {root.path for root in known})
    if strangers:
        names = ", ".join(repr(root.path) for root in known) or "none"
        raise BadSettingsError(f"{strangers[0]!r} was never ingested; the roots are: {names}")
    if offline:
        doomed |= {root.path for root in known if root.offline_reason}
    files = sum(catalogue.forget_root(root) for root in sorted(doomed))
    catalogue.forget_contents(catalogue.orphans())
    store = library.open_store()
    try:
        stray = catalogue.unindexed(store.contents(), library.fingerprint)
        if stray:
            store.delete(stray)
            store.flush()
    finally:
        store.close()
    return Pruned(files, len(stray))
