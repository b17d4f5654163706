"""Excerpt: the part of a passage that says why it matched."""

from __future__ import annotations

import re

WORD = re.compile(r"\w+")
_SHORTEST = 3  # letters of a word worth marking
SMALL_WORDS = frozenset("the and for with from that this are was you not but all his her its our out".split())
_LEAD = 30  # characters before the first word that matched


def wanted_words(question: str) -> frozenset[str]:
    """The words of a question worth marking, in lower case."""
    found = {word.lower() for word in WORD.findall(question)}
    return frozenset(word for word in found if len(word) >= _SHORTEST) - SMALL_WORDS


def excerpt(text: str, question: str, *, most: int) -> str:
    """At most `most` characters of `text`, cut between words, "…" where it goes on: where most of the question is."""
    if len(text) <= most:
        return text
    wanted = wanted_words(question)
    places = [match.span() for match in WORD.finditer(text) if match.group().lower() in wanted]
    room = most - 2 - _LEAD

    def worth(begin: int) -> tuple[int, int]:
        """How many different words lie in the room after `begin`, and how close together."""
        inside = [(start, end) for start, end in places if begin <= start and end <= begin + room]
        return len({text[start:end].lower() for start, end in inside}), begin - max(end for _, end in inside)

    best = max((start for start, end in places if end - start <= room), key=worth, default=0)
    begin = 0 if best + room < most else text.find(" ", best - _LEAD, best) + 1 or best
    lead = "…" if begin else ""
    rest = text[begin:]
    if len(rest) + len(lead) <= most:
        return lead + rest
    cut = rest[: most - len(lead) - 1]
    return lead + (cut.rsplit(None, 1)[0] if " " in cut.strip() else cut) + "…"
