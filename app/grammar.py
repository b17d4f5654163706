"""Grammar: what a person typed into the box, as words and filters.

    rain then applause
    dog on a beach  kind:video  in:trips/  after:2024-05  longer:30s  "exact phrase"  -rain

Free words are looked for by what they mean; tokens narrow down. What looks like a token and is none stays words and
gets a hint: a question never fails for its form.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from app.query import ANYTHING, THEN, Filters, TextPart
from data.records import Evidence, FileChoice, Kind

_TOKEN = re.compile(
    r"""(?P<minus>-?)(?:"(?P<phrase>[^"]*)"|(?P<key>[A-Za-z]{2,12}):(?P<value>"[^"]*"|\S*)|(?P<word>\S+))"""
)
_HAS_LETTERS = re.compile(r"\w")
_DATE = re.compile(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?")
_LENGTH = re.compile(r"(?:(\d+)h)?(?:(\d+)m(?:in)?)?(?:(\d+(?:\.\d+)?)s?)?")
_ALIKE = 0.7  # of a key that was mistyped
_NOT_BEFORE_THEN = frozenset("back since until till by from".split())  # "back then" is a time, not an order
_MANY = ","  # between values of which any will do


@dataclass(frozen=True, slots=True)
class Token:
    """A part of the box that narrows down: text[start:end] as it was typed."""

    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What was typed, understood.

    Args:
        words: what is looked for by what it means; "" where tokens are all there is.
        then: what follows it in the same recording, one after the other.
        avoided: what it should not be like.
        tokens: in the order typed.
        hints: what was not understood, each with the next step.
    """

    words: str
    then: tuple[str, ...]
    avoided: tuple[str, ...]
    filters: Filters
    tokens: tuple[Token, ...]
    hints: tuple[str, ...]

    @property
    def following(self) -> tuple[TextPart, ...]:
        """What follows, as parts of a query."""
        return tuple(TextPart(words) for words in self.then)

    @property
    def said(self) -> str:
        """All the words that are looked for, to be marked where they are found."""
        return " ".join([self.words, *self.then])


class _NotUnderstoodError(Exception):
    """A token whose value is none; the message is the hint."""


def understood(text: str, filters: Filters = ANYTHING) -> Asked:
    """What a person typed, on top of filters that hold anyway."""
    words: list[list[str]] = [[]]  # of each thing in a sequence
    thens: list[Token] = []
    avoided: list[str] = []
    tokens: list[Token] = []
    hints: list[str] = []
    for found in _TOKEN.finditer(text):
        minus, key = found["minus"] == "-", (found["key"] or "").lower()
        said = " ".join((found["phrase"] or (found["word"] or "").strip('"')).split())
        if minus and not _HAS_LETTERS.search(said or key):
            minus, said = False, found.group()
        if key in _KEYS and not minus:
            try:
                filters = _KEYS[key](filters, found["value"].strip('"'))
            except _NotUnderstoodError as hint:
                hints.append(f"{found.group()}: {hint}")
            else:
                tokens.append(Token(found.group(), *found.span()))
            continue
        if key:
            near = difflib.get_close_matches(key, _KEYS, n=1, cutoff=_ALIKE)
            if minus and key in _KEYS:
                hints.append(f"{found.group()}: only words and phrases can be left out; write -word")
                continue
            if near and found["value"]:
                hints.append(f"{found.group()}: looked for as words; did you mean {near[0]}: ?")
            said = found.group().lstrip("-")
        if not said:
            continue
        if minus:
            avoided.append(said)
            filters = replace(filters, without=(*filters.without, said))
        else:
            is_time = bool(words[-1]) and words[-1][-1].lower() in _NOT_BEFORE_THEN
            if said == THEN and found["phrase"] is None and not is_time:
                thens.append(Token(said, *found.span()))
                words.append([])
            else:
                words[-1].append(said)
            if found["phrase"] is not None:
                filters = replace(filters, phrases=(*filters.phrases, said))
        if minus or found["phrase"] is not None:
            tokens.append(Token(found.group(), *found.span()))
    things = [" ".join(each) for each in words]
    if not all(things):  # "then" at an end is a word like others
        things, thens = [" ".join(f" {THEN} ".join(things).split())], []
    return Asked(
        words=things[0],
        then=tuple(things[1:]),
        avoided=tuple(avoided),
        filters=filters,
        tokens=tuple(sorted([*tokens, *thens], key=lambda token: token.start)),
        hints=tuple(hints),
    )


def without_token(text: str, token: Token) -> str:
    """What was typed, less a token."""
    return " ".join((text[: token.start] + " " + text[token.end :]).split())


def _kinds(filters: Filters, value: str) -> Filters:
    return replace(filters, kinds=frozenset(Kind(one) for one in _known(value, [kind.value for kind in Kind], "kinds")))


def _evidence(filters: Filters, value: str) -> Filters:
    senses = _known(value, [one.value for one in Evidence], "evidence")
    return replace(filters, evidence=frozenset(Evidence(one) for one in senses))


def _languages(filters: Filters, value: str) -> Filters:
    codes = _many(value, "fr")
    if not all(re.fullmatch(r"[A-Za-z]{2}", code) for code in codes):
        raise _NotUnderstoodError("write a language as its code of two letters, as in lang:fr")
    return replace(filters, languages=frozenset(code.lower() for code in codes))


def _folders(filters: Filters, value: str) -> Filters:
    return _files(filters, folders=(*filters.files.folders, *_many(value, "trips/")))


def _types(filters: Filters, value: str) -> Filters:
    return _files(filters, suffixes=(*filters.files.suffixes, *_many(value, "pdf")))


def _after(filters: Filters, value: str) -> Filters:
    return _files(filters, since_ns=_moment_ns(value))


def _before(filters: Filters, value: str) -> Filters:
    return _files(filters, before_ns=_moment_ns(value))


def _longer(filters: Filters, value: str) -> Filters:
    return _files(filters, longer_s=_seconds(value))


def _shorter(filters: Filters, value: str) -> Filters:
    return _files(filters, shorter_s=_seconds(value))


_KEYS: Mapping[str, Callable[[Filters, str], Filters]] = {
    "kind": _kinds,
    "evidence": _evidence,
    "lang": _languages,
    "in": _folders,
    "type": _types,
    "after": _after,
    "before": _before,
    "longer": _longer,
    "shorter": _shorter,
}


def _files(filters: Filters, **changes: object) -> Filters:
    files: FileChoice = replace(filters.files, **changes)  # type: ignore[arg-type]
    return replace(filters, files=files)


def _known(value: str, names: Sequence[str], what: str) -> list[str]:
    found = [one.lower() for one in _many(value, names[0])]
    if not set(found) <= set(names):
        raise _NotUnderstoodError(f"{what} are {', '.join(names)}")
    return found


def _many(value: str, example: str) -> list[str]:
    found = [one.strip() for one in value.split(_MANY) if one.strip()]
    if not found:
        raise _NotUnderstoodError(f"a value is missing; write for example {example}")
    return found


def _moment_ns(value: str) -> int:
    """The beginning of a year, a month or a day, where the machine is."""
    found = _DATE.fullmatch(value)
    try:
        assert found is not None
        year, month, day = (int(part or 1) for part in found.groups())
        return int(datetime(year, month, day).timestamp()) * 1_000_000_000
    except (AssertionError, ValueError, OverflowError, OSError):
        raise _NotUnderstoodError("write a date as 2024, 2024-05 or 2024-05-31") from None


def _seconds(value: str) -> float:
    found = _LENGTH.fullmatch(value.lower())
    if not value or found is None:
        raise _NotUnderstoodError("write a length as 30s, 5m or 1h20m")
    hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return hours * 3600 + minutes * 60 + seconds
