"""Words: what the words of a question find by themselves, where they are said or written, and in the names of files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from app.excerpt import SMALL_WORDS
from app.query import Part, TextPart
from data.naming import spoken_words
from data.records import Hit, SegmentRecord

if TYPE_CHECKING:
    from data.catalogue import Catalogue
    from data.vectors import VectorStore, Where

_SHORTEST = 3  # letters of a word that may name a file


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


def names_found(catalogue: Catalogue, parts: Sequence[Part], *, fingerprint: str, limit: int) -> dict[str, float]:
    """The contents whose files' names hold words of the text parts, with how rare those are: the mean, by weight.

    Args:
        limit: most contents of each part.
    """
    total = sum(part.weight for part in parts if part.weight > 0)
    found: dict[str, float] = {}
    for part in parts:
        if isinstance(part, TextPart) and part.weight > 0:
            words = [word for word in spoken_words(part.text) if _tells(word)]
            for content, rarity in catalogue.named(words, fingerprint, limit=limit).items():
                found[content] = found.get(content, 0.0) + rarity * part.weight / total
    return found


def fits(record: SegmentRecord, where: Where) -> bool:
    """Whether a segment that was found by its file's name is what a filter wants; of its words that is not known."""
    return (
        not where.languages
        and not where.phrases
        and (where.kinds is None or record.kind in where.kinds)
        and (where.evidence is None or record.evidence in where.evidence)
        and (where.contents is None or record.content in where.contents)
        and not any(phrase.lower() in record.snippet.lower() for phrase in where.without)
    )


def _tells(word: str) -> bool:
    return word not in SMALL_WORDS and (len(word) >= _SHORTEST or word.isdecimal() or not word.isascii())
