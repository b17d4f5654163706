"""Highlight: where a passage stands on a page of a PDF, and the marker over it."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import Any, NamedTuple

from PIL import Image, ImageDraw

_MARKER = (255, 205, 0, 95)  # red, green, blue, and how much of it: the words stay legible
_LEAST_LETTERS = 8  # of a piece that is looked for by itself; shorter ones stand in too many places
_MARGIN = 0.12  # of a line's height, above and below it


class Letters(NamedTuple):
    """The letters and digits of a text, folded, and the number of the character that each comes from."""

    text: str
    places: list[int]


def highlighted(image: Image.Image, page: Any, position: Any, passage: str) -> Image.Image:
    """The picture of a page with a marker over the lines of a passage; as it is where none of them is found.

    Args:
        page: of pypdfium2.
        position: its converter from points of the page to pixels of the picture.
        passage: as another library read it from the page: its spaces, hyphens and ligatures need not be the page's.
    """
    draw = ImageDraw.Draw(image, "RGBA")
    for left, bottom, right, top in _lines(page.get_textpage(), passage):  # points
        margin = _MARGIN * (top - bottom)
        x, y = zip(position.to_bitmap(left, top + margin), position.to_bitmap(right, bottom - margin), strict=True)
        draw.rectangle((min(x), min(y), max(x), max(y)), fill=_MARKER)  # a page may be turned
    return image


def _lines(page_text: Any, passage: str) -> Iterator[tuple[float, float, float, float]]:
    """Left, bottom, right and top of each line of the passage, in points."""
    import pypdfium2.raw as pdfium

    on_page = _letters(chr(pdfium.FPDFText_GetUnicode(page_text.raw, n)) for n in range(page_text.count_chars()))
    for start, end in _stretches(on_page.text, passage):
        first, last = on_page.places[start], on_page.places[end - 1]
        for number in range(page_text.count_rects(first, last - first + 1)):
            yield page_text.get_rect(number)


def _stretches(on_page: str, passage: str) -> Iterator[tuple[int, int]]:
    """Where the passage stands among the letters of a page: in one piece, or else in lines, or in parts of lines."""
    whole = _letters(passage).text
    start = on_page.find(whole) if whole else -1
    if start >= 0:
        yield start, start + len(whole)
        return
    after = 0
    waiting = [_letters(line).text for line in reversed(passage.splitlines())]
    while waiting:
        piece = waiting.pop()
        start = on_page.find(piece, after)
        if start > after and len(piece) < _LEAST_LETTERS:
            continue
        if start < 0:
            start = on_page.find(piece) if len(piece) >= _LEAST_LETTERS else -1
        if start >= 0 and piece:
            yield start, start + len(piece)
            after = start + len(piece)
        elif len(piece) >= 2 * _LEAST_LETTERS:
            waiting += [piece[len(piece) // 2 :], piece[: len(piece) // 2]]


def _letters(characters: str | Iterator[str]) -> Letters:
    text: list[str] = []
    places: list[int] = []
    for number, character in enumerate(characters):
        for letter in unicodedata.normalize("NFKD", character).casefold():
            if letter.isalnum():
                text.append(letter)
                places.append(number)
    return Letters("".join(text), places)
