"""Views: a training medium as the product would see or hear it, and as it might have been."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageOps, ImageSequence

from embedder.media import ffmpeg, open_source, pdf, read
from embedder.segment import SAMPLE_RATE_HZ
from embedder.towers.vision import SIDE_PX
from embedder.training.pairs import Pair

Pixels = NDArray[np.uint8]
Sound = NDArray[np.float32]

SHOT_FRAMES = 4  # of the shots that are made from pictures
_SIDE_PX = 320  # drawings are drawn at this size
_WINDOW_S = 10.0  # of sound, as the reader cuts it
_CLIP_FRAMES = 8
_STILL = frozenset({".png", ".jpg", ".jpeg", ".svg", ".dds"})
_ANIMATED = frozenset({".webp", ".gif"})


def pictures(pair: Pair, random: Generator, *, views: int) -> list[Pixels]:
    """An image in `views` versions (H, W, 3): the first as it is, over white; then cropped, mirrored, on colours."""
    image = _drawn(pair)
    return [_flat(image), *(_varied(image, random) for _ in range(views - 1))]


def moving(pair: Pair, random: Generator) -> Pixels:
    """Frames (T, H, W, 3), T at most 8: evenly over an animation or film, or of a camera move over a picture."""
    if pair.svg is not None or pair.path is None or pair.path.suffix.lower() in _STILL:
        return _camera_move(_drawn(pair), random)
    if pair.path.suffix.lower() in _ANIMATED:
        with Image.open(pair.path) as image:
            chosen = _spread(getattr(image, "n_frames", 1))
            return np.stack(
                [_framed(_flat(frame)) for n, frame in enumerate(ImageSequence.Iterator(image)) if n in chosen]
            )
    frames = [frame for segment in read(pair.path) if segment.pixels is not None for frame in segment.pixels]
    return np.stack([_framed(frames[place]) for place in _spread(len(frames))])


def _spread(count: int) -> list[int]:
    """Up to _CLIP_FRAMES places among `count`, evenly."""
    places: list[int] = np.linspace(0, count - 1, min(count, _CLIP_FRAMES)).round().astype(int).tolist()
    return places


def _framed(frame: Pixels) -> Pixels:
    return np.asarray(Image.fromarray(frame).resize((SIDE_PX, SIDE_PX)))


def _camera_move(image: Image.Image, random: Generator) -> Pixels:
    """From one crop to another, (SHOT_FRAMES, SIDE_PX, SIDE_PX, 3)."""
    flat = Image.fromarray(_flat(image))
    width, height = flat.size
    begin, end = (random.uniform((0, 0, 0.6), (1, 1, 1.0)) for _ in range(2))
    frames = []
    for step in np.linspace(0, 1, SHOT_FRAMES):
        x, y, zoom = begin + step * (end - begin)
        left, top = x * (1 - zoom) * width, y * (1 - zoom) * height
        box = (left, top, left + zoom * width, top + zoom * height)
        frames.append(np.asarray(flat.resize((SIDE_PX, SIDE_PX), Image.Resampling.BICUBIC, box=box)))
    return np.stack(frames)


def sounds(pair: Pair, random: Generator, *, views: int) -> list[Sound]:
    """A sound's first ten seconds in `views` versions (samples,): as it is; then louder or softer, cut, faster.

    Returns:
        An empty list where the file holds no sound, or one without samples.
    """
    assert pair.path is not None
    source = open_source(pair.path)
    found = ffmpeg.probe(source)
    if found.sound is None:
        return []
    blocks: list[Sound] = []
    for block in ffmpeg.sound(source, found.sound):
        blocks.append(block)
        if sum(part.size for part in blocks) >= _WINDOW_S * SAMPLE_RATE_HZ:
            break
    if not blocks:
        return []
    whole = np.concatenate(blocks)[: int(_WINDOW_S * SAMPLE_RATE_HZ)]
    return [whole, *(_altered(whole, random) for _ in range(views - 1))]


def pages(path: Path, pairs: Sequence[Pair]) -> Iterator[tuple[Pair, Pixels, str]]:
    """Of one document the pages that pairs name, with their words."""
    wanted = {pair.page: pair for pair in pairs}
    segments = pdf.pages(open_source(path), sorted(page for page in wanted if page is not None))
    for number, parts in groupby(segments, key=lambda segment: segment.span.page):
        if number in wanted:
            for part in parts:
                if part.pixels is not None:
                    yield wanted[number], part.pixels[0], part.text or ""


def _drawn(pair: Pair) -> Image.Image:
    """RGBA, no side longer than twice what the tower takes."""
    drawing = pair.svg
    if drawing is None and pair.path is not None and pair.path.suffix.lower() == ".svg":
        drawing = pair.path.read_text(encoding="utf-8", errors="replace")
    if drawing is not None:
        import resvg_py

        png = bytes(resvg_py.svg_to_bytes(svg_string=drawing, width=_SIDE_PX, height=_SIDE_PX))
        return Image.open(io.BytesIO(png), formats=["PNG"]).convert("RGBA")
    assert pair.path is not None
    with Image.open(pair.path) as image:
        image.draft("RGB", (2 * SIDE_PX, 2 * SIDE_PX))
        small = ImageOps.exif_transpose(image)
        small.thumbnail((2 * SIDE_PX, 2 * SIDE_PX), reducing_gap=2.0)
        return small.convert("RGBA")


def _flat(image: Image.Image, colour: tuple[int, int, int] = (255, 255, 255)) -> Pixels:
    below = Image.new("RGBA", image.size, (*colour, 255))
    below.alpha_composite(image.convert("RGBA"))
    return np.asarray(below.convert("RGB"))


def _varied(image: Image.Image, random: Generator) -> Pixels:
    width, height = image.size
    if random.random() < 0.5:
        image = ImageOps.mirror(image)
    if random.random() < 0.5:  # nearer
        share = random.uniform(0.65, 1.0, 2)
        left, top = random.uniform(0, 1 - share) * (width, height)
        image = image.crop((int(left), int(top), int(left + share[0] * width), int(top + share[1] * height)))
    else:  # further away
        grown = random.uniform(1.0, 1.5)
        canvas = Image.new("RGBA", (int(width * grown), int(height * grown)), (255, 255, 255, 0))
        place = random.uniform(0, 1, 2) * (canvas.width - width, canvas.height - height)
        canvas.paste(image, (int(place[0]), int(place[1])))
        image = canvas
    if random.random() < 0.2:
        grey = ImageOps.grayscale(image.convert("RGB")).convert("RGBA")
        grey.putalpha(image.getchannel("A"))
        image = grey
    red, green, blue = (int(part) for part in random.integers(0, 256, 3))
    return _flat(image, (red, green, blue) if random.random() < 0.6 else (255, 255, 255))


def _altered(sound: Sound, random: Generator) -> Sound:
    if sound.size > 2 * SAMPLE_RATE_HZ and random.random() < 0.5:
        keep = int(sound.size * random.uniform(0.5, 1.0))
        start = int(random.integers(0, sound.size - keep + 1))
        sound = sound[start : start + keep]
    speed = random.uniform(0.9, 1.1)
    places = np.arange(0, sound.size - 1, speed)
    sound = np.interp(places, np.arange(sound.size), sound).astype(np.float32)
    noise = random.standard_normal(sound.size).astype(np.float32) * random.uniform(0, 0.003)
    louder = (sound + noise) * 10 ** random.uniform(-0.6, 0.3)
    return np.clip(louder, -1, 1).astype(np.float32)
