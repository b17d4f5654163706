"""Escaping: text from outside, made safe to stand in HTML, in Markdown, in JSON or as the name of a file."""

from __future__ import annotations

import re
from html import escape

from data.printing import printable

_MARKDOWN = re.compile(r"[\\`*_\[\](){}:$~<>#+|!-]")
_LONGEST_NAME = 60  # characters of up to four bytes: file systems take 255 bytes


def safe(text: str) -> str:
    """`text` escaped for HTML, with � for what does not print."""
    return escape(printable(text, but="\n\t"))


def literal(text: str) -> str:
    """`text` as one line that Streamlit shows as it is, none of it taken for Markdown."""
    return _MARKDOWN.sub(r"\\\g<0>", printable(text))


def readable(path: str) -> str:
    """A path as any program takes it, with \\udcNN spelt out for a byte that is not UTF-8."""
    return path.encode("utf-8", "backslashreplace").decode()


def harmless(name: str) -> str:
    """A file's name without what turns lines or the direction of reading, and without a folder in it."""
    return "".join(letter if letter.isprintable() and letter not in "/\\" else "_" for letter in name)


def harmless_name(given: str) -> str:
    """The last part of a name that anybody may have made up, as a file may be called; its suffix stays."""
    name = harmless(given.replace("\\", "/").rsplit("/", 1)[-1])
    stem, dot, suffix = name.rpartition(".")
    if len(name) > _LONGEST_NAME:
        name = f"{stem[: _LONGEST_NAME // 2]}{dot}{suffix[: _LONGEST_NAME // 2]}"
    return name if name.strip(". ") else "example"
