"""Verdicts: thumbs up and down on results re-rank at once, and are kept to judge the search by later."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from app.query import FilePart, Filters, JudgedPart, Part, Query, SegmentPart, TextPart
from data.records import Evidence, FileChoice, Kind, Verdict

if TYPE_CHECKING:
    from data.catalogue import Catalogue

RIGHT_WEIGHT, WRONG_WEIGHT = 0.5, -0.3  # of being like what was right or wrong, beside the question itself


def as_question(query: Query) -> str:
    """What is asked, as JSON: the same for the same question, whatever number of results it wants."""
    asked = {
        "parts": [_part_json(part) for part in query.parts],
        "then": [_part_json(part) for part in query.then],
        "filters": _filters_json(query.filters),
    }
    return json.dumps(asked, sort_keys=True, ensure_ascii=False)


def from_question(question: str, catalogue: Catalogue) -> Query | None:
    """The query that `as_question` wrote; None where a file that it asks by is not in the library."""
    asked = json.loads(question)
    parts = [_part(part, catalogue) for part in asked["parts"]]
    if not all(parts):
        return None
    then = (_text(part) for part in asked["then"])
    return Query(parts=tuple(part for part in parts if part), then=tuple(then), filters=_filters(asked["filters"]))


def reranked(query: Query, verdicts: Sequence[Verdict]) -> Query:
    """The query with what was said of its results: more like what was right, less like what was wrong."""
    said = [
        JudgedPart(ids, weight)
        for is_right, weight in ((True, RIGHT_WEIGHT), (False, WRONG_WEIGHT))
        if (ids := tuple(verdict.segment for verdict in verdicts if verdict.is_right is is_right))
    ]
    wrong = frozenset(verdict.content for verdict in verdicts if not verdict.is_right)
    return replace(query, parts=(*query.parts, *said), wrong=wrong)


def _part_json(part: Part) -> dict[str, Any]:
    if isinstance(part, TextPart):
        exact = {"phrases": part.phrases} if part.phrases else {}
        return {"text": part.text, "weight": part.weight} | exact
    if isinstance(part, SegmentPart):
        return {"segment": str(part.id), "weight": part.weight}
    assert isinstance(part, FilePart), "what was said of the answers is no part of the question"
    return {"content": part.content, "weight": part.weight}


def _part(asked: Mapping[str, Any], catalogue: Catalogue) -> Part | None:
    weight = asked["weight"]
    if "text" in asked:
        return _text(asked)
    if "segment" in asked:
        return SegmentPart(UUID(asked["segment"]), weight)
    files = catalogue.files_of([asked["content"]]).get(asked["content"])
    return FilePart(Path(files[0].path), weight, asked["content"]) if files else None


def _text(asked: Mapping[str, Any]) -> TextPart:
    return TextPart(asked["text"], asked["weight"], tuple(asked.get("phrases", ())))


def _filters_json(filters: Filters) -> dict[str, Any]:
    return {name: sorted(value) if isinstance(value, frozenset) else value for name, value in asdict(filters).items()}


def _filters(asked: Mapping[str, Any]) -> Filters:
    files: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in asked["files"].items()
    }
    return Filters(
        kinds=frozenset(Kind(one) for one in asked["kinds"]),
        evidence=frozenset(Evidence(one) for one in asked["evidence"]),
        languages=frozenset(asked["languages"]),
        phrases=tuple(asked["phrases"]),
        without=tuple(asked["without"]),
        files=FileChoice(**files),
    )
