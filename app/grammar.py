"""Grammar: what a person typed into the box, as words and filters.

    rain then applause
    dog on a beach  kind:video  in:trips/  after:2024-05  longer:30s  "exact phrase"  -rain

Free words are looked for by what they mean; tokens narrow down. What looks like a token and is none stays words and
gets a hint: a question never fails for its form.
"""

from __future__ import annotations

import difflib
import math
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from app.query import ANYTHING, THEN, Filters, TextPart
from data.printing import shortened
from data.records import FARTHEST_NS, Evidence, FileChoice, Kind
from embedder.segment import whole_characters

_MINUS = "-–−"  # a keyboard, or what corrects what it types, may give any of them
_MARKS = '"“”„‟＂'  # what begins with one may end with another, as „rote Milan“ does
_QUOTES = (*_MARKS, "«", "»")
# A pair of plain ones first: between them the others belong to a name.
_QUOTED = rf'(?:"[^"]*"|[{_MARKS}][^{_MARKS}]*[{_MARKS}]|[«»][^«»]*[«»])'
_VALUE = rf"(?:{_QUOTED}|[^\s,]*)"
_ONE_VALUE = re.compile(rf"{_QUOTED}|[^,]+")
_TOKEN = re.compile(
    rf"(?P<minus>[{_MINUS}]?)(?:(?P<phrase>{_QUOTED})"
    rf"|(?P<key>[A-Za-z]{{2,12}})[:\uff1a](?P<value>{_VALUE}(?:,{_VALUE})*)|(?P<word>\S+))"
)
_HAS_LETTERS = re.compile(r"[^\W_]")  # or digits: other signs the store does not look for
_HAS_SIGNS = re.compile(r"[^\W_][+#]")
_DATE = re.compile(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?")
_LENGTH = re.compile(r"(?:(\d+)h)?(?:(\d+)m(?:in)?)?(?:(\d+(?:\.\d+)?)s?)?")
_ALIKE = 0.7  # of a key that was mistyped
_NOT_BEFORE_THEN = frozenset("back since until till by from".split())  # "back then" is a time, not an order
_MANY = ","  # between values of which any will do
_MOST = 100  # values of one kind, and words that are left out: each makes the question to the database longer
_SURPLUS = f"no more than {_MOST} words are left out; take one away first"
_MOST_STEPS = 20  # of a sequence
_SAME_TYPE = (("jpg", "jpeg"), ("tif", "tiff"), ("htm", "html"), ("mpg", "mpeg"))
_KIND_NAMES = {"photo": "image", "picture": "image", "film": "video", "movie": "video", "sound": "audio"}
_FIRST = "take that away first"


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
        exact: of a sequence: the phrases of each thing, `words` first; () elsewhere, where they are among the filters.
        avoided: what it should not be like.
        tokens: in the order typed.
        hints: what was not understood, each with the next step.
    """

    words: str
    then: tuple[str, ...]
    exact: tuple[tuple[str, ...], ...]
    avoided: tuple[str, ...]
    filters: Filters
    tokens: tuple[Token, ...]
    hints: tuple[str, ...]

    @property
    def first(self) -> TextPart:
        """The words as a part of a query."""
        return TextPart(self.words, phrases=self.exact[0] if self.exact else ())

    @property
    def following(self) -> tuple[TextPart, ...]:
        """What follows, as parts of a query."""
        return tuple(TextPart(words, phrases=exact) for words, exact in zip(self.then, self.exact[1:], strict=True))

    @property
    def said(self) -> str:
        """All the words that are looked for, to be marked where they are found."""
        return " ".join([self.words, *self.then])


class _NotUnderstoodError(Exception):
    """A token whose value is none; the message is the hint."""


def understood(text: str, filters: Filters = ANYTHING) -> Asked:
    """What a person typed, on top of filters that hold anyway."""
    words: list[list[str]] = [[]]  # of each thing in a sequence
    exact: list[list[str]] = [[]]
    thens: list[Token] = []
    avoided: list[str] = []
    tokens: list[Token] = []
    hints: list[str] = []
    for found in _TOKEN.finditer(text):
        minus, key = bool(found["minus"]), (found["key"] or "").lower()
        typed = shortened(found.group()).rstrip(":\uff1a")  # as hints name it
        said = " ".join(_unquoted(found["phrase"] or found["word"] or "").split())
        is_phrase = found["phrase"] is not None and bool(_HAS_LETTERS.search(said))
        if found["phrase"] is not None and said and not is_phrase:
            what = "nothing is left out for it" if minus else "looked for as a word"
            hints.append(f"{typed}: {what}; word for word only letters and digits count")
        if minus and not _HAS_LETTERS.search(said or key):
            minus, said = False, "" if found["phrase"] is not None else found.group()
        if key in _KEYS and not minus:
            try:
                filters = _KEYS[key](filters, _values(found["value"]))
            except _NotUnderstoodError as hint:
                hints.append(f"{typed}: {hint}")
            else:
                tokens.append(Token(found.group(), *found.span()))
            continue
        if key:
            near = difflib.get_close_matches(key, _KEYS, n=1, cutoff=_ALIKE)
            if minus and key in _KEYS:
                hints.append(f"{typed}: only words and phrases can be left out; write -word")
                continue
            if near and found["value"]:
                hints.append(f"{typed}: looked for as words; did you mean {near[0]}: ?")
            said = found.group().lstrip(_MINUS)
        said = whole_characters(said)
        if not said:
            continue
        if (minus or is_phrase) and _HAS_SIGNS.search(said):
            hints.append(f"{typed}: word for word only letters and digits count, + and # do not")
        if minus and len(avoided) == _MOST:
            if _SURPLUS not in hints:
                hints.append(_SURPLUS)
            continue
        if minus:
            avoided.append(said)
            filters = replace(filters, without=(*filters.without, said))
        else:
            is_time = bool(words[-1]) and words[-1][-1].lower() in _NOT_BEFORE_THEN
            is_joint = said in (THEN, THEN.upper()) and not is_phrase and not is_time
            if is_joint and len(thens) < _MOST_STEPS:
                thens.append(Token(said, *found.span()))
                words.append([])
                exact.append([])
            else:
                words[-1].append(said)
            if is_phrase:
                exact[-1].append(said)
        if minus or is_phrase:
            tokens.append(Token(found.group(), *found.span()))
    things = [" ".join(each) for each in words]
    if not all(things):  # "then" at an end is a word like others
        things, thens = [" ".join(f" {THEN} ".join(things).split())], []
    if len(things) == 1:
        filters = replace(filters, phrases=(*filters.phrases, *(phrase for each in exact for phrase in each)))
    return Asked(
        words=things[0],
        then=tuple(things[1:]),
        exact=tuple(tuple(each) for each in exact) if len(things) > 1 else (),
        avoided=tuple(avoided),
        filters=filters,
        tokens=tuple(sorted([*tokens, *thens], key=lambda token: token.start)),
        hints=tuple(hints),
    )


def without_token(text: str, token: Token) -> str:
    """What was typed, less a token."""
    return f"{text[: token.start].rstrip()} {text[token.end :].lstrip()}".strip()


def _kinds(filters: Filters, values: list[str]) -> Filters:
    named = [_KIND_NAMES.get(one, one) for one in (value.lower().removesuffix("s") for value in values)]
    wanted = frozenset(Kind(one) for one in _known(named, [kind.value for kind in Kind], "kinds"))
    both = wanted & filters.kinds if filters.kinds else wanted
    if not both:
        raise _NotUnderstoodError(f"only {_listed(filters.kinds)} is looked for; {_FIRST}")
    return replace(filters, kinds=both)


def _evidence(filters: Filters, values: list[str]) -> Filters:
    wanted = frozenset(Evidence(one) for one in _known(values, [one.value for one in Evidence], "evidence"))
    both = wanted & filters.evidence if filters.evidence else wanted
    if not both:
        raise _NotUnderstoodError(f"only what is {_listed(filters.evidence)} is looked for already; {_FIRST}")
    return replace(filters, evidence=both)


def _languages(filters: Filters, values: list[str]) -> Filters:
    codes = _some(values, "fr")
    if not all(re.fullmatch(r"[A-Za-z]{2}", code) for code in codes):
        raise _NotUnderstoodError("write a language as its code of two letters, as in lang:fr")
    wanted = frozenset(code.lower() for code in codes)
    both = wanted & filters.languages if filters.languages else wanted
    if not both:
        raise _NotUnderstoodError(f"only what is in {_listed(filters.languages)} is looked for already; {_FIRST}")
    return replace(filters, languages=both)


def _folders(filters: Filters, values: list[str]) -> Filters:
    folders = _some(values, "trips/")
    try:
        "".join(folders).encode("utf-8", "surrogateescape")  # bytes of a name may be no characters
    except UnicodeEncodeError:
        raise _NotUnderstoodError("half a character stands in it, as in no path; write it again") from None
    folders = [_whole(folder) for folder in folders]
    return _files(filters, folders=_together(filters.files.folders, folders))


def _whole(folder: str) -> str:
    """A folder as the catalogue has it: no shell has put in what `~` and `./` stand for."""
    if folder.split("/")[0] == "~":
        return os.path.expanduser(folder)
    return folder.removeprefix("./") or folder


def _types(filters: Filters, values: list[str]) -> Filters:
    wanted = [whole_characters(one).lower().lstrip(".") for one in _some(values, "pdf")]
    meant = [same for one in wanted for same in next((types for types in _SAME_TYPE if one in types), (one,))]
    return _files(filters, suffixes=_together(filters.files.suffixes, meant))


def _after(filters: Filters, values: list[str]) -> Filters:
    least, most = filters.files.since_ns, filters.files.before_ns
    since_ns = max(_moment_ns(_MANY.join(values)), -FARTHEST_NS if least is None else least)
    if most is not None and since_ns >= most:
        raise _NotUnderstoodError(f"before: leaves nothing of it; {_FIRST}")
    return _files(filters, since_ns=since_ns)


def _before(filters: Filters, values: list[str]) -> Filters:
    least, most = filters.files.since_ns, filters.files.before_ns
    before_ns = min(_moment_ns(_MANY.join(values)), FARTHEST_NS if most is None else most)
    if least is not None and least >= before_ns:
        raise _NotUnderstoodError(f"after: leaves nothing of it; {_FIRST}")
    return _files(filters, before_ns=before_ns)


def _longer(filters: Filters, values: list[str]) -> Filters:
    least, most = filters.files.longer_s, filters.files.shorter_s
    longer_s = max(_seconds(_MANY.join(values)), least or 0.0)
    if most is not None and longer_s >= most:
        raise _NotUnderstoodError(f"shorter: leaves nothing of it; {_FIRST}")
    return _files(filters, longer_s=longer_s)


def _shorter(filters: Filters, values: list[str]) -> Filters:
    least, most = filters.files.longer_s, filters.files.shorter_s
    shorter_s = min(_seconds(_MANY.join(values)), math.inf if most is None else most)
    if least is not None and least >= shorter_s:
        raise _NotUnderstoodError(f"longer: leaves nothing of it; {_FIRST}")
    return _files(filters, shorter_s=shorter_s)


_KEYS: Mapping[str, Callable[[Filters, list[str]], Filters]] = {
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


def _values(text: str) -> list[str]:
    """What stands behind a token's colon: values with commas between, in quotation marks those with commas in them."""
    parts = [_unquoted(part).strip() for part in _ONE_VALUE.findall(text)]
    return [part for part in parts if part]


def _together(known: Sequence[str], more: Iterable[str]) -> tuple[str, ...]:
    values = tuple(dict.fromkeys([*known, *more]))
    if len(values) > _MOST:
        raise _NotUnderstoodError(f"no more than {_MOST} values are looked for; leave some out")
    return values


def _unquoted(text: str) -> str:
    return text[1:-1] if re.fullmatch(_QUOTED, text) else text.strip("".join(_QUOTES))


def _known(values: list[str], names: Sequence[str], what: str) -> list[str]:
    found = [one.lower() for one in _some(values, names[0])]
    if not set(found) <= set(names):
        raise _NotUnderstoodError(f"{what} are {', '.join(names)}")
    return found


def _some(values: list[str], example: str) -> list[str]:
    if not values:
        raise _NotUnderstoodError(f"a value is missing; write for example {example}")
    return values


def _listed(known: Iterable[str]) -> str:
    return " or ".join(sorted(known))


def _moment_ns(value: str) -> int:
    """The beginning of a year, a month or a day, where the machine is."""
    found = _DATE.fullmatch(value)
    try:
        assert found is not None
        year, month, day = (int(part or 1) for part in found.groups())
        moment_ns = int(datetime(year, month, day).timestamp()) * 1_000_000_000
    except (AssertionError, ValueError, OverflowError, OSError):
        raise _NotUnderstoodError("write a date as 2024, 2024-05 or 2024-05-31") from None
    return min(max(moment_ns, -FARTHEST_NS), FARTHEST_NS)


def _seconds(value: str) -> float:
    found = _LENGTH.fullmatch(re.sub(r"h(\d+)$", r"h\1m", value.lower()))  # 1h20, as people say it
    if not value or found is None:
        raise _NotUnderstoodError("write a length as 30s, 5m or 1h20m")
    hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return hours * 3600 + minutes * 60 + seconds
