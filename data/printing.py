"""Printing: what may be shown of a text that comes from outside, and numbers of things as people write them."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

_NAMED = 5  # paths in a line


def printable(text: str, *, but: str = "") -> str:
    """`text` with � for what a terminal would obey and for what is no character; what is in `but` may stay."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() or letter in but else "�" for letter in text)


def shortened(text: str, *, most: int = 80) -> str:
    """The beginning of a text, "…" at its end where it goes on."""
    return text if len(text) <= most else text[: most - 1] + "…"


def counted(number: int, noun: str) -> str:
    """A number of things as people write it: 1 file, 1,200 files."""
    return f"{number:,} {noun}{'s' if number != 1 else ''}"


def for_shell(paths: Sequence[str]) -> str:
    """Paths as words of a command that can be pasted into a shell; the first few, and dots where there are more."""
    return " ".join(map(shlex.quote, paths[:_NAMED])) + " …" * (len(paths) > _NAMED)
