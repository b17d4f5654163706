"""Reader for office files: Word, PowerPoint, Excel and OpenDocument text, as text by page where there is one."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice
from typing import Any

from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException

from data.errors import MediaError, UnreadableMediaError, UnsupportedMediaError
from data.records import Span
from embedder.media import archive
from embedder.media import text as plain
from embedder.media.rows import records
from embedder.media.source import WHOLE_COPY, Source
from embedder.segment import Segment

Page = tuple[int | None, str]  # number of the slide or sheet, its text

_SLIDE = re.compile(r"<!-- Slide number: (\d+) -->")
_TABLE_RULE = re.compile(r"^\|[ :|-]+\|$", re.M)
_PICTURE_NAME = r"[^\]]*\.(?:png|jpe?g|gif|bmp|tiff?|webp|svg|emf|wmf)(?=\])"  # a file's, which describes nothing
_PICTURE = re.compile(rf"!\[(?:{_PICTURE_NAME}|([^\]]*))\]\([^)]*\)", re.I)
_LINK = re.compile(r"\[([^\]]+)\]\([^)\s]*\)")
_ESCAPED = re.compile(r"\\([_*])")
_WORD_LETTERS = re.compile(r"\w+")
_MAX_CELLS = 20_000_000
_MAX_ASIDES = 2_000
_ASIDES = re.compile(r"word/(?:header|footer|comments)\d*\.xml")
_NO_RESULT = re.compile(  # a result of no letters is a string, too
    rb"""<c(?=[ >])(?![^<>]*t="str")[^<>]*><f(?:>| [^<>]*>)(?:[^<]*</f>)?(?:<v ?/>|<v></v>)?</c>"""
)


def _roles(namespace: str, **names: str) -> dict[str, str]:
    return {f"{{{namespace}}}{name}": role for role, listed in names.items() for name in listed.split()}


_ODF, _OPEN_XML = "urn:oasis:names:tc:opendocument:xmlns:", "http://schemas.openxmlformats.org/"
_ODT = {
    **_roles(f"{_ODF}text:1.0", paragraph="p h", space="line-break tab s", unsaid="note-citation"),
    **_roles("http://purl.org/dc/elements/1.1/", unsaid="creator date"),
}
_WORD = {
    **_roles(f"{_OPEN_XML}wordprocessingml/2006/main", paragraph="p", space="tab br cr", text="t"),
    **_roles(f"{_OPEN_XML}markup-compatibility/2006", unsaid="Fallback"),
}
_WORD_BOXES = {**_WORD, **_roles(f"{_OPEN_XML}wordprocessingml/2006/main", box="txbxContent")}
_DRAWN = _roles(f"{_OPEN_XML}drawingml/2006/main", paragraph="p", space="br", text="t")


def read(source: Source) -> Iterator[Segment]:
    """Written passages; page is the slide or sheet, char spans count within it (within the file for Word).

    Raises:
        UnreadableMediaError: it is broken, locked or unpacks to too much.
        UnsupportedMediaError: there are no words in it.
    """
    found = False
    try:
        for number, text in _READERS[source.format.mime](source):
            if number is not None and number > source.limits.pages:
                source.note(f"pages after {source.limits.pages} are left out")
                break
            source.alive()
            for segment in plain.written_passages(source, text, page=number):
                found = True
                yield segment
    except (MediaError, MemoryError, OSError, RecursionError):
        raise
    except Exception as error:  # markitdown and openpyxl raise whatever their parsers raise
        raise UnreadableMediaError(source.path, f"broken {source.format.name}: {error}", hint=WHOLE_COPY) from error
    if not found:
        raise UnsupportedMediaError(source.path, "no words in it")


def still(source: Source, span: Span, max_side: int) -> bytes:
    """Office files are not rendered.

    Raises:
        UnsupportedMediaError: always.
    """
    return plain.still(source, span, max_side)


def _word(source: Source) -> Iterator[Page]:
    copy = archive.slimmed(source)  # first: what is refused needs no converter
    from markitdown import StreamInfo
    from markitdown.converters import DocxConverter

    converter: Any = DocxConverter
    text = _from_markdown(converter().convert(copy, StreamInfo(extension=".docx")).markdown)
    known, asides = _words_alone(text), dict.fromkeys(_asides(copy))
    if len(asides) > _MAX_ASIDES:
        source.note(f"comments and other asides after {_MAX_ASIDES} are left out")
    new = (aside for aside in islice(asides, _MAX_ASIDES) if _words_alone(aside) not in known)
    yield None, "\n\n".join([text, *new])


def _asides(document: io.BytesIO) -> Iterator[str]:
    """What a Word document says in boxes, in headers and footers, and in comments, by paragraphs."""
    with zipfile.ZipFile(document) as parts:
        for name in parts.namelist():
            with suppress(ElementTree.ParseError):
                if re.fullmatch(r"word/document\d*\.xml", name):
                    yield from _paragraphs(parts.read(name), _WORD_BOXES)
                elif _ASIDES.fullmatch(name):
                    yield from _paragraphs(parts.read(name), _WORD)


def _slides(source: Source) -> Iterator[Page]:
    copy = archive.slimmed(source)
    from markitdown import StreamInfo
    from markitdown.converters import PptxConverter

    converter: Any = PptxConverter
    markdown = converter().convert(copy, StreamInfo(extension=".pptx")).markdown
    _, *parts = _SLIDE.split(markdown)
    diagrams = _diagrams(copy)
    for number, text in zip(parts[0::2], parts[1::2], strict=True):
        yield int(number), "\n\n".join([_from_markdown(text), *next(diagrams, ())])


def _diagrams(deck: io.BytesIO) -> Iterator[list[str]]:
    """The words in the diagrams (SmartArt) of each slide; nothing at all where no slide has any."""
    from pptx import Presentation

    with zipfile.ZipFile(deck) as parts:
        if not any(name.startswith("ppt/diagrams/") for name in parts.namelist()):
            return
    for slide in Presentation(deck).slides:
        words: list[str] = []
        for link in slide.part.rels.values():
            if link.reltype.endswith("/diagramData") and not link.is_external:
                with suppress(ElementTree.ParseError):
                    words += _paragraphs(link.target_part.blob, _DRAWN)
        yield words


def _sheets(source: Source) -> Iterator[Page]:
    from openpyxl import load_workbook

    copy = archive.slimmed(source)
    _note_formulas(source, copy)
    book = load_workbook(copy, read_only=True, data_only=True)
    left, cells_left = source.limits.text_bytes, _MAX_CELLS

    def cells(sheet: Any) -> Iterator[list[str]]:
        nonlocal cells_left
        for number, row in enumerate(sheet.iter_rows(values_only=True)):
            if number % 10_000 == 0:
                source.alive()
            cells_left -= len(row) + 1
            yield ["" if value is None else str(value) for value in row]

    for number, sheet in enumerate(book.worksheets, start=1):
        said = [sheet.title]
        sheet.reset_dimensions()  # they are claims: a million rows as wide as the widest, all but two of them empty
        for line in records(cells(sheet)):
            left -= len(line)
            if min(left, cells_left) < 0:
                source.note(f"rows of sheet {number} are left out after {len(said)}")
                break
            said.append(line)
        yield number, "\n\n".join(said) if len(said) > 1 else ""


def _note_formulas(source: Source, book: io.BytesIO) -> None:
    """Say how many cells are empty only because the program that wrote them did not work out their formulas."""
    with zipfile.ZipFile(book) as parts:
        sheets = (parts.read(name) for name in parts.namelist() if name.startswith("xl/worksheets/"))
        count = sum(1 for sheet in sheets for _ in _NO_RESULT.finditer(sheet))
    if count:
        source.note(f"formulas that were saved without their results are left out ({count})")


def _open_document(source: Source) -> Iterator[Page]:
    with archive.opened(source) as parts:
        body = archive.member(source, parts, "content.xml")
    try:
        yield None, "\n\n".join(_paragraphs(body, _ODT))
    except DefusedXmlException as error:
        raise UnreadableMediaError(
            source.path, "it defines entities, which is not safe to expand", hint="save it without them"
        ) from error


def _paragraphs(xml: bytes, roles: dict[str, str]) -> list[str]:
    """The texts of the paragraphs in XML, each in one line; one within another (a note, a box) stands for itself.

    Args:
        roles: what elements are: a "paragraph", a "space", "unsaid" with all that is in them; or that only what is
            in them is said: "text", "box".
    """
    walk = _Walk(roles)
    parser = ElementTree.XMLParser(target=walk)
    parser.feed(xml)
    parser.close()
    return [*filter(None, walk.found)]


class _Walk:
    """What an XML parser tells of its way through a document, put together to paragraphs."""

    def __init__(self, roles: dict[str, str]) -> None:
        self.found: list[str] = []
        self._roles = roles
        self._needed = {"text", "box"} & set(roles.values())
        self._within = dict.fromkeys(roles.values(), 0)  # how many elements of a role are open
        self._open: list[tuple[int, list[str]]] = []  # place in `found`, pieces of its text

    def start(self, tag: str, _: dict[str, str]) -> None:
        role = self._roles.get(tag, "")
        if role:
            self._within[role] += 1
        if role == "paragraph":
            self._open.append((len(self.found), []))
            self.found.append("")
        elif role == "space" and self._open:
            self._open[-1][1].append(" ")

    def end(self, tag: str) -> None:
        role = self._roles.get(tag, "")
        if role:
            self._within[role] -= 1
        if role == "paragraph":
            place, pieces = self._open.pop()
            self.found[place] = " ".join("".join(pieces).split())

    def data(self, text: str) -> None:
        if self._open and not self._within.get("unsaid") and all(self._within[role] for role in self._needed):
            self._open[-1][1].append(text)


def _from_markdown(markdown: str) -> str:
    """Markdown without table rules, pictures, addresses of links and escapes."""
    text = _LINK.sub(r"\1", _PICTURE.sub(r"\1", markdown))
    return re.sub(r"\n{3,}", "\n\n", _ESCAPED.sub(r"\1", _TABLE_RULE.sub("", text))).strip()


def _words_alone(text: str) -> str:
    """The words alone, each between spaces, so that one text can be looked for in another."""
    return " ".join(["", *_WORD_LETTERS.findall(text.casefold()), ""])


_READERS: dict[str, Callable[[Source], Iterator[Page]]] = {
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": _word,
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": _slides,
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": _sheets,
    "application/vnd.oasis.opendocument.text": _open_document,
}
