"""Zip archives that office files are: sizes are checked first, and pictures and macros are not unpacked."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager

from data.errors import UnreadableMediaError
from embedder.media.source import SMALLER, WHOLE_COPY, Source

_TEXT_SUFFIXES = (".xml", ".rels", ".xhtml", ".html", ".htm", ".opf", ".ncx", "mimetype")
_PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".tiff", ".webp", ".svg", ".emf", ".wmf")
_MAX_MEMBERS = 50_000
_WRAPPERS = re.compile(rb"</?w:(?:fldSimple|customXml)(?=[\s/>])[^<>]*>")  # converters leave out what is in them


@contextmanager
def opened(source: Source) -> Iterator[zipfile.ZipFile]:
    """The archive, after a look at how much text it says it unpacks to.

    Raises:
        UnreadableMediaError: it is broken, locked, or unpacks to more text than the limits allow.
    """
    try:
        with zipfile.ZipFile(source.path) as archive:
            members = archive.infolist()
            size_bytes = sum(m.file_size for m in members if m.filename.lower().endswith(_TEXT_SUFFIXES))
            if size_bytes > source.limits.text_bytes or len(members) > _MAX_MEMBERS:
                raise UnreadableMediaError(
                    source.path,
                    f"unpacks to {size_bytes // 1_000_000} MB of text in {len(members)} parts, more than the limit of "
                    f"{source.limits.text_bytes // 1_000_000} MB",
                    hint=SMALLER,
                )
            pictures = sum(
                m.filename.lower().endswith(_PICTURE_SUFFIXES) and "thumbnail" not in m.filename.lower()
                for m in members
            )
            if pictures:
                source.note(f"pictures inside it are left out ({pictures})")
            yield archive
    except (zipfile.BadZipFile, zipfile.LargeZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise UnreadableMediaError(source.path, f"broken {source.format.name}: {error}", hint=WHOLE_COPY) from error


def member(source: Source, archive: zipfile.ZipFile, name: str) -> bytes:
    """One part of the archive.

    Raises:
        UnreadableMediaError: there is no such part.
    """
    try:
        return _unpacked(archive, archive.getinfo(name))
    except KeyError as error:
        raise UnreadableMediaError(
            source.path, f"broken {source.format.name}: {name} is missing", hint=WHOLE_COPY
        ) from error


def _unpacked(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """One part, and never more of it in memory than its size as the table of contents says."""
    with archive.open(entry) as part:
        return part.read(entry.file_size + 1)


def slimmed(source: Source) -> io.BytesIO:
    """A copy of an office file with its text parts only, their text unwrapped; all other parts are there, but empty.

    Raises:
        UnreadableMediaError: as `opened`, or a part declares entities, which no office program writes.
    """
    copy = io.BytesIO()
    with opened(source) as archive, zipfile.ZipFile(copy, "w", zipfile.ZIP_STORED) as slim:
        for entry in archive.infolist():
            body = b""
            if entry.filename.lower().endswith(_TEXT_SUFFIXES):
                body = _unpacked(archive, entry)
                if b"<!ENTITY" in body.replace(b"\0", b""):  # in UTF-16 there are zeros between the letters
                    raise UnreadableMediaError(
                        source.path, "it defines entities, which is not safe to expand", hint="save it without them"
                    )
            slim.writestr(entry.filename, _WRAPPERS.sub(b"", body) if entry.filename.startswith("word/") else body)
    copy.seek(0)
    return copy
