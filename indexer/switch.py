"""Switch: let another model answer once it lacks nothing, or say what it still lacks."""

from __future__ import annotations

import shlex
import threading
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from data.catalogue import Filling, LibraryModel
from data.errors import ModelMismatchError
from data.printing import counted, for_shell
from indexer.keep import Keeper
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
            "unfound": filling.unfound,
            "roots": [
                {"path": r.path, "files": r.files, "missing": r.missing, "failed": r.failed, "skipped": r.skipped}
                for r in filling.roots
            ],
        }

    def as_text(self) -> str:
        new, old = _told_apart(self.filling.model, self.was)
        name = shlex.quote(self.filling.model.name)
        if self.was.fingerprint == self.filling.model.fingerprint:
            return f"{new} answers already"
        if self.filling.is_active:
            return (
                f"{new} answers from now on, no longer {old}{self._lost()}; "
                f"to delete what {old} left: python -m indexer prune --model {shlex.quote(old)}"
            )
        until = f"until then {old} answers" if self.filling.model.name != self.was.name else "until then nothing does"
        if not self.filling.missing:
            return (
                f"{new} failed on {counted(self.filling.failed, 'file')} that {old} finds, which is most: {old} "
                f"goes on answering. To see why: python -m indexer failures --model {name}; "
                f"to switch all the same: python -m indexer switch {name} --force"
            )
        todo = [root.path for root in self.filling.roots if root.missing]
        filled = len(self.filling.roots) - len(todo)
        return (
            f"{filled:,} of {len(self.filling.roots):,} folders are filled with {new}, {self.filling.missing:,} files "
            f"are missing; {until}. "
            f"To finish: python -m indexer ingest {for_shell(todo)} --model {name}; "
            f"to do without them: python -m indexer switch {name} --force"
        )

    def _lost(self) -> str:
        """How many files are found no more, and where it says why."""
        filling = self.filling
        if not filling.unfound:
            return ""
        is_or_are = "is" if filling.unfound == 1 else "are"
        lost = f"; {counted(filling.unfound, 'file')} that {self.was.name} found {is_or_are} not found any more"
        skipped = filling.unfound - filling.missing - filling.failed
        kinds = ["failures"] * bool(filling.failed) + ["failures --skipped"] * bool(skipped)
        why = " and ".join(f"python -m indexer {kind}" for kind in kinds)
        return lost + f" (why: {why})" * bool(why)


def switch(library: Library, *, force: bool = False) -> Switched | None:
    """Make the library's open model the active one if it lacks nothing, or with `force` all the same.

    Returns:
        None for a library without any model, which has nothing to switch.

    Raises:
        ModelMismatchError: the model has indexed nothing, and another one has.
        StoreUnavailableError: its collection cannot be opened.
    """
    was = library.catalogue.active()
    if was is None:
        return None
    if was.fingerprint != library.fingerprint:
        with ExitStack() as stack:  # what has no vectors any more counts as missing
            Keeper(library, stack, threading.Lock()).forget_lost()
        if not library.catalogue.has_indexed(library.fingerprint):
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
