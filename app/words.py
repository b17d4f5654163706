"""Words: what the words of a question find by themselves, wherever they are said or written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from app.query import Part, TextPart
from data.records import Hit

if TYPE_CHECKING:
    from data.vectors import VectorStore, Where


def words_found(store: VectorStore, parts: Sequence[Part], *, where: Where, limit: int) -> dict[UUID, Hit]:
    """The segments that hold words of the text parts, with their BM25: the mean over all parts, by weight.

    A part that is no text, or that says what is not wanted, holds no words.

    Args:
        limit: most segments of each part.
    """
    total = sum(part.weight for part in parts if part.weight > 0)
    found: dict[UUID, Hit] = {}
    for part in parts:
        if isinstance(part, TextPart) and part.weight > 0:
            for hit in store.search_words(part.text, limit=limit, where=where):
                before = found[hit.segment.id].score if hit.segment.id in found else 0.0
                found[hit.segment.id] = Hit(hit.segment, before + hit.score * part.weight / total)
    return found
