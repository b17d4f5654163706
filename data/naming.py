"""Naming: the words of files' names and of the folders they lie in, and the contents that such words name."""

from __future__ import annotations

import math
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select

from data.tables import FILES, NAME_WORDS, OUTCOMES, is_indexed
from data.wording import pairs, unspaced_runs

_PIECE = re.compile(r"[^\W\d_]+|\d+")
_RUN = re.compile(r"[^\W_]+")  # letters and digits together, as in IMG2041
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")
_LONGEST = 60  # characters of a word
_MOST = 40  # words of a path
_COMMON = 2_000  # files: a word that so many have tells too little to go through them

# Asked for every word of every question: built once, for building takes longer than answering.
_ABOUT = select(func.max(FILES.c.id))  # how many files there are, about
_HELD = select(func.count()).select_from(
    select(NAME_WORDS.c.file_id).where(NAME_WORDS.c.word == bindparam("word")).limit(_COMMON + 1).subquery()
)
_NAMED = (
    select(NAME_WORDS.c.word, OUTCOMES.c.content)
    .select_from(NAME_WORDS)
    .join(OUTCOMES, OUTCOMES.c.file_id == NAME_WORDS.c.file_id)
    .where(
        NAME_WORDS.c.word.in_(bindparam("words", expanding=True)), OUTCOMES.c.fingerprint == bindparam("fingerprint")
    )
    .where(is_indexed(OUTCOMES))
)


def name_words(path: str) -> frozenset[str]:
    """The words of a path below its root, in lower case: "Trips/beachWalk_2041.jpg" → trips, beach, walk, 2041."""
    stem, dot, suffix = path.rpartition(".")
    text = unicodedata.normalize("NFC", stem if dot and "/" not in suffix else path)
    return frozenset(list(spoken_words(_HUMP.sub(" ", text)))[:_MOST])


def spoken_words(text: str) -> tuple[str, ...]:
    """The words of a text that could be in a name, in lower case: whole, and in parts.

    Parts are letters and digits apart, and pairs of characters where no spaces are set.
    """
    text = unicodedata.normalize("NFC", text)
    unspaced = (pair for run in unspaced_runs(text) for pair in pairs(run))
    found = [*_RUN.findall(text), *_PIECE.findall(text), *unspaced]
    folded = (word.casefold() for word in found if len(word) > 1 or not word.isascii())
    return tuple(dict.fromkeys(word for word in folded if len(word) <= _LONGEST))


def keep_names(db: Connection, files: Iterable[tuple[int, str]], root: str) -> None:
    """Keep the words of new files: their numbers and paths."""
    rows: list[dict[str, Any]] = []
    for number, path in files:
        below = path.removeprefix(root.rstrip("/") + "/")
        below = below if below != path else path.rpartition("/")[2]
        words = {_safe(word) for word in name_words(below)}
        rows += [{"word": word, "file_id": number} for word in sorted(words)]
    if rows:
        db.execute(insert(NAME_WORDS), rows)


def named_contents(db: Connection, words: Sequence[str], fingerprint: str, *, limit: int) -> dict[str, float]:
    """The contents, indexed under a fingerprint, of files whose names hold some of the words, best first.

    The score is the sum of the words' inverse document frequencies, as BM25 has it for a word that is there once; words
    that very many names hold are left out.

    Args:
        words: as `spoken_words` gives them.
        limit: most contents.
    """
    total = db.execute(_ABOUT).scalar() or 0
    weights: dict[str, float] = {}
    for word in dict.fromkeys(_safe(word) for word in words):
        held = db.execute(_HELD, {"word": word}).scalar_one()
        if 0 < held <= _COMMON:
            weights[word] = math.log(1 + (max(total, held) - held + 0.5) / (held + 0.5))
    if not weights:
        return {}
    found: defaultdict[str, float] = defaultdict(float)
    named = db.execute(_NAMED, {"words": list(weights), "fingerprint": fingerprint})
    for word, content in {(word, content or "") for word, content in named}:
        found[content] += weights[word]
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0]))[:limit])


def _safe(word: str) -> str:
    """What a database takes as text: bytes of a name that are none become question marks."""
    return word.encode("utf-8", "replace").decode()
