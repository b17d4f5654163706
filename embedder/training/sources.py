"""The sources: the one table of all that omnia-mini learns from and is tested on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

from embedder.training.clips import CLIPS
from embedder.training.pages import PAGES
from embedder.training.pairs import IN_MOTION, Medium, Pair, Source
from embedder.training.pictures import PICTURES
from embedder.training.sounds import SOUNDS

_EVERY = 10  # a camera move is made over one picture in so many


def _shots(source: Source) -> Source:
    """Camera moves over the pictures of a source, as a source of video."""
    name = source.name + IN_MOTION

    def read(folder: Path) -> Iterator[Pair]:
        for pair in islice(source.read(folder), 0, None, _EVERY):
            yield replace(pair, source=name)

    return replace(source, name=name, medium=Medium.VIDEO, read=read, views=1)


SOURCES = (*PICTURES, *(_shots(source) for source in PICTURES), *CLIPS, *SOUNDS, *PAGES)
