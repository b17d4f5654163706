"""Escaping: text from outside, made safe to stand in HTML."""

from __future__ import annotations

from html import escape


def safe(text: str) -> str:
    """`text` escaped, with � for what does not print."""
    return escape("".join(letter if letter.isprintable() or letter in "\n\t" else "�" for letter in text))
