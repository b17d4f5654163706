"""Reader for SVG drawings: rendered over white, their words from the drawing itself; nothing is fetched."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterator
from functools import lru_cache
from xml.etree.ElementTree import Element, tostring

from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException
from PIL import Image

from data.errors import UnreadableMediaError
from data.records import Span
from embedder.media import image as picture
from embedder.media import text as plain
from embedder.media.source import Source
from embedder.segment import Segment

_MAX_ASPECT = 100.0
_EXTERNAL_CSS = re.compile(r"@import[^;]*;?|url\((?>\s*['\"]?\s*)(?!#|data:)[^)]*\)", re.I)
_WORDS = ("title", "desc", "text")
_DPI = 96.0  # of CSS, for millimetres and points

# What a drawing's fonts are replaced by where they are missing: the first that this machine has
_SANS = ("Arial", "Liberation Sans", "DejaVu Sans", "Noto Sans", "Helvetica", "Ubuntu", "Cantarell", "FreeSans")
_SERIF = ("Times New Roman", "Liberation Serif", "DejaVu Serif", "Noto Serif", "Times", "FreeSerif")
_MONO = ("Courier New", "Liberation Mono", "DejaVu Sans Mono", "Noto Sans Mono", "Menlo", "FreeMono")
_LETTER = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><text y="9" font-family="{}">M</text></svg>'


def read(source: Source) -> Iterator[Segment]:
    """The rendered drawing, then its title, description and texts.

    Raises:
        UnreadableMediaError: it is no well-formed SVG, or cannot be drawn.
    """
    root = _safe_root(source)
    yield from picture.seen(source, _rendered(source, root, picture.MAX_SIDE), Span(), words=_words(root))


def still(source: Source, span: Span, max_side: int) -> bytes:
    """The drawing as JPEG."""
    return picture.jpeg(_rendered(source, _safe_root(source), max_side))


def _safe_root(source: Source) -> Element:
    """The drawing without anything that points outside it."""
    raw = plain.decoded(source)
    try:
        root: Element = ElementTree.fromstring(raw, forbid_dtd=False)  # decoded, whatever it declares
    except DefusedXmlException as error:
        raise UnreadableMediaError(
            source.path, "it defines entities, which is not safe to expand", hint="save it without them"
        ) from error
    except ElementTree.ParseError as error:
        raise UnreadableMediaError(source.path, f"broken SVG: {error}") from error
    for element in root.iter():
        for name, value in list(element.attrib.items()):
            if name.rpartition("}")[2] == "href" and not value.strip().startswith(("#", "data:image/")):
                del element.attrib[name]
            elif "url(" in value:
                element.set(name, _EXTERNAL_CSS.sub("none", value))
        if element.text and str(element.tag).rpartition("}")[2] == "style":
            element.text = _EXTERNAL_CSS.sub("", element.text)
    return root


def _rendered(source: Source, root: Element, side: int) -> Image.Image:
    import resvg_py

    width, height = _size(root)
    if max(width, height) > _MAX_ASPECT * min(width, height):
        raise UnreadableMediaError(source.path, f"{width:g} x {height:g}: too thin to draw")
    scale = side / max(width, height)
    sans, serif, mono = _families()
    try:
        png = resvg_py.svg_to_bytes(
            svg_string=tostring(root, encoding="unicode"),
            width=max(1, math.floor(width * scale)),
            height=max(1, math.floor(height * scale)),
            dpi=_DPI,
            font_family=sans,
            sans_serif_family=sans,
            serif_family=serif,
            monospace_family=mono,
        )
    except ValueError as error:
        raise UnreadableMediaError(source.path, f"cannot be drawn: {error}", hint="simplify it") from error
    with Image.open(io.BytesIO(bytes(png)), formats=["PNG"]) as image:
        return picture.over_white(image)


@lru_cache(maxsize=1)
def _families() -> tuple[str | None, str | None, str | None]:
    """Sans-serif, serif and monospace, each one of the others where the machine lacks it; None where it has none."""
    sans, serif, mono = (next(filter(_is_there, names), None) for names in (_SANS, _SERIF, _MONO))
    return sans or serif or mono, serif or sans or mono, mono or sans or serif


def _is_there(family: str) -> bool:
    """Whether a letter is drawn where nothing but the family can be taken; else another one might be."""
    import resvg_py

    drawn = resvg_py.svg_to_bytes(
        svg_string=_LETTER.format(family),
        width=9,
        height=9,
        font_family=family,
        sans_serif_family=family,
        serif_family=family,
        monospace_family=family,
    )
    with Image.open(io.BytesIO(bytes(drawn)), formats=["PNG"]) as image:
        return image.convert("RGBA").getbbox() is not None


def _size(root: Element) -> tuple[float, float]:
    """Width and height by the view box, else by the attributes, else a square."""
    box = [float(n) for n in re.findall(r"[-+.\deE]+", root.get("viewBox", "")) if _is_float(n)]
    if len(box) == 4 and box[2] > 0 and box[3] > 0:
        return box[2], box[3]
    found = [re.match(r"\s*([\d.]+)", root.get(name, "")) for name in ("width", "height")]
    width, height = (float(m[1]) if m and _is_float(m[1]) and float(m[1]) > 0 else 100.0 for m in found)
    return width, height


def _is_float(value: str) -> bool:
    try:
        return math.isfinite(float(value))
    except ValueError:
        return False


def _words(root: Element) -> str:
    lines = (
        " ".join(_text(element).split()) for element in root.iter() if str(element.tag).rpartition("}")[2] in _WORDS
    )
    return "\n".join(dict.fromkeys(line for line in lines if line))


def _text(element: Element) -> str:
    """Its text, with a space before what begins a line; parts of one line have places of their own, too, to kern."""
    parts, y = [element.text or ""], None
    for part in element:
        if "dy" in part.attrib or part.get("y", y) != y or ("x" in part.attrib and "y" not in part.attrib):
            parts.append(" ")
        y = part.get("y", y)
        parts += [_text(part), part.tail or ""]
    return "".join(parts)
