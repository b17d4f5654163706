"""Batch: many queries, one a line as JSON, and queries out of what was typed."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from app.grammar import Asked, understood
from app.query import DEFAULT_LIMIT, NOT_WEIGHT, BadQueryError, FilePart, Filters, Part, Query, TextPart
from data.errors import MediaError
from data.records import Kind

if TYPE_CHECKING:
    from app.search import SearchService


def answer_lines(service: SearchService, lines: TextIO, tell: Callable[[str], None]) -> int:
    """Answer each line with one; 1 when some could not be, else 0."""
    failed = 0
    for line in lines:
        if not line.strip():
            continue
        try:
            query, hints = _parsed(line)
            answer: dict[str, Any] = service.search(query).to_json() | ({"hints": hints} if hints else {})
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
        lines = path.open(encoding="utf-8")
    except OSError as error:
        reason = error.strerror or str(error)
        raise BadQueryError(f"{str(path)!r}: {reason}; give a file of JSON lines") from error
    with lines:
        yield lines


def _parsed(line: str) -> tuple[Query, tuple[str, ...]]:
    """A query from one line of a batch, and what in it was not understood.

    Raises:
        BadQueryError: the line is not an object of the keys we know.
    """
    try:
        asked = json.loads(line)
    except ValueError as error:
        raise BadQueryError(f"not JSON: {error}; write one object a line") from None
    if not isinstance(asked, dict):
        raise BadQueryError('not an object; write {"words": "…"}')
    unknown = sorted(set(asked) - {"words", "files", "not", "kinds", "limit"})
    if unknown:
        raise BadQueryError(f"unknown key {unknown[0]!r}; use words, files, not, kinds, limit")
    limit = asked.get("limit", DEFAULT_LIMIT)
    if not isinstance(limit, int) or isinstance(limit, bool):
        raise BadQueryError(f"limit must be a whole number, not {limit!r}")
    said = typed(" ".join(_texts(asked, "words")), _texts(asked, "kinds"))
    files = [Path(path) for path in _texts(asked, "files")]
    return query_of(said, files=files, avoid=_texts(asked, "not"), limit=limit), said.hints


def _texts(asked: dict[str, Any], key: str) -> list[str]:
    """The value of a key that may be missing, one text, or a list of texts."""
    value = asked.get(key)
    values = [] if value is None else value if isinstance(value, list) else [value]
    if not all(isinstance(text, str) for text in values):
        raise BadQueryError(f"{key} must be text or a list of texts")
    return values


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


def query_of(asked: Asked, *, files: Sequence[Path], avoid: Sequence[str], limit: int) -> Query:
    """One query of what was typed and what was named beside it.

    Raises:
        BadQueryError: it asks for nothing.
    """
    parts: list[Part] = [*asked.parts(), *(FilePart(path.expanduser()) for path in files)]
    parts += [TextPart(text, NOT_WEIGHT) for text in avoid]
    if not any(part.weight > 0 for part in parts):
        raise BadQueryError("nothing to look for; give WORDS or --file PATH")
    return Query(parts=tuple(parts), then=asked.following, filters=asked.filters, limit=limit)
