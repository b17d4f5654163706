"""Reader for e-mail, and for pages that browsers save as one (MHTML): its main headers, then its words."""

from __future__ import annotations

import codecs
import email
from collections.abc import Iterator
from contextlib import suppress
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message
from email.policy import Compat32
from typing import cast

from data.records import Span
from embedder.media import text as plain
from embedder.media.markup import words_of
from embedder.media.source import Source
from embedder.segment import Segment

_HEADERS = ("Subject", "From", "To", "Cc", "Date")
_HEADER_LETTERS = 10_000
_TEXTS = ("text/plain", "text/html")
_NAMED = 5  # attachments that the note names
_NAME_LETTERS = 80
_SLOW = ("idna", "punycode")  # take time by the square of the length, and are for names of hosts


class _Headers(Compat32):
    """Headers in whatever encoding, and never so long that taking one apart, in time by its square, takes long."""

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        name, value = super().header_source_parse(sourcelines)
        return name, value[:_HEADER_LETTERS]

    def header_fetch_parse(self, name: str, value: str) -> str:
        return plain.decode(value.encode("utf-8", "surrogateescape"))


def read(source: Source) -> Iterator[Segment]:
    """Passages of headers and words; char spans count characters of both, as they are said.

    Raises:
        UnsupportedMediaError: there are no words in it.
    """
    message = email.message_from_bytes(plain.contents(source), policy=_Headers())
    said = _said(source, message)
    left_out = [_name(part) for part in message.walk() if not part.is_multipart() and not _is_text(part)]
    if left_out:
        names = ", ".join(list(dict.fromkeys(left_out))[:_NAMED])
        source.note(f"attachments are left out ({len(left_out)}): {names}")
    yield from plain.written(source, said)


def still(source: Source, span: Span, max_side: int) -> bytes:
    """Messages are not rendered.

    Raises:
        UnsupportedMediaError: always.
    """
    return plain.still(source, span, max_side)


def _said(source: Source, message: Message) -> str:
    """Its main headers, then its words."""
    if any(len(value) == _HEADER_LETTERS and name.title() in _HEADERS for name, value in message.raw_items()):
        source.note(f"headers are cut after {_HEADER_LETTERS:,} characters")
    heads = "\n".join(f"{name}: {_decoded(message[name])}" for name in _HEADERS if message[name])
    return "\n\n".join(filter(None, (heads, _words(source, message))))


def _words(source: Source, part: Message) -> str:
    """The words of a part and of those in it; of alternatives, of the first that has some, plain text before HTML."""
    if part.is_multipart():
        inners = cast(list[Message], part.get_payload())
        if part.get_content_type() == "message/rfc822":
            return "\n\n".join(_said(source, inner) for inner in inners)
        if part.get_content_type() != "multipart/alternative":
            return "\n\n".join(filter(None, (_words(source, inner) for inner in inners)))
        plain_first = sorted(inners, key=lambda inner: inner.get_content_type() != "text/plain")
        return next(filter(None, (_words(source, inner) for inner in plain_first)), "")
    if not _is_text(part):
        return ""
    text = _text(part)
    if part.get_content_type() == "text/html":
        return words_of(text, alive=source.alive)
    return "\n".join(text.splitlines()).strip()


def _is_text(part: Message) -> bool:
    return part.get_content_type() in _TEXTS and part.get_content_disposition() != "attachment"


def _text(part: Message) -> str:
    raw = cast(bytes, part.get_payload(decode=True))
    with suppress(LookupError, ValueError):  # a charset that nobody knows, or that it is not
        charset = codecs.lookup(part.get_content_charset(""))
        if charset.name not in _SLOW:
            return raw.decode(charset.name)
    return plain.decode(raw)


def _name(part: Message) -> str:
    name = part.get_filename()
    name = _decoded(name) if name else part.get_content_type()
    return "".join(c for c in name if c.isprintable())[:_NAME_LETTERS]


def _decoded(header: str) -> str:
    """A header as people read it, on one line."""
    with suppress(MessageError, ValueError, LookupError):
        header = str(make_header(decode_header(header)))
    return " ".join(header.split())
