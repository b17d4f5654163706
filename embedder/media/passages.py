"""Passages: running text cut at sentence and paragraph borders into parts that a model can take in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

MIN_WORDS = 60
MAX_WORDS = 150

_BLANK_LINE = re.compile(r"\n[ \t\r\f\v]*\n\s*")
_SENTENCE_END = re.compile(r"""(?<=[.!?…])["'”’»)\]]*\s+|(?<=[。！？])\s*|\n(?=[ \t]*(?:[-*+•#>|]|\d+[.)]))""")
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\s\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+")
_SHORT = 2_000  # letters of what is most likely one piece
_LONG_WORD = 40  # letters; a longer "word" (base64, a URL) counts once for every so many


@dataclass(frozen=True, slots=True)
class Passage:
    """A part of a text: text[start:end], stripped of outer white space."""

    text: str
    start: int
    end: int


class _Piece(NamedTuple):
    """A sentence, or what stands for one: never longer than MAX_WORDS words."""

    start: int
    end: int
    words: int
    ends_paragraph: bool


def passages(text: str) -> Iterator[Passage]:
    """Parts of MIN_WORDS to MAX_WORDS words, in order; together they hold every word once.

    A paragraph that is long enough stands alone, short ones are joined; the last part of a text may be
    shorter. A Chinese or Japanese character counts as one word.
    """
    start = end = count = 0
    for piece in _pieces(text):
        if count and (count + piece.words > MAX_WORDS):
            yield from _passage(text, start, end)
            count = 0
        if not count:
            start = piece.start
        end = piece.end
        count += piece.words
        if count >= MIN_WORDS and piece.ends_paragraph:
            yield from _passage(text, start, end)
            count = 0
    if count:
        yield from _passage(text, start, end)


def word_count(text: str) -> int:
    """How many words a text has, very long ones counted as several."""
    return sum(1 + (len(match[0]) - 1) // _LONG_WORD for match in _WORD.finditer(text))


def _passage(text: str, start: int, end: int) -> Iterator[Passage]:
    body = text[start:end]
    stripped = body.strip()
    if stripped:
        start += len(body) - len(body.lstrip())
        yield Passage(stripped, start, start + len(stripped))


def _pieces(text: str) -> Iterator[_Piece]:
    for start, end in _cuts(text, _BLANK_LINE, 0, len(text)):
        last: _Piece | None = None
        for a, b in _cuts(text, _SENTENCE_END, start, end):
            for piece in _short_enough(text, a, b):
                if piece.words:
                    if last is not None:
                        yield last
                    last = piece
        if last is not None:
            yield last._replace(ends_paragraph=True)


def _cuts(text: str, border: re.Pattern[str], start: int, end: int) -> Iterator[tuple[int, int]]:
    """The stretches of text[start:end] between borders; each border belongs to the stretch before it."""
    for match in border.finditer(text, start, end):
        if match.end() > start:
            yield start, match.end()
            start = match.end()
    if start < end:
        yield start, end


def _short_enough(text: str, start: int, end: int) -> Iterator[_Piece]:
    """One piece, or several when text[start:end] has more than MAX_WORDS words."""
    if end - start <= _SHORT:
        words = _WORD.findall(text, start, end)
        count = len(words) if end - start <= _LONG_WORD else sum(1 + (len(word) - 1) // _LONG_WORD for word in words)
        if count <= MAX_WORDS:
            yield _Piece(start, end, count, False)
            return
    count, begun = 0, start
    for match in _WORD.finditer(text, start, end):
        at = match.start()
        for _ in range(1 + (len(match[0]) - 1) // _LONG_WORD):
            if count == MAX_WORDS:
                yield _Piece(begun, at, count, False)
                count, begun = 0, at
            count += 1
            at = min(at + _LONG_WORD, match.end())
    yield _Piece(begun, end, count, False)
