"""Picture readers: upright, over white, reduced, with the words in them; hostile ones refused by their header."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data.errors import UnreadableMediaError
from data.records import Evidence, Kind, Span
from embedder.media import read, still
from embedder.segment import Segment
from tests import make_media


def _seen(path: Path) -> list[Segment]:
    return [segment for segment in read(path) if segment.evidence is Evidence.SEEN]


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "gif", "bmp", "tiff", "heic"])
def test_every_picture_format_is_seen(tmp_path: Path, suffix: str) -> None:
    [segment] = _seen(make_media.image_file(tmp_path / f"a.{suffix}"))
    assert segment.pixels is not None
    assert (segment.kind, segment.pixels.shape, segment.pixels.dtype) == (Kind.IMAGE, (1, 240, 320, 3), np.uint8)
    difference = segment.pixels[0].astype(int) - np.asarray(make_media.picture())
    assert abs(difference).mean() < 12


def test_orientation_is_honoured(tmp_path: Path) -> None:
    [segment] = _seen(make_media.jpg_on_its_side(tmp_path / "side.jpg"))
    assert segment.pixels is not None
    assert segment.pixels.shape == (1, 320, 240, 3)
    assert segment.pixels[0, 310, 120, 0] > 200  # the red stripe lies at the bottom
    assert segment.pixels[0, 10, 120, 2] > 200


def test_what_shines_through_is_white(tmp_path: Path) -> None:
    image = Image.new("RGBA", (100, 100), (0, 0, 0, 0))
    [segment] = _seen(make_media.image_file(tmp_path / "clear.png", image))
    assert segment.pixels is not None
    assert int(segment.pixels.min()) == 255


def test_large_pictures_are_handed_on_reduced(tmp_path: Path) -> None:
    [segment] = _seen(make_media.image_file(tmp_path / "large.jpg", make_media.picture(4000, 2000)))
    assert segment.pixels is not None
    assert segment.pixels.shape == (1, 384, 768, 3)


def test_sixteen_bits_and_palettes_are_read(tmp_path: Path) -> None:
    ramp = np.linspace(0, 65_535, 200 * 100).reshape(100, 200).astype(np.uint16)
    [deep] = _seen(make_media.image_file(tmp_path / "deep.png", Image.fromarray(ramp)))
    [palette] = _seen(make_media.image_file(tmp_path / "p.png", make_media.picture().quantize(16)))
    assert deep.pixels is not None
    assert palette.pixels is not None
    assert 100 < deep.pixels.mean() < 155
    assert palette.pixels.std() > 20


@pytest.mark.parametrize("suffix", ["gif", "webp"])
def test_an_animation_is_one_segment_of_eight_frames(tmp_path: Path, suffix: str) -> None:
    [segment] = _seen(make_media.animation(tmp_path / f"a.{suffix}", 40))
    assert segment.pixels is not None
    assert segment.pixels.shape[0] == 8
    brightness = segment.pixels.mean(axis=(1, 2, 3))
    assert (np.diff(brightness) > 0).all()
    assert brightness[-1] > 200


def test_a_tiff_is_seen_page_by_page(tmp_path: Path) -> None:
    path = make_media.tiff_pages(tmp_path / "scan.tiff", 3)
    assert [segment.span.page for segment in _seen(path)] == [1, 2, 3]
    first, second = (still(path, Span(page=n), max_side=100) for n in (1, 2))
    assert first != second


def test_words_in_a_picture_are_written_evidence(tmp_path: Path) -> None:
    image = make_media.lettered(["Invoice for seven lanterns", "Total 84 euros"])
    segments = list(read(make_media.image_file(tmp_path / "bill.png", image)))
    assert [s.evidence for s in segments] == [Evidence.SEEN, Evidence.WRITTEN]
    assert "seven lanterns" in (segments[1].text or "")
    assert segments[0].text is None, "a photograph of words is no page"


def test_a_picture_without_words_has_none(tmp_path: Path) -> None:
    path = make_media.image_file(tmp_path / "a.jpg", make_media.picture(800, 600, seed=3))
    assert [s.evidence for s in read(path)] == [Evidence.SEEN]


def test_a_drawing_is_rendered_and_says_its_words(tmp_path: Path) -> None:
    drawing, words = read(make_media.svg(tmp_path / "map.svg"))
    assert drawing.pixels is not None
    assert drawing.pixels.shape == (1, 384, 768, 3)
    assert tuple(drawing.pixels[0, 200, 100]) == (255, 0, 0)
    assert tuple(drawing.pixels[0, 10, 760]) == (255, 255, 255)
    assert words.text == "Weather map\nStorm warning"


def test_a_drawing_does_not_show_files_beside_it(tmp_path: Path) -> None:
    secret = make_media.image_file(tmp_path / "secret.png", Image.new("RGB", (100, 100), "blue"))
    inside = (
        f'<image width="200" height="100" xlink:href="{secret}"/><image width="200" height="100" href="secret.png"/>'
    )
    segment = next(read(make_media.svg(tmp_path / "map.svg", inside=inside)))
    assert segment.pixels is not None
    assert tuple(segment.pixels[0, 200, 100]) == (255, 0, 0)


def test_pixels_are_counted_before_anything_is_decoded(tmp_path: Path) -> None:
    with pytest.raises(UnreadableMediaError, match="40000 x 40000 pixels"):
        list(read(make_media.png_header(tmp_path / "bomb.png", 40_000, 40_000)))


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "gif", "tiff", "heic"])
def test_a_picture_that_is_cut_off_gives_its_reason(tmp_path: Path, suffix: str) -> None:
    path = make_media.image_file(tmp_path / f"cut.{suffix}")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(UnreadableMediaError):
        list(read(path))


def test_a_still_is_a_small_jpeg(tmp_path: Path) -> None:
    with Image.open(io.BytesIO(still(make_media.image_file(tmp_path / "a.png"), Span(), max_side=64))) as image:
        assert (image.format, image.size) == ("JPEG", (64, 48))
