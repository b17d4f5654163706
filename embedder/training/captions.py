"""Captions: the words for what a picture shows, from its name, its metadata or the table written by hand.

What is written by hand (`pictures.txt`) was written with the picture in view.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from html import unescape
from pathlib import Path
from typing import Any

MAX_KEYWORDS = 6

_WORDS = Path(__file__).with_name("pictures.txt")
_EMPTY_TITLE = re.compile(r"iconset|gold-theme|plastik-icon|advertising|Clipart by Nicu Buculei - (fc|segmented)", re.I)
# These name the collection that a drawing came with, so that its file's name says more.
_COLLECTION = re.compile(
    r"clipart by|cliparts?$|^aiga|etiquette icons|sibmission|theme$|^(card|svg road signs|road signs|australian maps"
    r"|map symbols|sallite|pc connectors|chess pieces|balloons-aj|moons)$", re.I,
)  # fmt: skip
_DULL_KEYWORDS = frozenset(
    "hash icons icon theme menu magick geometry unsorted special mapsym signs_and_symbols action application clipart"
    " clip art externalsource filesystem mimetypes mime-types appicon recreation image png svg openclipart simple shape"
    " shapes symbol sign computer transport bordered ornamental work remix contour networksym color black white".split()
)
_TRAILING_AUTHOR = re.compile(r"\s*[-,(]?\s*\b(remix of|remix|by|from)\b.*$", re.I)
_NOT_WORDS = re.compile(
    r"@|\bemail|\b0x\w|derivative|https?:|www\.|HASH\(|remix|\bcc0?\b|licen[cs]e|copyright|inkscape|sodipodi|vectori|svg",
    re.I,
)
_CHAT = re.compile(r" (is|are|lets|have|carry|carries|for taking|called)\b.*|\s*\(.*\)")
_DRAWN = frozenset("cartoon icon clipart drawing outline contour simple silhouette symbol".split())


def group_of(words: str) -> str:
    """What a caption names, the same for the same thing in every source: "Two big Cats!" is "two big cat"."""
    plain = re.sub(r"[\W_]+", " ", re.sub(r"['’]", "", words.casefold())).split()
    while len(plain) > 1 and (plain[0] in ("a", "an", "the", "some") or plain[0] in _DRAWN):
        plain = plain[1:]
    while len(plain) > 1 and (plain[-1].isdigit() or plain[-1] in _DRAWN):
        plain = plain[:-1]
    return " ".join([*plain[:-1], _singular(plain[-1])]) if plain else ""


def emoji_words(label: str) -> str:
    """What an emoji shows, for its group: a man, a woman and a person who does the same look alike.

    One of them must not be trained on where another tests, drawn or moving.
    """
    named = re.sub(r"^flag: ", "flag of ", label).replace(":", ",")
    return re.sub(r"^(m[ae]n|wom[ae]n|person|people) ", "", named)


def spoken(name: str) -> str:
    """A file's or an icon's name as words: "mossy_log2" is "mossy log", "eiffelTower" is "eiffel tower"."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    words = re.sub(r"(?<=[a-z])\d+\b", "", re.sub(r"[-_.\s]+", " ", words)).strip()
    return re.sub(r"( (\d+|[a-f]))+$", "", words).lower()


@cache
def by_hand(source: str) -> dict[str, list[str]]:
    """File name to captions, from this source's section of pictures.txt."""
    table = _WORDS.read_text(encoding="utf-8").partition(f"\n[{source}]\n")[2].partition("\n\n[")[0]
    entries = (entry.partition(":") for entry in table.replace("|", "\n").splitlines() if entry.strip())
    return {name.strip(): [words.strip() for words in said.split(";")] for name, _, said in entries}


def clipart_captions(drawing: Path) -> list[str]:
    """Title, description and keywords, as far as they are words for what is drawn."""
    text = drawing.read_text(encoding="utf-8", errors="replace")
    work = re.search(r"<cc:Work.*?</cc:Work>", text, re.S)
    if work is None:
        return []
    titles = [_plain(title) for title in re.findall(r"<dc:title>(.*?)</dc:title>", work[0], re.S)]
    title = titles[0] if titles else ""
    if _EMPTY_TITLE.search(title):
        return []
    if not title or _COLLECTION.search(title):
        title = re.sub(r"^(aiga|sport|clipart by .*) | (zazou|aj|ganson|bw|v)$", "", spoken(drawing.stem))
    title = re.sub(r"^\d+\s*|[\s_#-]*\d+$", "", _TRAILING_AUTHOR.sub("", title.replace("_", " ")))
    title = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", title).strip(" -_.,")
    if "/flags/" in drawing.as_posix() and title and not re.search(r"flag|semaphore|symbol|map|signal", title, re.I):
        title = f"flag of {title}"
    described = re.search(r"<dc:description>(.*?)</dc:description>", work[0], re.S)
    authors = {name.lower() for name in titles[1:]}
    keywords = [_plain(word).lower() for word in re.findall(r"<rdf:li[^>]*>(.*?)</rdf:li>", work[0], re.S)]
    keywords = [
        word.replace("_", " ")
        for word in keywords
        if word and word not in _DULL_KEYWORDS | authors and not _NOT_WORDS.search(word) and not word.isdigit()
    ]
    description = _plain(described[1]).rstrip(".") if described else ""
    said = ["" if title.lower() in _DULL_KEYWORDS else title, description, ", ".join(keywords[:MAX_KEYWORDS])]
    return [words for words in said if len(re.findall(r"[^\W\d_]", words)) > 2 and not _NOT_WORDS.search(words)]


def emoji_by_name(emoji: Mapping[str, dict[str, Any]], shortcodes: Path) -> dict[str, dict[str, Any]]:
    """Emoji by their squeezed names.

    Args:
        emoji: emojibase's entries, by code.
        shortcodes: a folder with a table of code to short names for each maker.
    """
    named: dict[str, dict[str, Any]] = {}
    for names in sorted(shortcodes.glob("*.json")):
        for code, short in json.loads(names.read_text(encoding="utf-8")).items():
            if code in emoji:
                for name in [short] if isinstance(short, str) else short:
                    named.setdefault(squeezed(name), emoji[code])
    # Labels go over short names, which differ between makers.
    return named | {squeezed(each["label"]): each for each in emoji.values()}


def squeezed(name: str) -> str:
    """Makers differ in hyphens, accents and "flag-for-"; what is left is the same."""
    return re.sub(r"[^a-z0-9]|(?<=flag)-?for", "", name.lower().replace("flag-for-", "flag-"))


def stamp_caption(line: str) -> str:
    """What the first sentence names; the others chat: "A telephone.  Hello? Hello?" is "A telephone"."""
    first = re.split(r"(?<=[.!?…])\s+|—", line.strip())[0].strip(" .!…–-“”")
    return _CHAT.sub("", first)


def _singular(word: str) -> str:
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")) else word


def _plain(markup: str) -> str:
    return " ".join(unescape(unescape(re.sub(r"<[^>]*>", " ", markup))).split())
