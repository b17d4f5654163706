"""Source: one file on its way through a reader, with its limits and what to tell its owner."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from data.records import Kind
from embedder.media.limits import Limits


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One file, as a reader gets it.

    Args:
        notes: one line for each thing that was left out, see `note`; the report shows them.
        alive: called between steps that yield nothing (blank pages, silence), so that a long file is not
            taken for a stuck one.
        give_up_s: on the clock of `time.monotonic`, when the reader should end with what it has.
    """

    path: Path
    format: Format
    limits: Limits = field(default_factory=Limits)
    notes: list[str] = field(default_factory=list)
    alive: Callable[[], None] = _alive
    give_up_s: float = float("inf")

    @property
    def kind(self) -> Kind:
        return self.format.kind

    def note(self, text: str) -> None:
        """Tell the owner of the file, once, that something in it was left out or damaged."""
        line = " ".join(text.split())
        if line not in self.notes:
            self.notes.append(line)

    def out_of_time(self, where: str) -> bool:
        """True once the file has used up its time; the reader then stops, and the report says where."""
        if time.monotonic() < self.give_up_s:
            return False
        self.note(f"what comes after {where} is left out: the file took too long")
        return True
