"""Kept pictures: where previews lie on disk, for the ingest that has them at hand and the page that asks."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

from data.records import Span

TILE_SIDE = 640  # pixels, of what a result shows


def previews_folder(home: Path) -> Path:
    """Of a library."""
    return home / "cache" / "previews"


def picture_key(version: str, span: Span, *, max_side: int) -> str:
    """What tells a preview from others: the content, or whatever names the bytes, and what of it is shown."""
    passage = "" if span.char_start is None else f"/{span.char_start}-{span.char_end}"
    return f"{version}/{span.start_s}/{span.page}/{max_side}{passage}"


def kept_picture(folder: Path, content: str, span: Span, *, max_side: int) -> Path:
    """The file for the preview of a content at `span` (an image itself, a frame at start_s, a page)."""
    digest = hashlib.sha256(picture_key(content, span, max_side=max_side).encode()).hexdigest()
    return folder / digest[:2] / f"{digest[2:40]}.jpg"


def keep_picture(place: Path, picture: bytes) -> None:
    """Write a picture to its place, whole or not at all.

    Raises:
        OSError: the disk is full, or the folder may not be written to.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=place.parent, suffix=".part", delete=False) as part:
        part.write(picture)
    Path(part.name).replace(place)
