"""Escaping: text from outside, made safe to stand in HTML, on a line or in JSON."""

from __future__ import annotations

from html import escape


def safe(text: str) -> str:
    """`text` escaped for HTML, with � for what does not print."""
    return escape("".join(letter if letter.isprintable() or letter in "\n\t" else "�" for letter in text))


def printable(text: str) -> str:
    """`text` as one line, with � for what a terminal would obey and for what is no character."""
    return "".join(letter if letter.isprintable() else "�" for letter in text)


def readable(path: str) -> str:
    """A path as any program takes it, with \\udcNN spelt out for a byte that is not UTF-8."""
    return path.encode("utf-8", "backslashreplace").decode()
