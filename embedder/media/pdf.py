"""Reader for PDF: each page seen, and its words written (its text layer, or read from the page where it has none)."""

from __future__ import annotations

import logging
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from data.errors import UnreadableMediaError, UnsupportedMediaError
from data.records import Span
from embedder.media import image as picture
from embedder.media import ocr
from embedder.media.highlight import highlighted
from embedder.media.source import WHOLE_COPY, Source
from embedder.segment import PAGE_CHARACTERS, Segment

_FEW_LETTERS = 20  # a page with fewer in its text layer is read from its picture
_STAMP_LETTERS = 200  # what scanners and archives print on a scan has fewer
_TRIALS = 3  # pages of pictures under text; where these show no more than it, all such pages of the document do
_SCAN_SHARE = 0.5  # of a page that pictures cover
_GARBLED_SHARE = 0.05  # of control characters, where a font does not say which letters it draws
_MOST_OBJECTS = 1_000  # of a page that are looked at
_MOST_FIELDS = 1_000  # of a page
_FIELD_LETTERS = 2_000
_MOST_PARENTS = 8  # of a field
_BLANK_RANGE = 12  # grey levels


def read(source: Source) -> Iterator[Segment]:
    """Page by page: the page seen, with its first words, then its passages; char spans count within the page's text.

    Blank pages and broken ones are counted and left out.

    Raises:
        UnreadableMediaError: it is broken in every page, or locked with a password.
        UnsupportedMediaError: there is nothing on any page.
    """
    blank = found = 0
    broken: list[UnreadableMediaError] = []
    with _opened(source) as document:
        layer = _TextLayer(source, document)
        pages = len(document)
        for number in range(1, min(pages, source.limits.pages) + 1):
            source.alive()
            try:
                with _page_reasons(source, number):
                    segments = _page(source, document, layer, number)
            except UnreadableMediaError as error:
                broken.append(error)
            else:
                blank += not segments
                found += bool(segments)
                yield from segments
            if source.out_of_time(f"page {number}"):
                break
    if not found:
        if broken:
            raise broken[0]
        raise UnsupportedMediaError(source.path, f"nothing on the {blank} pages looked at, of {pages}")
    if pages > source.limits.pages:
        source.note(f"pages {source.limits.pages + 1} to {pages} are left out")
    if blank:
        source.note(f"{blank} blank pages are left out")
    if broken:
        source.note(f"{len(broken)} broken pages are left out ({broken[0].reason})")


def pages(source: Source, numbers: Iterable[int]) -> Iterator[Segment]:
    """The segments of some pages alone, counted from 1.

    Raises:
        UnreadableMediaError: it is broken or locked, or one of the pages is.
    """
    with _opened(source) as document:
        layer = _TextLayer(source, document)
        for number in numbers:
            with _page_reasons(source, number):
                yield from _page(source, document, layer, number)


def still(source: Source, span: Span, max_side: int) -> bytes:
    """Page span.page (the first when it is None) as JPEG, with the passage of span's characters highlighted.

    A page that was read from its picture has no lines to highlight.

    Raises:
        UnreadableMediaError: it is broken or locked, or has no such page.
    """
    with _opened(source) as document:
        number = _page_number(source, document, span)
        with _page_reasons(source, number):
            passage = ""
            if span.char_start is not None:
                words = _TextLayer(source, document).words(number)
                passage = words[span.char_start : span.char_end] if _has_layer(words) else ""
            return picture.jpeg(_rendered(document, number, max_side, passage=passage))


def cut(source: Source, span: Span, out: Path, max_side: int) -> None:
    """Write page span.page (the first when it is None) as a PDF of its own, as sharp as it is.

    Raises:
        UnreadableMediaError: it is broken or locked, or has no such page.
    """
    import pypdfium2 as pdfium

    with _opened(source) as document:
        number = _page_number(source, document, span)
        with _page_reasons(source, number):
            alone = pdfium.PdfDocument.new()
            try:
                alone.import_pages(document, [number - 1])
                alone.save(out)
            finally:
                alone.close()


def _page_number(source: Source, document: Any, span: Span) -> int:
    number = span.page or 1
    if not 1 <= number <= len(document):
        raise UnreadableMediaError(source.path, f"it has no page {number}, it has {len(document)}")
    return number


def _page(source: Source, document: Any, layer: _TextLayer, number: int) -> list[Segment]:
    """The page seen, with the first words of its passages, and those; nothing for a blank one."""
    if _is_empty(document, number):
        return []
    words = layer.words(number)
    has_layer = _has_layer(words)
    is_doubted = (
        has_layer and not layer.is_proven and len(_letters(words)) < _STAMP_LETTERS and _is_scan(document, number)
    )
    is_read = is_doubted or not has_layer
    image = _rendered(document, number, picture.READ_SIDE if is_read else picture.MAX_SIDE)
    if is_read:
        if _is_blank(image) and not words:
            return []
        source.alive()
        shown = _joined("" if _is_garbled(words) else words, ocr.words(image))
        if is_doubted:
            layer.tried(words, shown)
        words = shown
    parts = list(picture.seen(source, image, Span(page=number), words=words))
    first = " ".join(part.text for part in parts if part.text)[:PAGE_CHARACTERS]
    return [part if part.pixels is None else replace(part, text=first or None) for part in parts]


class _TextLayer:
    """The text layer by pypdf, which keeps the reading order better; by pdfium where pypdf cannot.

    What was typed into a form, or over a page, comes last.
    """

    def __init__(self, source: Source, document: Any) -> None:
        self._document = document
        self._reader: Any = None
        self._whole: set[str] = set()
        self._lacks = False
        logging.getLogger("pypdf").setLevel(logging.CRITICAL)
        from pypdf import PdfReader

        try:
            reader = PdfReader(source.path)
            if not reader.is_encrypted or reader.decrypt(""):
                self._reader = reader if len(reader.pages) == len(document) else None
        except MemoryError:
            raise
        except Exception:  # pypdf raises whatever a broken file leads it to; pdfium is the fallback
            self._reader = None

    @property
    def is_proven(self) -> bool:
        """Whether pages that are pictures under text have shown no more than it, often enough to trust the rest."""
        return not self._lacks and len(self._whole) >= _TRIALS

    def tried(self, words: str, shown: str) -> None:
        """Learn what a page shows beyond its text; a stamp on empty pages proves nothing by being repeated."""
        self._whole.add(words)
        self._lacks |= shown != words

    def words(self, number: int) -> str:
        """The text of a page, counted from 1; "" when it has none."""
        if self._reader is not None:
            try:
                page = self._reader.pages[number - 1]
                return _clean("\n".join([page.extract_text(), *_typed(page)]))
            except MemoryError:
                raise
            except Exception:
                self._reader = None
        page = self._document[number - 1]
        try:
            return _clean(page.get_textpage().get_text_range())
        finally:
            page.close()


def _typed(page: Any) -> list[str]:
    """What was typed into the fields of a page, and over it, each once."""
    from pypdf.errors import PyPdfError

    found = []
    with suppress(PyPdfError, TypeError, ValueError):  # it may be no list of annotations
        for entry in islice(_inherited(page, "/Annots") or (), _MOST_FIELDS):
            field = entry.get_object()
            if _inherited(field, "/Subtype") == "/FreeText":
                found.append(_inherited(field, "/Contents"))
            elif _inherited(field, "/FT") in ("/Tx", "/Ch"):
                found.append(_inherited(field, "/V"))
    return list(dict.fromkeys(words[:_FIELD_LETTERS] for words in found if isinstance(words, str)))


def _inherited(entry: Any, key: str) -> Any:
    """What an object of a PDF says, or else the objects above it; None where none of them says it."""
    for _ in range(_MOST_PARENTS):
        if key in entry:
            return entry[key]
        if "/Parent" not in entry:
            break
        entry = entry["/Parent"]
    return None


def _has_layer(words: str) -> bool:
    """Whether the words of a text layer are legible, and enough to be those of the page."""
    return len(_letters(words)) >= _FEW_LETTERS and not _is_garbled(words)


def _is_garbled(words: str) -> bool:
    controls = sum(unicodedata.category(c) == "Cc" and not c.isspace() for c in words)
    return controls > _GARBLED_SHARE * len(words)


def _is_scan(document: Any, number: int) -> bool:
    """Whether pictures cover most of a page."""
    import pypdfium2 as pdfium

    page = document[number - 1]
    try:
        left, bottom, right, top = page.get_bbox()
        covered = 0.0
        for thing in islice(page.get_objects(max_depth=1), _MOST_OBJECTS):
            if thing.type == pdfium.raw.FPDF_PAGEOBJ_IMAGE:
                x0, y0, x1, y1 = thing.get_bounds()
                covered += max(0.0, min(x1, right) - max(x0, left)) * max(0.0, min(y1, top) - max(y0, bottom))
        return bool(covered > _SCAN_SHARE * (right - left) * (top - bottom))
    except pdfium.PdfiumError:
        return False
    finally:
        page.close()


def _joined(layer: str, seen: str) -> str:
    """The words of a page's text layer, and then the lines that only its picture shows."""
    known = _letters(layer)
    return "\n".join(filter(None, [layer, *(line for line in seen.splitlines() if _letters(line) not in known)]))


def _letters(text: str) -> str:
    return "".join(c for c in text.casefold() if c.isalnum())


def _clean(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\0", "").replace("\ufffe", "").strip()


def _is_empty(document: Any, number: int) -> bool:
    """True when a page holds no object at all: known without drawing it."""
    import pypdfium2.raw as pdfium

    page = document[number - 1]
    try:
        return not pdfium.FPDFPage_CountObjects(page.raw) and not pdfium.FPDFPage_GetAnnotCount(page.raw)
    finally:
        page.close()


def _rendered(document: Any, number: int, max_side: int, *, passage: str = "") -> Image.Image:
    """A page drawn on white, with a passage highlighted, no side longer than max_side."""
    page = document[number - 1]
    try:
        width, height = page.get_size()
        bitmap = page.render(scale=max_side / max(width, height, 1e-3) * 0.999, rev_byteorder=True)
        image = bitmap.to_pil().convert("RGB")
        if passage:
            image = highlighted(image, page, bitmap.get_posconv(page), passage)
        return picture.fitted(image, max_side)
    finally:
        page.close()


def _is_blank(image: Image.Image) -> bool:
    return int(np.ptp(np.asarray(image.convert("L"))[::2, ::2])) < _BLANK_RANGE


@contextmanager
def _page_reasons(source: Source, number: int) -> Iterator[None]:
    import pypdfium2 as pdfium

    try:
        yield
    except (pdfium.PdfiumError, ValueError) as error:
        reason = f"broken PDF: page {number} cannot be read: {error}"
        raise UnreadableMediaError(source.path, reason, hint=WHOLE_COPY) from error


@contextmanager
def _opened(source: Source) -> Iterator[Any]:
    import pypdfium2 as pdfium

    try:
        document = pdfium.PdfDocument(source.path)
    except pdfium.PdfiumError as error:
        if "password" in str(error).lower():
            raise UnreadableMediaError(
                source.path, "it is locked with a password", hint="save a copy without the password"
            ) from error
        raise UnreadableMediaError(source.path, "broken PDF: its page table cannot be read", hint=WHOLE_COPY) from error
    logging.getLogger("pypdfium2").setLevel(logging.CRITICAL)  # it warns of forms that it does not know
    try:
        with suppress(pdfium.PdfiumError):  # a broken form is a page without what was typed into it
            document.init_forms()
        yield document
    finally:
        document.close()
