"""Switch: let another model answer once it lacks nothing, or say what it still lacks."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Any

from data.catalogue import Filling, LibraryModel
from data.errors import ModelMismatchError
from data.printing import for_shell
from indexer.library import Library


@dataclass(frozen=True, slots=True)
class Switched:
    """What came of it.

    Args:
        was: the model that answered before.
        filling: how far the other one had come; its `is_active` tells whether it answers now.
    """

    was: LibraryModel
    filling: Filling

    def as_json(self) -> dict[str, Any]:
        filling = self.filling
        return {
            "model": filling.model.name,
            "fingerprint": filling.model.fingerprint,
            "was": self.was.fingerprint,
            "active": filling.is_active,
            "missing": filling.missing,
            "roots": [{"path": r.path, "files": r.files, "missing": r.missing} for r in filling.roots],
        }

    def as_text(self) -> str:
        new, old = _told_apart(self.filling.model, self.was)
        lost = f"; {self.filling.missing:,} files are not found any more" if self.filling.missing else ""
        if self.was.fingerprint == self.filling.model.fingerprint:
            return f"{new} answers already"
        if self.filling.is_active:
            return (
                f"{new} answers from now on, no longer {old}{lost}; "
                f"to delete what {old} left: python -m indexer prune --model {shlex.quote(old)}"
            )
        todo = [root.path for root in self.filling.roots if root.missing]
        filled = len(self.filling.roots) - len(todo)
        name = shlex.quote(self.filling.model.name)
        return (
            f"{filled:,} of {len(self.filling.roots):,} folders are filled with {new}, {self.filling.missing:,} files "
            f"are missing; until then {old} answers. "
            f"To finish: python -m indexer ingest {for_shell(todo)} --model {name}; "
            f"to do without them: python -m indexer switch {name} --force"
        )


def switch(library: Library, *, force: bool = False) -> Switched | None:
    """Make the library's open model the active one if it lacks nothing, or with `force` all the same.

    Returns:
        None for a library without any model, which has nothing to switch.

    Raises:
        ModelMismatchError: the model has indexed nothing, and another one has.
    """
    was = library.catalogue.active()
    if was is None:
        return None
    is_other = was.fingerprint != library.fingerprint
    if is_other and not library.catalogue.has_indexed(library.fingerprint):
        name = library.model.name
        raise ModelMismatchError(
            f"nothing is filled with {name} ({library.fingerprint}), so it cannot answer; "
            f"fill it first: python -m indexer ingest FOLDER --model {shlex.quote(name)}"
        )
    return Switched(was, library.catalogue.switch(library.model, force=force))


def _told_apart(model: LibraryModel, other: LibraryModel) -> tuple[str, str]:
    """What to call two models: by their names, or by their fingerprints when those are versions of one model."""
    if model.name != other.name:
        return model.name, other.name
    return model.fingerprint, other.fingerprint
