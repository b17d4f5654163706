"""Reader for EPUB books: their chapters in reading order, as pages."""

from __future__ import annotations

import posixpath
import zipfile
from collections.abc import Iterator
from urllib.parse import unquote
from xml.etree.ElementTree import Element

from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException

from data.errors import UnreadableMediaError, UnsupportedMediaError
from data.records import Span
from embedder.media import archive
from embedder.media import text as plain
from embedder.media.markup import words_of
from embedder.media.source import WHOLE_COPY, Source
from embedder.segment import Segment

_ENCRYPTION = "META-INF/encryption.xml"


def read(source: Source) -> Iterator[Segment]:
    """Written passages; page is the number of the chapter file, char spans count within it.

    Raises:
        UnreadableMediaError: it is broken, locked or unpacks to too much.
        UnsupportedMediaError: there are no words in it.
    """
    found = False
    with archive.opened(source) as book:
        chapters = _chapters(source, book)
        if not _locked(source, book).isdisjoint(chapters):
            raise UnreadableMediaError(source.path, "it is locked with DRM", hint="get a copy without DRM")
        for number, name in enumerate(chapters, start=1):
            if number > source.limits.pages:
                source.note(f"chapters after {source.limits.pages} are left out")
                break
            source.alive()
            if name not in book.NameToInfo:
                source.note(f"chapter {number} is missing")
                continue
            text = words_of(plain.decode(archive.member(source, book, name)), is_xml=True, alive=source.alive)
            for segment in plain.written_passages(source, text, page=number):
                found = True
                yield segment
    if not found:
        raise UnsupportedMediaError(source.path, "no words in it")


def still(source: Source, span: Span, max_side: int) -> bytes:
    """Books are not rendered.

    Raises:
        UnsupportedMediaError: always.
    """
    return plain.still(source, span, max_side)


def _chapters(source: Source, book: zipfile.ZipFile) -> list[str]:
    """Names of the chapter files: those of the spine, else every page there is."""
    container = _xml(source, book, "META-INF/container.xml")
    roots = [e.get("full-path", "") for e in container.iter() if e.tag.rpartition("}")[2] == "rootfile"]
    if not roots:
        return sorted(n for n in book.namelist() if n.endswith((".xhtml", ".html", ".htm")))
    package = _xml(source, book, roots[0])
    folder = posixpath.dirname(roots[0])
    files = {
        e.get("id"): posixpath.normpath(posixpath.join(folder, unquote(e.get("href", ""))))
        for e in package.iter()
        if e.tag.rpartition("}")[2] == "item"
    }
    spine = [e.get("idref") for e in package.iter() if e.tag.rpartition("}")[2] == "itemref"]
    return [files[item] for item in dict.fromkeys(spine) if item in files]


def _locked(source: Source, book: zipfile.ZipFile) -> set[str]:
    """Names of the parts that are encrypted; often they are fonts, which does no harm."""
    if _ENCRYPTION not in book.NameToInfo:
        return set()
    references = _xml(source, book, _ENCRYPTION).iter()
    return {unquote(e.get("URI", "")) for e in references if e.tag.rpartition("}")[2] == "CipherReference"}


def _xml(source: Source, book: zipfile.ZipFile, name: str) -> Element:
    try:
        root: Element = ElementTree.fromstring(archive.member(source, book, name))
    except (ElementTree.ParseError, DefusedXmlException) as error:
        raise UnreadableMediaError(source.path, f"broken EPUB book: {name}: {error}", hint=WHOLE_COPY) from error
    return root
