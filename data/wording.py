"""Wording: the words of a text as the index of words has them, and those of a question.

The stores part words where a letter meets what is none (their tokenizer is the one that all of them have), so before a
text is given to them its letters are brought to one Unicode form, a word that a line end divides is made whole, and
what is written without spaces between the words is given in overlapping pairs of characters: 名古屋城
as 名古 古屋 屋城. A phrase of such pairs is found where its characters stand one after the other.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from itertools import pairwise

# Kana, Han, Hangul (written in words, but with endings), Thai, Lao, Burmese, Khmer.
_HAN = "\u3005\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_RUN = re.compile(f"[{_HAN}\u3041-\u3096\u309d-\u30ff\uac00-\ud7a3\u0e01-\u0eff\u1000-\u109f\u1780-\u17d3]+")
_ONE_HAN = re.compile(f"[{_HAN}]")
_DIVIDED = re.compile(r"([^\W\d_]+)[-\u2010][ \t]*\n[ \t]*([^\W\d_]+)")
_SOFT_HYPHEN = "\u00ad"


def indexed(text: str) -> str:
    """What the index is given for a text: its words, and at the end what may be asked for in another form.

    The end has single Han characters, which may be words, and both halves of what a line end divides, which may be two
    words (well-known).
    """
    text = _one_form(text)
    apart = [" ".join(halves) for halves in _DIVIDED.findall(text) if halves[1].islower()]
    single = sorted(set(_ONE_HAN.findall(text)))
    return " ".join([_in_pairs(_DIVIDED.sub(_joined, text)), *apart, *single])


def asked(text: str) -> str:
    """What the index is asked for a text that is looked for, word for word or by BM25."""
    return _in_pairs(_one_form(text))


def pairs(run: str) -> list[str]:
    """The overlapping pairs of characters of a run without spaces, each with its marks; a run of one is itself."""
    characters = list(_characters(run))
    return [a + b for a, b in pairwise(characters)] or characters


def unspaced_runs(text: str) -> list[str]:
    """The runs of a text in scripts that set no spaces between words."""
    return _RUN.findall(text)


def _one_form(text: str) -> str:
    return unicodedata.normalize("NFKC", text).replace(_SOFT_HYPHEN, "")


def _joined(divided: re.Match[str]) -> str:
    first, second = divided.groups()
    return first + second if second.islower() else divided.group()


def _in_pairs(text: str) -> str:
    return _RUN.sub(lambda run: f" {' '.join(pairs(run.group()))} ", text)


def _characters(run: str) -> Iterator[str]:
    character = ""
    for letter in run:
        if character and unicodedata.category(letter)[0] != "M":
            yield character
            character = ""
        character += letter
    yield character
