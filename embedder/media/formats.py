"""The table of what can be read: format, the module that reads it, and the suffixes people give it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from data.records import Kind, Span
from embedder.media.source import Format, Source
from embedder.segment import Segment


class Reader(Protocol):
    """What every reader module offers."""

    def read(self, source: Source) -> Iterator[Segment]:
        """The segments of one file, in the order of the file."""

    def still(self, source: Source, span: Span, max_side: int) -> bytes:
        """A JPEG of the moment or page `span`, no side longer than `max_side` pixels."""


class Cutter(Protocol):
    """What a module offers that makes a file of its own out of a moment or a page."""

    def cut(self, source: Source, span: Span, out: Path, max_side: int) -> None:
        """Write the moment or page `span` to `out`; no side of a picture is longer than `max_side` pixels."""


_CUTTERS = {"video": "clip", "audio": "clip", "pdf": "pdf"}  # a reader's module → the module that cuts what it reads


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    format: Format
    module: str
    suffixes: tuple[str, ...]

    def reader(self) -> Reader:
        """The module behind the row, imported when first needed."""
        return cast(Reader, import_module(f"embedder.media.{self.module}"))

    def cutter(self) -> Cutter | None:
        """The module that cuts pieces out of such files, None where there are none to cut out."""
        name = _CUTTERS.get(self.module)
        return cast(Cutter, import_module(f"embedder.media.{name}")) if name else None


def _row(
    kind: Kind, name: str, mime: str, *suffixes: str, decoder: str = "", module: str | None = None
) -> tuple[str, Row]:
    return mime, Row(Format(kind=kind, mime=mime, name=name, decoder=decoder), module or kind.value, suffixes)


_OPEN_XML = "application/vnd.openxmlformats-officedocument."

TABLE: dict[str, Row] = dict(
    [
        _row(Kind.TEXT, "plain text", "text/plain", "txt", "text", "log"),
        _row(Kind.TEXT, "Markdown", "text/markdown", "md", "markdown"),
        _row(Kind.TEXT, "reStructuredText", "text/x-rst", "rst"),
        _row(Kind.TEXT, "HTML page", "text/html", "html", "htm", "xhtml", module="markup"),
        _row(Kind.TEXT, "CSV table", "text/csv", "csv", "tsv", module="rows"),
        _row(Kind.TEXT, "JSON", "application/json", "json", "jsonl", "ndjson", "ipynb", module="rows"),
        _row(Kind.TEXT, "E-mail", "message/rfc822", "eml", "mht", "mhtml", module="mail"),
        _row(Kind.TEXT, "SubRip subtitles", "application/x-subrip", "srt", module="subtitles"),
        _row(Kind.TEXT, "WebVTT subtitles", "text/vtt", "vtt", module="subtitles"),
        _row(Kind.IMAGE, "JPEG image", "image/jpeg", "jpg", "jpeg", "jpe", decoder="JPEG"),
        _row(Kind.IMAGE, "PNG image", "image/png", "png", "apng", decoder="PNG"),
        _row(Kind.IMAGE, "WebP image", "image/webp", "webp", decoder="WEBP"),
        _row(Kind.IMAGE, "GIF image", "image/gif", "gif", decoder="GIF"),
        _row(Kind.IMAGE, "BMP image", "image/bmp", "bmp", "dib", decoder="BMP"),
        _row(Kind.IMAGE, "TIFF image", "image/tiff", "tif", "tiff", decoder="TIFF"),
        _row(Kind.IMAGE, "HEIC image", "image/heic", "heic", "heif", "hif", decoder="HEIF"),
        _row(Kind.IMAGE, "AVIF image", "image/avif", "avif", decoder="AVIF"),
        _row(Kind.IMAGE, "SVG drawing", "image/svg+xml", "svg", module="svg"),
        _row(Kind.AUDIO, "WAV sound", "audio/x-wav", "wav", "wave", decoder="wav"),
        _row(Kind.AUDIO, "MP3 sound", "audio/mpeg", "mp3", decoder="mp3"),
        _row(Kind.AUDIO, "FLAC sound", "audio/x-flac", "flac", decoder="flac"),
        _row(Kind.AUDIO, "Ogg sound", "audio/ogg", "ogg", "oga", "opus", decoder="ogg"),
        _row(Kind.AUDIO, "MPEG-4 sound", "audio/mp4", "m4a", "m4b", decoder="mov"),
        _row(Kind.AUDIO, "AIFF sound", "audio/x-aiff", "aiff", "aif", "aifc", decoder="aiff"),
        _row(Kind.AUDIO, "AAC sound", "audio/aac", "aac", decoder="aac"),
        _row(Kind.AUDIO, "Matroska sound", "audio/x-matroska", "mka", "weba", decoder="matroska"),
        _row(Kind.AUDIO, "Windows Media sound", "audio/x-ms-wma", "wma", decoder="asf"),
        _row(Kind.AUDIO, "AMR speech", "audio/amr", "amr", decoder="amr"),
        _row(Kind.VIDEO, "MPEG-4 video", "video/mp4", "mp4", "m4v", "3gp", decoder="mov"),
        _row(Kind.VIDEO, "QuickTime video", "video/quicktime", "mov", "qt", decoder="mov"),
        _row(Kind.VIDEO, "Matroska video", "video/x-matroska", "mkv", decoder="matroska"),
        _row(Kind.VIDEO, "WebM video", "video/webm", "webm", decoder="matroska"),
        _row(Kind.VIDEO, "AVI video", "video/x-msvideo", "avi", decoder="avi"),
        _row(Kind.VIDEO, "Ogg video", "video/ogg", "ogv", decoder="ogg"),
        _row(Kind.VIDEO, "Windows Media video", "video/x-ms-wmv", "wmv", "asf", decoder="asf"),
        _row(Kind.VIDEO, "Flash video", "video/x-flv", "flv", decoder="flv"),
        _row(Kind.VIDEO, "MPEG video", "video/mpeg", "mpg", "mpeg", "vob", decoder="mpeg"),
        _row(Kind.VIDEO, "MPEG transport stream", "video/mp2t", "mts", "m2ts", decoder="mpegts"),
        _row(Kind.DOCUMENT, "PDF document", "application/pdf", "pdf", module="pdf"),
        _row(Kind.DOCUMENT, "Word document", f"{_OPEN_XML}wordprocessingml.document", "docx", module="office"),
        _row(
            Kind.DOCUMENT,
            "PowerPoint slides",
            f"{_OPEN_XML}presentationml.presentation",
            "pptx",
            module="office",
        ),
        _row(Kind.DOCUMENT, "Excel workbook", f"{_OPEN_XML}spreadsheetml.sheet", "xlsx", module="office"),
        _row(Kind.DOCUMENT, "OpenDocument text", "application/vnd.oasis.opendocument.text", "odt", module="office"),
        _row(Kind.DOCUMENT, "EPUB book", "application/epub+zip", "epub", module="epub"),
    ]
)

BY_SUFFIX: dict[str, Row] = {suffix: row for row in TABLE.values() for suffix in row.suffixes}


def row_of(format: Format) -> Row:
    """The row of a format that `identify` gave."""
    return TABLE[format.mime]
