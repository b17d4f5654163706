"""Batch: many queries, one a line as JSON, and queries out of what was typed."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO
from uuid import UUID

from app.asking import Example, Question, answered, joined
from app.grammar import Asked, understood
from app.query import DEFAULT_LIMIT, BadQueryError, FilePart, Filters, SegmentPart
from data.errors import MediaError
from data.records import Kind

if TYPE_CHECKING:
    from app.results import Answer
    from app.wiring import Library

_KEYS = ("words", "files", "like", "weights", "not", "kinds", "limit")


def answer_lines(library: Library, lines: TextIO, tell: Callable[[str], None]) -> int:
    """Answer each line with one; 1 when some could not be, else 0."""
    failed = 0
    for line in lines:
        if not line.strip():
            continue
        try:
            question, limit = _parsed(line)
            answer = in_json(question, answered(library, question, limit=limit))
        except (BadQueryError, MediaError) as error:
            failed += 1
            answer = {"error": str(error)}
        tell(json.dumps(answer, ensure_ascii=False))
    return 1 if failed else 0


@contextmanager
def lines_of(path: Path) -> Iterator[TextIO]:
    """The lines of a file, or of stdin where it is named "-".

    Raises:
        BadQueryError: it cannot be opened.
    """
    if str(path) == "-":
        with nullcontext(sys.stdin) as lines:
            yield lines
        return
    try:
        lines = path.open(encoding="utf-8", errors="replace")
    except OSError as error:
        reason = error.strerror or str(error)
        raise BadQueryError(f"{str(path)!r}: {reason}; give a file of JSON lines") from error
    with lines:
        yield lines


def in_json(question: Question, answer: Answer) -> dict[str, Any]:
    """An answer, and what of the question was not understood."""
    hints = [*question.hints, *answer.hints]
    return answer.to_json() | ({"hints": hints} if hints else {})


def _parsed(line: str) -> tuple[Question, int]:
    """A question from one line of a batch, and how many results it wants.

    Raises:
        BadQueryError: the line is not an object of the keys we know.
    """
    try:
        asked = json.loads(line)
    except ValueError as error:
        raise BadQueryError(f"not JSON: {error}; write one object a line") from None
    if not isinstance(asked, dict):
        raise BadQueryError('not an object; write {"words": "…"}')
    unknown = sorted(set(asked) - set(_KEYS))
    if unknown:
        raise BadQueryError(f"unknown key {unknown[0]!r}; use {', '.join(_KEYS)}")
    limit = asked.get("limit", DEFAULT_LIMIT)
    if not isinstance(limit, int) or isinstance(limit, bool):
        raise BadQueryError(f"limit must be a whole number, not {limit!r}")
    said = typed(" ".join(_texts(asked, "words")), _texts(asked, "kinds"))
    examples = examples_of(_texts(asked, "files"), _texts(asked, "like"))
    question = joined(said, avoid=_texts(asked, "not"), examples=examples, weights=_numbers(asked, "weights"))
    return question, limit


def _texts(asked: dict[str, Any], key: str) -> list[str]:
    """The value of a key that may be missing, one text, or a list of texts."""
    value = asked.get(key)
    values = [] if value is None else value if isinstance(value, list) else [value]
    if not all(isinstance(text, str) for text in values):
        raise BadQueryError(f"{key} must be text or a list of texts")
    return values


def _numbers(asked: dict[str, Any], key: str) -> list[float]:
    values = asked.get(key) or []
    if not isinstance(values, list) or not all(type(value) in (int, float) for value in values):
        raise BadQueryError(f"{key} must be a list of numbers")
    return values


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
        raise BadQueryError(f"{id!r} is no id; a segment's id is in each moment of an answer in JSON") from None


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
        raise BadQueryError(f"{error}; kinds are {', '.join(kind.value for kind in Kind)}") from None
    return understood(words, Filters(kinds=wanted))
