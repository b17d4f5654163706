"""Reader for office files: Word, PowerPoint, Excel and OpenDocument text, as text by page where there is one."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
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
_PICTURE = re.compile(r"!\[([^\]]*)\]\([^)]*\)")
_LINK = re.compile(r"\[([^\]]+)\]\([^)\s]*\)")
_ODT_PARAGRAPHS = tuple(f"{{urn:oasis:names:tc:opendocument:xmlns:text:1.0}}{name}" for name in "ph")
_MAX_CELLS = 20_000_000


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
    yield None, _from_markdown(converter().convert(copy, StreamInfo(extension=".docx")).markdown)


def _slides(source: Source) -> Iterator[Page]:
    copy = archive.slimmed(source)
    from markitdown import StreamInfo
    from markitdown.converters import PptxConverter

    converter: Any = PptxConverter
    markdown = converter().convert(copy, StreamInfo(extension=".pptx")).markdown
    _, *parts = _SLIDE.split(markdown)
    for number, text in zip(parts[0::2], parts[1::2], strict=True):
        yield int(number), _from_markdown(text)


def _sheets(source: Source) -> Iterator[Page]:
    from openpyxl import load_workbook

    book = load_workbook(archive.slimmed(source), read_only=True, data_only=True)
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


def _open_document(source: Source) -> Iterator[Page]:
    with archive.opened(source) as parts:
        body = archive.member(source, parts, "content.xml")
    paragraphs: list[str] = []
    depth = 0  # of paragraphs within paragraphs: notes, frames
    try:
        for event, element in ElementTree.iterparse(io.BytesIO(body), events=("start", "end")):
            if element.tag in _ODT_PARAGRAPHS:
                depth += 1 if event == "start" else -1
                if not depth:
                    paragraphs.append(" ".join("".join(element.itertext()).split()))
                    element.clear()
    except DefusedXmlException as error:
        raise UnreadableMediaError(
            source.path, "it defines entities, which is not safe to expand", hint="save it without them"
        ) from error
    yield None, "\n\n".join(filter(None, paragraphs))


def _from_markdown(markdown: str) -> str:
    """Markdown without table rules, pictures and addresses of links."""
    text = _LINK.sub(r"\1", _PICTURE.sub(r"\1", markdown))
    return re.sub(r"\n{3,}", "\n\n", _TABLE_RULE.sub("", text)).strip()


_READERS: dict[str, Callable[[Source], Iterator[Page]]] = {
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": _word,
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": _slides,
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": _sheets,
    "application/vnd.oasis.opendocument.text": _open_document,
}
