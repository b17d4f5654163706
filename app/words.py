"""Words: what the words of a question find by themselves, where they are said or written, and in the names of files."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING
from uuid import UUID

from app.excerpt import is_telling
from app.query import Part, TextPart
from data.naming import spoken_words
from data.records import Evidence, Hit, Kind, SegmentRecord
from data.vectors import Where
from data.wording import asked, indexed

if TYPE_CHECKING:
    from data.catalogue import Catalogue
    from data.vectors import VectorStore

_MOST_PASSAGES = 1_000  # that say one phrase, asked for at once
_MOST_CONTENTS = 500  # named to the store at once
_NO_LETTERS = frozenset({7, 8, 9, 107, 122})  # combining classes of marks that part words, as accents do
_ACCENTS = 200  # from this combining class on


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


def pages_saying(store: VectorStore, segments: Iterable[SegmentRecord], phrases: Sequence[str]) -> set[UUID]:
    """Of the pictures of pages, which have no words of their own, those whose page writes one of the phrases."""
    pages = [one for one in segments if one.kind is Kind.DOCUMENT and one.evidence is Evidence.SEEN]
    if not pages or not phrases:
        return set()
    contents = sorted({page.content for page in pages})
    portions = [contents[start : start + _MOST_CONTENTS] for start in range(0, len(contents), _MOST_CONTENTS)]
    saying = {
        (hit.segment.content, hit.segment.span.page)
        for phrase in phrases
        for portion in portions
        for hit in _passages_saying(store, portion, phrase)
    }
    return {page.id for page in pages if (page.content, page.span.page) in saying}


def _passages_saying(store: VectorStore, contents: Sequence[str], phrase: str) -> Sequence[Hit]:
    """All passages of some contents that say a phrase; of one content with very many, the first of them."""
    where = Where(contents=frozenset(contents), phrases=(phrase,))
    found = store.search_words(phrase, limit=_MOST_PASSAGES, where=where)
    if len(found) < _MOST_PASSAGES or len(contents) == 1:
        return found
    half = len(contents) // 2
    return [
        *_passages_saying(store, contents[:half], phrase),
        *_passages_saying(store, contents[half:], phrase),
    ]


def names_found(catalogue: Catalogue, parts: Sequence[Part], *, fingerprint: str, limit: int) -> dict[str, float]:
    """The contents whose files' names hold words of the text parts, with how rare those are: the mean, by weight.

    Args:
        limit: most contents of each part.
    """
    total = sum(part.weight for part in parts if part.weight > 0)
    found: dict[str, float] = {}
    for part in parts:
        if isinstance(part, TextPart) and part.weight > 0:
            words = [word for word in spoken_words(part.text) if is_telling(word)]
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
        and not (where.without and _says_any(record.snippet, where.without))
    )


def _says_any(text: str, phrases: Sequence[str]) -> bool:
    """Whether a text holds one of the phrases as the store understands them: its words, one after the other."""
    words = f" {_parted(indexed(text))} "
    return any(f" {phrase} " in words for phrase in (_parted(asked(phrase)) for phrase in phrases) if phrase)


def _parted(text: str) -> str:
    """What the store's tokenizer makes of a text, with a space between: letters and digits, in lower case."""
    parted = "".join(char if _in_word(char) else " " for char in text)
    return " ".join(word.lower() for word in parted.split())


@lru_cache(maxsize=4096)
def _in_word(char: str) -> bool:
    if char.isalnum():
        return True
    combining = unicodedata.combining(char)
    return unicodedata.category(char) in ("Mn", "Mc") and combining not in _NO_LETTERS and combining < _ACCENTS
