"""Reader for HTML: the words a reader of the page sees, without tags, scripts and styles."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from html.parser import HTMLParser

from data.records import Span
from embedder.media import text as plain
from embedder.media.source import Source
from embedder.segment import Segment

_UNSEEN = frozenset({"template", "noscript", "iframe", "object", "svg", "math", "select"})
_BLOCKS = frozenset(
    """address article aside blockquote body button caption center dd details div dl dt fieldset figcaption figure
    footer form h1 h2 h3 h4 h5 h6 head header hr label legend li main nav ol p pre section summary table title tr
    ul""".split()
)

# What nobody sees goes first, in one pass: on comments and declarations that never end, HTMLParser takes time that
# grows with the square of the page, or gives up.
_SKIPPED = re.compile(
    r"<!--(?:-?>|.*?(?:-->|\Z))|<(script|style)\b.*?(?:</\1\b[^>]*(?:>|\Z)|\Z)|<[!?][^>]*(?:>|\Z)", re.I | re.S
)
_EMPTY = re.compile(r"<(script|style)\b[^<>]*/>", re.I)
_HEAD_LETTERS = 2_000
_PIECE = 500_000  # characters parsed between two signs of life


def read(source: Source) -> Iterator[Segment]:
    """The passages of the page; char spans count characters of `words_of`.

    Raises:
        UnsupportedMediaError: the page has no words.
    """
    yield from plain.written(source, words_of(plain.decoded(source), alive=source.alive))


def still(source: Source, span: Span, max_side: int) -> bytes:
    """A page of HTML is not rendered.

    Raises:
        UnsupportedMediaError: always.
    """
    return plain.still(source, span, max_side)


def words_of(html: str, *, is_xml: bool = False, alive: Callable[[], None] = lambda: None) -> str:
    """The visible text: blocks become paragraphs, line breaks lines, alternative texts of pictures stay.

    Args:
        is_xml: an empty script or style ends by itself, as in XHTML; a page that says it is XHTML needs no telling.
    """
    if is_xml or "<?xml" in html[:_HEAD_LETTERS] or "xmlns=" in html[:_HEAD_LETTERS]:
        html = _EMPTY.sub("", html)
    page = _Page()
    for piece in _pieces(_SKIPPED.sub("", html)):
        alive()
        page.feed(piece)
    page.close()
    text = "".join(page.parts)
    return re.sub(r"[^\S\n]*\n[^\S\n]*", "\n", re.sub(r"[^\S\n]+", " ", text)).strip()


def _pieces(html: str) -> Iterator[str]:
    """The page cut behind tags, without a last tag that never ends."""
    start, last = 0, html.rfind(">") + 1
    while start < last:
        end = html.find(">", start + _PIECE) + 1 or last
        yield html[start:end]
        start = end
    yield html[last:].split("<", 1)[0]


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._unseen: list[str] = []  # open elements that are not shown, from the outermost
        self._open: Counter[str] = Counter()  # how many of them have a name

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _UNSEEN:
            self._unseen.append(tag)
            self._open[tag] += 1
        elif tag in _BLOCKS:
            self.parts.append("\n\n")
        elif tag == "br":
            self.parts.append("\n")
        elif tag in ("td", "th"):
            self.parts.append(" ")
        elif tag == "img" and not self._unseen:
            self.parts.append(f" {dict(attrs).get('alt') or ''} ")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _UNSEEN:
            self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if self._open[tag]:
            closed = ""
            while closed != tag:
                closed = self._unseen.pop()
                self._open[closed] -= 1
        elif tag in _BLOCKS:
            self.parts.append("\n\n")

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self.parts.append(re.sub(r"\s+", " ", data))
