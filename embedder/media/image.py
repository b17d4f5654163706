"""Reader for pictures: upright, over white, reduced; frames of an animation, pages of a TIFF, words in it."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from data.errors import UnreadableMediaError
from data.records import Evidence, Span
from embedder.media import ocr
from embedder.media.source import WHOLE_COPY, Source
from embedder.media.text import written_passages
from embedder.segment import Segment

MAX_SIDE = 768  # of what is handed on
READ_SIDE = 1600  # of what words are looked for in
_FRAME_SIDE = 448  # of the frames of an animation
_MAX_FRAMES = 8
_LAST_FRAME = 2_000
_ANIMATION_PIXELS = 500_000_000  # decoded in all: 60 frames of 4K, or 1,600 of 640 x 480
_STRIP_PIXELS = 4_000_000
_PLAIN = 8  # grey levels at most

# A long picture (a page that was scrolled through) is read in strips
_LONG = 2.5  # times as high as wide
_LONG_WIDTH = 1080
_LONG_SIDE = 20_000
_STRIP_HEIGHT = 960
_STRIP_ASPECT = 1.5
_OVERLAP = 0.1  # of a strip with the next
_MAX_STRIPS = 12

_ANIMATED = frozenset({"GIF", "WEBP", "PNG", "AVIF"})
_PAGED = frozenset({"TIFF"})
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ORIENTATION = 0x0112
_PHOTOMETRIC = 262  # 0 where the least value is white
_SUBFILE = 254  # its first bit is set for a smaller copy of another page
_SUB_IFDS = 330  # where that is in a raw picture
_TWELVE_BITS = 4095.0


def read(source: Source) -> Iterator[Segment]:
    """One seen segment for the picture (or each page of it), then the words in it as written ones.

    Raises:
        UnreadableMediaError: it is broken, or has more pixels than the limits allow.
    """
    with _opened(source) as image:
        if _tag(image, _SUBFILE, 0) & 1 and _SUB_IFDS in getattr(image, "tag_v2", {}):
            source.note(f"a raw picture: only its preview of {image.width} x {image.height} pixels is read")
        if source.format.decoder in _ANIMATED and _has_frame(image, 1):
            yield from _animation(source, image)
        elif source.format.decoder in _PAGED and _has_frame(image, 1):
            yield from _pages(source, image)
        else:
            yield from seen(source, reduced(source, image, _read_side(*image.size)), Span())


def still(source: Source, span: Span, max_side: int) -> bytes:
    """The picture as JPEG (of a TIFF with several pages, page span.page)."""
    with _opened(source) as image:
        _has_frame(image, (span.page or 1) - 1)
        return jpeg(reduced(source, image, max_side))


def seen(source: Source, image: Image.Image, span: Span, *, words: str | None = None) -> Iterator[Segment]:
    """A picture as a seen segment and its words as written ones.

    Args:
        words: what is written in it where that is known; None has it read.
    """
    yield Segment(kind=source.kind, evidence=Evidence.SEEN, span=span, pixels=pixels(image)[None])
    if words is None:
        source.alive()
        words = _strip_words(source, image) if _is_long(*image.size) else ocr.words(image)
    yield from written_passages(source, words, page=span.page)


def pixels(image: Image.Image, max_side: int = MAX_SIDE) -> NDArray[np.uint8]:
    """(H, W, 3) uint8, no side longer than max_side."""
    return np.asarray(fitted(image, max_side), dtype=np.uint8)


def fitted(image: Image.Image, max_side: int) -> Image.Image:
    """The image itself, or a smaller copy no side of which is longer than max_side."""
    if max(image.size) <= max_side:
        return image
    scale = max_side / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)


def jpeg(image: Image.Image) -> bytes:
    """An RGB image as the bytes of a JPEG file."""
    out = io.BytesIO()
    image.save(out, "JPEG", quality=82)
    return out.getvalue()


def check_pixels(source: Source, width: int, height: int) -> None:
    """Refuse a picture by the size in its header, before anything of it is decoded.

    Raises:
        UnreadableMediaError: it has more pixels than the limits allow.
    """
    most = source.limits.pixels * (2 if source.format.decoder == "JPEG" else 1)
    if width * height > most:
        raise UnreadableMediaError(
            source.path,
            f"{width} x {height} pixels, more than the limit of {most // 1_000_000} million",
            hint="make a smaller copy",
        )


def reduced(source: Source, image: Image.Image, max_side: int) -> Image.Image:
    """The current frame: RGB over white, upright, no side longer than max_side.

    Raises:
        UnreadableMediaError: the data is cut off or broken, or it has too many pixels.
    """
    check_pixels(source, *image.size)
    try:
        if source.format.decoder == "JPEG":
            image.draft("RGB", (max_side, max_side))  # decodes at 1/2, 1/4 or 1/8 of the size
        image.load()
        orientation = image.getexif().get(_ORIENTATION, 1)
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        reason = f"the {source.format.name} is broken or cut off"
        raise UnreadableMediaError(source.path, reason, hint=WHOLE_COPY) from error
    small = fitted(_plain(image, max_side), max_side)
    flat = over_white(small)
    return flat.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else flat


def over_white(image: Image.Image) -> Image.Image:
    """RGB, with whatever shines through replaced by white; by grey where nothing would be seen on white."""
    if image.mode not in ("RGBA", "LA", "PA", "La", "RGBa"):
        return image.convert("RGB")
    image = image.convert("RGBA")
    white = _over(image, "white")
    return _over(image, "grey") if _is_plain(white) and not _is_plain(image.getchannel("A")) else white


def _over(image: Image.Image, colour: str) -> Image.Image:
    ground = Image.new("RGBA", image.size, colour)
    ground.alpha_composite(image)
    return ground.convert("RGB")


def _is_plain(image: Image.Image) -> bool:
    return all(np.ptp(band.getextrema()) <= _PLAIN for band in image.split())


def _is_long(width: int, height: int) -> bool:
    return height > max(READ_SIDE, _LONG * width)


def _read_side(width: int, height: int) -> int:
    """The longer side of what words are looked for in."""
    if not _is_long(width, height):
        return READ_SIDE
    return max(READ_SIDE, min(height, height * _LONG_WIDTH // width, _LONG_SIDE))


def _strip_words(source: Source, image: Image.Image) -> str:
    """The words in a long picture, from its top; a line where two strips overlap is of one of them."""
    strip = max(_STRIP_HEIGHT, round(_STRIP_ASPECT * image.width))
    step = round((1 - _OVERLAP) * strip)
    tops = range(0, image.height - strip + step, step)
    found: list[str] = []
    read_to = 0.0
    for top in tops[:_MAX_STRIPS]:
        source.alive()
        until = image.height if top == tops[-1] else top + (step + strip) / 2
        lines = ocr.lines(image.crop((0, top, image.width, min(top + strip, image.height))))
        kept = [line for line in lines if read_to < top + (line.top + line.bottom) / 2 <= until]
        found += [line.text for line in kept]
        read_to = max((top + line.bottom for line in kept), default=read_to)
    if len(tops) > _MAX_STRIPS:
        source.note(f"words below {100 * (tops[_MAX_STRIPS - 1] + strip) // image.height}% of its height are not read")
    return "\n".join(found)


def _plain(image: Image.Image, max_side: int) -> Image.Image:
    """In a mode that can be resized, and already reduced by a whole factor where it is far too large.

    That is done strip by strip: beside the picture as it was decoded there is never a second one of its size.
    """
    levels = _levels(image)
    factor = max(image.size) // (2 * max_side)
    if factor < 2 or min(image.size) < factor:
        return _resizable(image, levels)
    strips = [_resizable(strip, levels).reduce(factor) for strip in _strips(image, factor)]
    whole = Image.new(strips[0].mode, (strips[0].width, sum(strip.height for strip in strips)))
    top = 0
    for strip in strips:
        whole.paste(strip, (0, top))
        top += strip.height
    return whole


def _strips(image: Image.Image, factor: int = 1) -> Iterator[Image.Image]:
    """The picture in strips of a few million pixels, all but the last a multiple of `factor` high."""
    rows = factor * max(1, _STRIP_PIXELS // (image.width * factor))
    for top in range(0, image.height, rows):
        yield image.crop((0, top, image.width, min(image.height, top + rows)))


def _resizable(image: Image.Image, levels: tuple[float, float]) -> Image.Image:
    if image.mode.startswith(("I", "F")):
        low, high = levels
        values = np.nan_to_num(np.asarray(image).astype(np.float32))
        image = Image.fromarray(np.clip((values - low) * (255.0 / ((high - low) or 1.0)), 0, 255).astype(np.uint8))
    if image.mode in ("P", "1") or "transparency" in image.info:
        image = image.convert("RGBA" if "transparency" in image.info else "RGB")
    return image


def _levels(image: Image.Image) -> tuple[float, float]:
    """Black and white of a picture of 16 or 32 bits a channel; of any other, those of 8 bits."""
    if not image.mode.startswith(("I", "F")):
        return 0.0, 255.0
    low, high = float("inf"), float("-inf")
    for strip in _strips(image):
        values = np.asarray(strip)
        finite = values[np.isfinite(values)]
        if finite.size:
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
    if low > high:
        return 0.0, 255.0
    if image.mode.startswith("I;16") or (low >= 0 and 255 < high <= 65_535):
        low, high = 0.0, _TWELVE_BITS if high <= _TWELVE_BITS else 65_535.0
    return (high, low) if _tag(image, _PHOTOMETRIC, 1) == 0 else (low, high)


def _tag(image: Image.Image, number: int, default: int) -> int:
    """A number that a TIFF says of the current page."""
    value = getattr(image, "tag_v2", {}).get(number, default)
    return value if isinstance(value, int) else default


@contextmanager
def _opened(source: Source) -> Iterator[Image.Image]:
    if source.format.decoder == "HEIF":
        import pillow_heif

        pillow_heif.register_heif_opener(thumbnails=False)
    warnings.simplefilter("ignore", Image.DecompressionBombWarning)
    # `check_pixels` refuses by the header, but a GIF makes its canvas first; Pillow's limit is twice what it is told.
    Image.MAX_IMAGE_PIXELS = source.limits.pixels // 2 if source.format.decoder == "GIF" else None
    try:
        image = Image.open(source.path, formats=[source.format.decoder])
    except Image.DecompressionBombError as error:
        reason = f"more pixels than the limit of {source.limits.pixels // 1_000_000} million"
        raise UnreadableMediaError(source.path, reason, hint="make a smaller copy") from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        if "MAX_TEXT" in str(error):
            reason = "a comment in it unpacks to too much"
            raise UnreadableMediaError(source.path, reason, hint="save it without its comments") from error
        reason = f"broken {source.format.name}: its header cannot be read"
        raise UnreadableMediaError(source.path, reason, hint=WHOLE_COPY) from error
    with image:
        check_pixels(source, *image.size)
        yield image


def _has_frame(image: Image.Image, number: int) -> bool:
    """Go to a frame, if the file has it; otherwise to the first."""
    with suppress(EOFError, OSError, SyntaxError, ValueError):
        image.seek(number)
        return True
    with suppress(EOFError, OSError):
        image.seek(0)
    return False


def _animation(source: Source, image: Image.Image) -> Iterator[Segment]:
    """Up to eight frames, evenly spread over however many there are, as one segment; then the words of the first."""
    _has_frame(image, 0)
    first = reduced(source, image, READ_SIDE)
    kept: list[NDArray[np.uint8]] = []
    step = 1
    last = min(_LAST_FRAME, max(_MAX_FRAMES, _ANIMATION_PIXELS // (image.width * image.height)))
    for number in count():
        if number and not _advanced(image, number):
            break
        if number == last or source.out_of_time(f"frame {number}"):
            source.note(f"frames after {number} are left out")
            break
        if number % step == 0:
            kept.append(pixels(reduced(source, image, _FRAME_SIDE), _FRAME_SIDE))
        if len(kept) == 2 * _MAX_FRAMES:
            kept, step = kept[::2], 2 * step
        if number % 50 == 0:
            source.alive()
    picked = np.linspace(0, len(kept) - 1, min(_MAX_FRAMES, len(kept))).round().astype(int)
    yield Segment(kind=source.kind, evidence=Evidence.SEEN, pixels=np.stack([kept[i] for i in picked]))
    source.alive()
    yield from written_passages(source, ocr.words(first))


def _advanced(image: Image.Image, number: int) -> bool:
    try:
        image.seek(number)
        image.load()
    except (EOFError, OSError, SyntaxError, ValueError):
        return False
    return True


def _pages(source: Source, image: Image.Image) -> Iterator[Segment]:
    for number in count():
        if not _has_frame(image, number):
            return
        if number == source.limits.pages:
            source.note(f"pages after {number} are left out")
            return
        if number and _tag(image, _SUBFILE, 0) & 1:
            continue
        yield from seen(source, reduced(source, image, READ_SIDE), Span(page=number + 1))
        if source.out_of_time(f"page {number + 1}"):
            return
