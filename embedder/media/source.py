"""Source: one file on its way through a reader, with its limits and what to tell its owner."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from data.records import Kind
from embedder.media.limits import Limits

WHOLE_COPY = "get a whole copy of it"  # the hint for what is broken or cut off
SMALLER = "make a smaller copy, or split it"  # the hint for what goes over a limit

_ENOUGH = 0.8  # of limits.file_seconds, after which the pool would kill the reader


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """What a file is, by its content.

    Args:
        kind: what it is to its owner.
        mime: media type.
        name: short English name, also the key of the reader table ("JPEG image").
        decoder: what the decoding library calls it (ffmpeg demuxer, Pillow plug-in), or "".
    """

    kind: Kind
    mime: str
    name: str
    decoder: str = ""


def _alive() -> None:
    """A reader in this process has nobody to reassure."""


def _no_time() -> float:
    """A reader in this process may take as long as its caller lets it."""
    return 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One file, as a reader gets it.

    Args:
        notes: one line for each thing that was left out, see `note`; the report shows them.
        alive: called between steps that yield nothing (blank pages, silence), so that a long file is not
            taken for a stuck one.
        spent_s: seconds of work on the file so far; what the caller does between two segments does not count.
    """

    path: Path
    format: Format
    limits: Limits = field(default_factory=Limits)
    notes: list[str] = field(default_factory=list)
    alive: Callable[[], None] = _alive
    spent_s: Callable[[], float] = _no_time

    @property
    def kind(self) -> Kind:
        return self.format.kind

    def note(self, text: str) -> None:
        """Tell the owner of the file, once, that something in it was left out or damaged."""
        line = " ".join(text.split())
        if line not in self.notes:
            self.notes.append(line)

    def out_of_time(self, where: str) -> bool:
        """True when the file has nearly used up its time; the reader then stops, and the report says where."""
        if self.spent_s() < _ENOUGH * self.limits.file_seconds:
            return False
        self.note(f"what comes after {where} is left out: the file took too long")
        return True
