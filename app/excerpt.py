"""Excerpt: the part of a passage that says why it matched, and where in it the words of the question are."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import groupby

from data.wording import unspaced_runs

_SHORTEST = 3  # letters of a word worth marking
SMALL_WORDS = frozenset("the and for with from that this are was you not but all his her its our out".split())
_LEAD = 30  # characters before the first word that matched, and most of a word that is not cut at the end
_SOFT_HYPHEN = "\u00ad"
# No marks, and yet of one character with what stands before: Korean vowels and finals, marks of half-width kana.
_COMPOSED = frozenset(map(chr, (*range(0x1160, 0x1200), 0xFF9E, 0xFF9F)))


def is_telling(word: str) -> bool:
    """Whether a word in lower case says what is meant: by three letters, by a digit, or by letters beyond ASCII."""
    long = len(word) >= _SHORTEST or not word.isascii() or any(map(str.isdigit, word))
    return long and word not in SMALL_WORDS


def wanted_words(question: str) -> frozenset[str]:
    """The words of a question worth marking, folded as `word_spans` compares them.

    Short ones are if they are telling or in capitals ("AI"); a letter by itself is none but in a script without spaces.
    """
    return frozenset(
        folded
        for word in _words(unicodedata.normalize("NFKC", question).replace(_SOFT_HYPHEN, ""))
        if is_telling(folded := _folded(word)) or (word.isupper() and folded not in SMALL_WORDS)
        if len(word) > 1 or word.isdigit() or unspaced_runs(word)
    )


def word_spans(text: str, question: str) -> list[tuple[int, int]]:
    """Where in `text` words of the question stand, in order: (first character, one past the last).

    Upper and lower case are one, and so are Unicode's ways to write a character: composed or not, of full width, in a
    ligature. In scripts without spaces a word is found wherever its characters are, elsewhere only as a whole word.
    """
    wanted = sorted(wanted_words(question), key=len, reverse=True)
    if not wanted:
        return []
    folded, starts, ends = _aligned(text)
    spans: list[tuple[int, int]] = []
    for found in re.finditer("|".join(map(re.escape, wanted)), folded):
        first, last = found.span()
        if _joined(folded, first) or _joined(folded, last):
            continue
        begin, end = starts[first], ends[last - 1]
        if not spans or begin >= spans[-1][1]:  # two words may lie in one character, as in ½
            spans.append((begin, end))
    return spans


def excerpt(text: str, question: str, *, most: int) -> str:
    """At most `most` characters of `text`, cut between words, "…" where it goes on: where most of the question is."""
    if len(text) <= most:
        return text
    places = word_spans(text, question)
    lead_most = min(_LEAD, most // 4)
    room = most - 2 - lead_most

    def worth(begin: int) -> tuple[int, int]:
        """How many different words lie in the room after `begin`, and how close together."""
        inside = [(start, end) for start, end in places if begin <= start and end <= begin + room]
        return len({text[start:end].lower() for start, end in inside}), begin - max(end for _, end in inside)

    best = max((start for start, end in places if end - start <= room), key=worth, default=0)
    begin = 0 if best + room < most else text.find(" ", max(0, best - lead_most), best) + 1 or best
    lead = "…" if begin else ""
    rest = text[begin:]
    if len(rest) + len(lead) <= most:
        return lead + rest
    cut = rest[: most - len(lead) - 1]
    whole = cut.rsplit(None, 1)[0] if " " in cut.strip() else cut
    return lead + (whole if len(cut) - len(whole) <= _LEAD else cut) + "…"


def _words(text: str) -> Iterable[str]:
    return ("".join(run) for is_word, run in groupby(text, _in_word) if is_word)


def _in_word(char: str) -> bool:
    """Whether it is a letter, a digit, or a mark on one: the vowels of many scripts are marks."""
    return char.isalnum() or _is_mark(char)


def _joined(text: str, place: int) -> bool:
    """Whether what stands before and after a place is of one word."""
    if not 0 < place < len(text) or not (_in_word(text[place - 1]) and _in_word(text[place])):
        return False
    return _is_mark(text[place]) or not unspaced_runs(text[place - 1 : place + 1])


def _is_mark(char: str) -> bool:
    return unicodedata.category(char).startswith("M")


@lru_cache(maxsize=4096)
def _folded(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).replace(_SOFT_HYPHEN, "").casefold()
    return unicodedata.normalize("NFKC", folded)


def _aligned(text: str) -> tuple[str, Sequence[int], Sequence[int]]:
    """A text folded, and where in the text each character of that begins and ends."""
    folded = text.casefold()
    is_aligned = len(folded) == len(text) and unicodedata.is_normalized("NFKC", text)
    if is_aligned and _SOFT_HYPHEN not in text:  # as most are, which need no walk
        return folded, range(len(text)), range(1, len(text) + 1)
    pieces: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    start = 0
    for end in range(1, len(text) + 1):
        if end < len(text) and (_is_mark(text[end]) or text[end] in _COMPOSED):
            continue
        pieces.append(_folded(text[start:end]))
        starts += [start] * len(pieces[-1])
        ends += [end] * len(pieces[-1])
        start = end
    return "".join(pieces), starts, ends
