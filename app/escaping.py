"""Escaping: text from outside, made safe to stand in HTML, in Markdown or in JSON."""

from __future__ import annotations

import re
from html import escape

from data.printing import printable

_MARKDOWN = re.compile(r"[\\`*_\[\](){}:$~<>#+|!-]")


def safe(text: str) -> str:
    """`text` escaped for HTML, with � for what does not print."""
    return escape(printable(text, but="\n\t"))


def literal(text: str) -> str:
    """`text` as one line that Streamlit shows as it is, none of it taken for Markdown."""
    return _MARKDOWN.sub(r"\\\g<0>", printable(text))


def readable(path: str) -> str:
    """A path as any program takes it, with \\udcNN spelt out for a byte that is not UTF-8."""
    return path.encode("utf-8", "backslashreplace").decode()
