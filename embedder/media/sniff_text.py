"""Which kind of text a file holds: marks in its first lines, then its suffix."""

from __future__ import annotations

import re

from data.records import Kind
from embedder.media.formats import BY_SUFFIX

_BOMS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe\0\0", "utf-32"), (b"\0\0\xfe\xff", "utf-32"),
         (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))  # fmt: skip
_MAIL = "message/rfc822"
_OF_PROGRAMS = ("message-id", "mime-version", "received", "return-path")  # headers that nobody types
_PLAYLIST = re.compile(r"\s*(#EXTM3U|ffconcat version|\[playlist\]|<asx\b|<smil\b|(<\?xml[^>]*\?>\s*)?<(MPD|playlist|smil)\b)", re.I)  # fmt: skip  # noqa: E501
_SUBRIP = re.compile(r"\s*\d+[ \t]*\r?\n\s*\d{1,2}:\d\d:\d\d(?:[,.]\d{1,3})?\s*-->")
# Each part is atomic or possessive: a file of unfinished comments must not be looked at in 2 ** n ways.
_BEFORE = r"(?>\s+|<!--.*?-->|<\?.*?\?>)*+"
_HTML = re.compile(_BEFORE + r"<(!doctype html|html|head|body)\b", re.I | re.S)
_SVG = re.compile(_BEFORE + rf"(?><!doctype\s[^>\[]*+(?:\[.*?\]\s*+)?>{_BEFORE})?<(\w+:)?svg\b", re.I | re.S)
_HEADERS = re.compile(r"(?:[!-9;-~]++:.*+\n(?:[ \t].*+\n)*+)++")
_HEADER = re.compile(r"^([!-9;-~]+):", re.M)

_WORD = re.compile(r"[^\W\d_]{2,}")


def text_mime(head: bytes, suffix: str) -> str | None:
    """The media type of a file that begins with `head`; None when this is no text."""
    text = _decoded(head)
    if text is None:
        return None
    for pattern, mime in (
        (_PLAYLIST, "playlist"),
        (_SVG, "image/svg+xml"),
        (_HTML, "text/html"),
        (_SUBRIP, "application/x-subrip"),
    ):
        if pattern.match(text):
            return mime
    start = text.lstrip("\ufeff \t\r\n")
    if start.startswith("WEBVTT"):
        return "text/vtt"
    if start.startswith("{\\rtf"):
        return "application/rtf"
    if start.startswith("%!PS"):
        return "application/postscript"
    row = BY_SUFFIX.get(suffix.lower().lstrip("."))
    if _is_mail(text, is_promised=row is not None and row.format.mime == _MAIL):
        return _MAIL
    if row is not None and row.format.mime.startswith("text/"):
        return row.format.mime
    if start.startswith(("{", "[")) and row is not None and row.format.mime == "application/json":
        return "application/json"
    if row is not None and row.format.kind is not Kind.TEXT and not _is_prose(text):
        return None
    return "text/plain"


def byte_order_mark(head: bytes) -> str | None:
    """The encoding that a byte order mark at the start of a file announces."""
    return next((encoding for mark, encoding in _BOMS if head.startswith(mark)), None)


def wide_without_mark(head: bytes) -> str | None:
    """UTF-16 without a mark, as some programs write it: every second byte is mostly zero."""
    pairs = max(1, len(head) // 2)
    if head[1::2].count(0) > 0.7 * pairs and head[0::2].count(0) < 0.05 * pairs:
        return "utf-16-le"
    if head[0::2].count(0) > 0.7 * pairs and head[1::2].count(0) < 0.05 * pairs:
        return "utf-16-be"
    return None


def _decoded(head: bytes) -> str | None:
    """The head as text, decoded well enough to look for marks; None when it is binary."""
    encoding = byte_order_mark(head)
    if encoding is None and b"\0" in head:
        encoding = wide_without_mark(head)
        if encoding is None:
            return None
    text = head.decode(encoding or "utf-8", "replace")
    controls = sum(1 for c in text if c < " " and c not in "\t\n\r\f\v\x1b")
    if controls > len(text) * 0.02:
        return None
    strange = text.count("\ufffd")
    if encoding is None and strange > len(text) * 0.3 and _mostly_high(head):
        return None
    return text


def _is_mail(text: str, *, is_promised: bool) -> bool:
    """Whether it begins with the headers of a message: its main ones, and some that only programs write.

    Under its suffix either are enough: programs may write more above the main ones than the head of the file holds.
    """
    block = _HEADERS.match(text)
    names = {name.lower() for name in _HEADER.findall(block[0])} if block else set()
    found = [not names.isdisjoint(some) for some in (("from", "subject"), _OF_PROGRAMS)]
    return any(found) if is_promised else all(found)


def _is_prose(text: str) -> bool:
    """Words enough to believe them, under a suffix that promises something else."""
    return len(_WORD.findall(text)) >= 3 and text.count("\ufffd") < 0.05 * len(text)


def _mostly_high(head: bytes) -> bool:
    """Bytes spread over the whole range, as in compressed data, rather than letters of some alphabet."""
    letters = sum(1 for b in head if 0x20 <= b < 0x7F or b in (9, 10, 13))
    return len(set(head)) > 200 and letters < 0.6 * len(head)
