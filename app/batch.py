"""Batch: many queries, one a line as JSON, and queries out of what was typed."""

from __future__ import annotations

import io
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO
from uuid import UUID

from app.asking import Example, Question, answered, joined, why_nothing
from app.grammar import Asked, understood
from app.query import DEFAULT_LIMIT, BadQueryError, FilePart, Filters, SegmentPart
from data.errors import MediaError
from data.printing import shortened
from data.records import Kind

if TYPE_CHECKING:
    from app.results import Answer
    from app.wiring import Library

_KEYS = ("words", "files", "like", "weights", "not", "kinds", "limit")


def answer_lines(library: Library, lines: TextIO, tell: Callable[[object], None], *, limit: int = DEFAULT_LIMIT) -> int:
    """Answer each line with one; 1 when some could not be, else 0.

    Args:
        tell: takes an answer, JSON-ready.
        limit: most results of a line that names no limit.
    """
    failed = 0
    for line in lines:
        if not line.strip():
            continue
        try:
            question, wanted = _parsed(line, limit)
            found = answered(library, question, limit=wanted)
            answer = in_json(question, found, why=why_nothing(library, question, found))
        except (BadQueryError, MediaError) as error:
            failed += 1
            answer = {"error": str(error)}
        tell(answer)
    return 1 if failed else 0


@contextmanager
def lines_of(path: Path) -> Iterator[TextIO]:
    """The lines of a file, or of stdin where it is named "-", as UTF-8, with � for bytes that are none.

    Raises:
        BadQueryError: it cannot be opened.
    """
    if str(path) == "-":
        lines = io.TextIOWrapper(sys.stdin.buffer, encoding="utf-8-sig", errors="replace")  # whatever the locale says
        try:
            yield lines
        finally:
            lines.detach()  # or stdin is closed with it
        return
    try:
        lines = path.open(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        reason = error.strerror or str(error)
        raise BadQueryError(f"{str(path)!r}: {reason}; give a file of JSON lines") from error
    with lines:
        yield lines


def in_json(question: Question, answer: Answer, *, why: Sequence[str]) -> dict[str, Any]:
    """An answer, what of the question was not understood, and why nothing was found."""
    return answer.to_json() | {"hints": [*question.hints, *answer.hints, *why]}


def _parsed(line: str, limit: int) -> tuple[Question, int]:
    """A question from one line of a batch, and how many results it wants, `limit` where it does not say.

    Raises:
        BadQueryError: the line is not an object of the keys we know.
    """
    try:
        asked = json.loads(line, object_pairs_hook=_object)
    except (ValueError, RecursionError) as error:
        raise BadQueryError(f"not JSON: {error}; write one object a line") from None
    if not isinstance(asked, dict):
        raise BadQueryError('not an object; write {"words": "…"}')
    unknown = sorted(set(asked) - set(_KEYS))
    if unknown:
        raise BadQueryError(f"unknown key {shortened(unknown[0])!r}; use {', '.join(_KEYS)}")
    wanted = limit if asked.get("limit") is None else asked["limit"]
    if type(wanted) is not int:
        raise BadQueryError("limit must be a whole number, as in 20")
    said = typed(" ".join(_texts(asked, "words")), _texts(asked, "kinds"))
    examples = examples_of(_texts(asked, "files"), _texts(asked, "like"))
    question = joined(said, avoid=_texts(asked, "not"), examples=examples, weights=_numbers(asked, "weights"))
    return question, wanted


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON, unless one of its values would be lost unseen."""
    asked = dict(pairs)
    if len(asked) < len(pairs):
        twice, _ = Counter(key for key, _ in pairs).most_common(1)[0]
        raise BadQueryError(f"key {shortened(twice)!r} is there more than once; give it once, several values as a list")
    return asked


def _texts(asked: dict[str, Any], key: str) -> list[str]:
    """The value of a key that may be missing, one text, or a list of texts."""
    value = asked.get(key)
    values = [] if value is None else value if isinstance(value, list) else [value]
    if not all(isinstance(text, str) for text in values):
        raise BadQueryError(f"{key} must be text or a list of texts")
    return values


def _numbers(asked: dict[str, Any], key: str) -> list[float]:
    """The value of a key that may be missing, or a list of numbers."""
    values = [] if asked.get(key) is None else asked[key]
    if not isinstance(values, list) or not all(type(value) in (int, float) for value in values):
        raise BadQueryError(f"{key} must be a list of numbers")
    try:
        return [float(value) for value in values]
    except OverflowError:
        raise BadQueryError(f"{key} must be a list of numbers from -10 to 10") from None


def examples_of(files: Sequence[str | Path], like: Sequence[str]) -> list[Example]:
    """Files, and segments of the library by their ids, as examples.

    Raises:
        BadQueryError: an id is none, or a path begins with ~ and names nobody.
    """
    return [*(FilePart(_at_home(path)) for path in files), *(_segment(one) for one in like)]


def _segment(id: str) -> SegmentPart:
    try:
        return SegmentPart(UUID(id))
    except ValueError:
        raise BadQueryError(
            f"{shortened(id)!r} is no id; a segment's id is in each moment of an answer in JSON"
        ) from None


def _at_home(path: str | Path) -> Path:
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise BadQueryError(f"{str(path)!r}: {error}; write ./{path} for a file of that name") from None


def typed(words: str, kinds: Sequence[str]) -> Asked:
    """What was typed, for files of some kinds.

    Raises:
        BadQueryError: there is no such kind.
    """
    try:
        wanted = frozenset(Kind(kind) for kind in kinds)
    except ValueError as error:
        raise BadQueryError(f"{shortened(str(error))}; kinds are {', '.join(kind.value for kind in Kind)}") from None
    return understood(words, Filters(kinds=wanted))
