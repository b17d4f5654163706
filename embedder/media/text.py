"""Reader for plain text, Markdown and reStructuredText: written passages with their place in the text."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress

import charset_normalizer

from data.errors import UnsupportedMediaError
from data.records import Evidence, Span
from embedder.media.passages import passages
from embedder.media.sniff_text import byte_order_mark, wide_without_mark
from embedder.media.source import Source
from embedder.segment import Segment

_SAMPLE_BYTES = 100_000
_LATIN_BYTES = 1_000_000
_HEAD_BYTES = 16_384
_ASCII = bytes(range(128))
_CENTRAL = ("ąćęłńóśźż", "áčďéěíňóřšťúůýž", "áäčďéíĺľňóôŕšťúýž", "áéíóöőúüű", "ăâîşţșț", "čćđšž")  # pl cs sk hu ro hr
_ALPHABETS = (  # encodings with 8 bits, and the letters beyond ASCII of the languages that use them; the first one wins
    ("cp1252", ("àâæçèéêëîïôùûüœ", "äöüßé", "áéíóúñü", "ãáâàçéêíóôõúü")),  # fr de es pt
    ("cp1252", ("åäöé", "æøåé", "äöåõü", "àèéìòùî", "ëéïèöüáó", "àçèéíïòóúü")),  # sv, da and no, fi and et, it, nl, ca
    ("cp1250", _CENTRAL),
    ("iso8859-2", _CENTRAL),
    ("cp1254", ("çğıİöşüâî",)),  # tr
    ("cp1252", ("áðéíóúýþæö",)),  # is: Turkish looks like it
)
_TYPOGRAPHY = frozenset("“”‘’‚„«»‹›–—…•·´€£§©®™°±×¿¡ªº½¼¾¹²³µ¢¥¶†‡\u00a0\u00ad\ufeff")
# What another encoding makes of letters: a symbol, or a capital of those, within a word; five in a row beyond ASCII.
_GARBLED = re.compile(
    r"(?<=[^\W\d_])[¹³¿¼½¾²£¥¢§©®±×÷‚„†‡•™¤¦¬¶¸¡°ªº€“”–«»](?=[^\W\d_])|£(?=[^\W\d_])|[a-z][ŠŒŽŸŚŤŹ]|[^\W\d_A-Za-z]{5}"
)
_RARE = 50  # one in so many: a foreign word, a slip
_BASE64 = re.compile(
    r"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{200,}={0,2}"
    r"|^(?:[A-Za-z0-9+/]{60,76}\n){3,}+(?:(?:[A-Za-z0-9+/=]{4}){1,19}$)?",
    re.M,
)
_BASE64_LETTERS = 32  # more different ones than digests, genes and words without spaces have
_BETWEEN = "\n\n"
_BLOCK = 200_000  # characters of records that are cut into passages at once


def read(source: Source) -> Iterator[Segment]:
    """The passages of the file; char spans count characters of its decoded text, less encoded data.

    Raises:
        UnsupportedMediaError: there is nothing but white space in it.
    """
    yield from written(source, decoded(source))


def still(source: Source, span: Span, max_side: int) -> bytes:
    """Text has no picture.

    Raises:
        UnsupportedMediaError: always.
    """
    raise UnsupportedMediaError(source.path, f"{source.format.name}: it has no picture to show")


def written(source: Source, text: str, *, page: int | None = None) -> Iterator[Segment]:
    """Passages of a text that may not be empty.

    Raises:
        UnsupportedMediaError: there is nothing but white space in it.
    """
    found = False
    for segment in written_passages(source, _without_base64(source, text), page=page):
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
        record = _without_base64(source, record)
        if record:
            held.append(record)
            size += len(record) + len(_BETWEEN)
        if size > _BLOCK:
            yield _BETWEEN.join(held)
            held, size = [], 0
    yield _BETWEEN.join(held)


def _without_base64(source: Source, text: str) -> str:
    def shorter(match: re.Match[str]) -> str:
        if len(set(match[0])) <= _BASE64_LETTERS:
            return match[0]
        source.note("encoded data (base64) are left out")
        return ""

    return _BASE64.sub(shorter, text)


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
    return decode(contents(source)).replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")


def contents(source: Source) -> bytes:
    """The bytes of a file of text, as many as the limits allow."""
    with source.path.open("rb") as file:
        raw = file.read(source.limits.text_bytes + 1)
    if len(raw) > source.limits.text_bytes:
        raw = raw[: source.limits.text_bytes]
        source.note(f"text after the first {source.limits.text_bytes // 1_000_000} MB is left out")
    return raw


def decode(raw: bytes) -> str:
    """Bytes as text: byte order mark, else UTF-8 but for a few broken characters, else the likeliest encoding."""
    wide = byte_order_mark(raw) or wide_without_mark(raw[:_HEAD_BYTES])
    if wide:
        return raw.decode(wide, "replace").lstrip("\ufeff")
    if b"\x1b$" in raw:
        with suppress(UnicodeDecodeError):
            return raw.decode("iso2022_jp")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        trouble = error.start
    text = raw.decode("utf-8", "replace")
    broken, beyond_ascii = text.count("\ufffd"), len(text) - len(text.encode("ascii", "ignore"))
    if beyond_ascii - broken >= 4 * broken:  # other encodings look like UTF-8 in one of three characters at most
        return text.rstrip("\ufffd")  # cut off inside the last character
    return raw.decode(_latin(raw[trouble : trouble + _LATIN_BYTES]) or _likeliest(raw, trouble), "replace")


def _latin(raw: bytes) -> str | None:
    """The encoding with 8 bits in which nearly all of the text is in one Latin alphabet, None when there is none."""
    high = raw.translate(None, _ASCII)
    for encoding, alphabets in _ALPHABETS:
        counts = Counter(high.decode(encoding, "replace"))
        plain = max(sum(counts[c] for c in _TYPOGRAPHY.union(letters, letters.upper())) for letters in alphabets)
        garbled = len(high) - plain
        if garbled * _RARE <= len(high):
            garbled += len(_GARBLED.findall(raw.decode(encoding, "replace")))
            if garbled * _RARE <= len(high):
                return encoding
    return None


def _likeliest(raw: bytes, trouble: int) -> str:
    """The encoding of whole lines around the byte `trouble`, the first that is no UTF-8."""
    start = max(raw.rfind(b"\n", 0, trouble) + 1, trouble - _SAMPLE_BYTES // 2)
    end = start + _SAMPLE_BYTES
    if end < len(raw):
        end = raw.rfind(b"\n", trouble, end) + 1 or end
    best = charset_normalizer.from_bytes(raw[start:end]).best()
    return best.encoding if best else "cp1252"
