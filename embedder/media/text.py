"""Reader for plain text, Markdown and reStructuredText: written passages with their place in the text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import charset_normalizer

from data.errors import UnsupportedMediaError
from data.records import Evidence, Span
from embedder.media.passages import passages
from embedder.media.sniff_text import byte_order_mark
from embedder.media.source import Source
from embedder.segment import Segment

_SAMPLE_BYTES = 100_000
_BETWEEN = "\n\n"
_BLOCK = 200_000  # characters of records that are cut into passages at once


def read(source: Source) -> Iterator[Segment]:
    """The passages of the file; char spans count characters of its decoded text.

    Raises:
        UnsupportedMediaError: there is nothing but white space in it.
    """
    yield from written(source, decoded(source))


def still(source: Source, span: Span, max_side: int) -> bytes:
    """Text has no picture.

    Raises:
        UnsupportedMediaError: always.
    """
    raise UnsupportedMediaError(source.path, f"a {source.format.name} has no picture to show")


def written(source: Source, text: str, *, page: int | None = None) -> Iterator[Segment]:
    """Passages of a text that may not be empty.

    Raises:
        UnsupportedMediaError: there is nothing but white space in it.
    """
    found = False
    for segment in written_passages(source, text, page=page):
        found = True
        yield segment
    if not found:
        raise UnsupportedMediaError(source.path, "no words in it")


def written_records(source: Source, records: Iterable[str]) -> Iterator[Segment]:
    """Passages of a text that comes as records, a paragraph each; only some of it is held at a time.

    Raises:
        UnsupportedMediaError: there is nothing but white space in it.
    """
    found, start = False, 0
    for block in _blocks(source, records):
        for segment in written_passages(source, block, start=start):
            found = True
            yield segment
        start += len(block) + len(_BETWEEN)
    if not found:
        raise UnsupportedMediaError(source.path, "no words in it")


def _blocks(source: Source, records: Iterable[str]) -> Iterator[str]:
    held: list[str] = []
    size = 0
    for number, record in enumerate(records):
        if number % 10_000 == 0:
            source.alive()
        if record:
            held.append(record)
            size += len(record) + len(_BETWEEN)
        if size > _BLOCK:
            yield _BETWEEN.join(held)
            held, size = [], 0
    yield _BETWEEN.join(held)


def written_passages(source: Source, text: str, *, page: int | None = None, start: int = 0) -> Iterator[Segment]:
    """The passages of a text that begins at character `start`, none when it has no words."""
    for passage in passages(text):
        if any(c.isalnum() for c in passage.text):
            yield Segment(
                kind=source.kind,
                evidence=Evidence.WRITTEN,
                span=Span(page=page, char_start=start + passage.start, char_end=start + passage.end),
                text=passage.text,
            )


def decoded(source: Source) -> str:
    """The text of a file in whatever encoding, without byte order mark, line ends as newlines."""
    with source.path.open("rb") as file:
        raw = file.read(source.limits.text_bytes + 1)
    if len(raw) > source.limits.text_bytes:
        raw = raw[: source.limits.text_bytes]
        source.note(f"text after the first {source.limits.text_bytes // 1_000_000} MB is left out")
    return decode(raw).replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")


def decode(raw: bytes) -> str:
    """Bytes as text: byte order mark, else UTF-8, else the likeliest encoding."""
    marked = byte_order_mark(raw)
    if marked:
        return raw.decode(marked, "replace").lstrip("\ufeff")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start >= len(raw) - 4:  # cut off inside the last character
            return raw[: error.start].decode("utf-8")
    best = charset_normalizer.from_bytes(raw[:_SAMPLE_BYTES]).best()
    return raw.decode(best.encoding if best else "cp1252", "replace")
