"""Picture readers: upright, over white, reduced, with the words in them; hostile ones refused by their header."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data.errors import UnreadableMediaError
from data.records import Evidence, Kind, Span
from embedder.media import read, still, svg
from embedder.segment import Segment
from tests import make_media


def _seen(path: Path) -> list[Segment]:
    return [segment for segment in read(path) if segment.evidence is Evidence.SEEN]


def _words(path: Path) -> str:
    return " ".join(segment.text for segment in read(path) if segment.text)


def _drawn(path: Path) -> np.ndarray:
    drawing = next(read(path))
    assert drawing.pixels is not None
    return drawing.pixels[0]


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


def test_white_on_nothing_is_seen_on_grey(tmp_path: Path) -> None:
    logo = Image.new("RGBA", (100, 100), (0, 0, 0, 0))
    logo.paste((255, 255, 255, 255), (20, 20, 60, 60))
    [segment] = _seen(make_media.image_file(tmp_path / "logo.png", logo))
    assert segment.pixels is not None
    assert (segment.pixels[0, 40, 40, 0], segment.pixels[0, 80, 80, 0]) == (255, 128)


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


@pytest.mark.parametrize("suffix", ["png", "tiff"])
def test_twelve_bits_are_as_bright_as_sixteen(tmp_path: Path, suffix: str) -> None:
    ramp = np.linspace(0, 4_095, 200 * 100).reshape(100, 200).astype(np.uint16)
    [segment] = _seen(make_media.image_file(tmp_path / f"scan.{suffix}", Image.fromarray(ramp)))
    assert segment.pixels is not None
    assert 100 < segment.pixels.mean() < 155


def test_sixteen_bits_may_count_down_from_white(tmp_path: Path) -> None:
    values = np.full((100, 200), 60_000, np.uint16)
    [light] = _seen(make_media.tiff_of_one_channel(tmp_path / "a.tiff", values))
    [dark] = _seen(make_media.tiff_of_one_channel(tmp_path / "b.tiff", values, white_is_zero=True))
    assert light.pixels is not None
    assert dark.pixels is not None
    assert light.pixels.mean() + dark.pixels.mean() == pytest.approx(255, abs=2)
    assert dark.pixels.mean() < 30


@pytest.mark.parametrize("suffix", ["gif", "webp"])
def test_an_animation_is_one_segment_of_eight_frames(tmp_path: Path, suffix: str) -> None:
    [segment] = _seen(make_media.animation(tmp_path / f"a.{suffix}", 40))
    assert segment.pixels is not None
    assert segment.pixels.shape[0] == 8
    brightness = segment.pixels.mean(axis=(1, 2, 3))
    assert (np.diff(brightness) > 0).all()
    assert brightness[-1] > 200


def test_the_frames_of_a_large_animation_are_of_one_size(tmp_path: Path) -> None:
    frames = [Image.new("L", (2000, 333), level) for level in (0, 255)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=100)
    [segment] = _seen(tmp_path / "a.gif")
    assert segment.pixels is not None
    assert len(segment.pixels) == 2


def test_a_tiff_is_seen_page_by_page(tmp_path: Path) -> None:
    path = make_media.tiff_pages(tmp_path / "scan.tiff", 3)
    assert [segment.span.page for segment in _seen(path)] == [1, 2, 3]
    first, second = (still(path, Span(page=n), max_side=100) for n in (1, 2))
    assert first != second


def test_a_smaller_copy_is_no_further_page(tmp_path: Path) -> None:
    assert len(_seen(make_media.tiff_with_a_smaller_copy(tmp_path / "a.tiff"))) == 1
    assert len(_seen(make_media.tiff_with_a_smaller_copy(tmp_path / "b.tiff", subfile=2))) == 2


def test_a_raw_picture_of_which_only_the_preview_is_read_says_so(tmp_path: Path) -> None:
    notes: list[str] = []
    list(read(make_media.raw_picture(tmp_path / "a.tiff"), notes=notes))
    assert notes == ["a raw picture: only its preview of 160 x 120 pixels is read"]


def test_words_in_a_picture_are_written_evidence(tmp_path: Path) -> None:
    image = make_media.lettered(["Invoice for seven lanterns", "Total 84 euros"])
    segments = list(read(make_media.image_file(tmp_path / "bill.png", image)))
    assert [s.evidence for s in segments] == [Evidence.SEEN, Evidence.WRITTEN]
    assert "seven lanterns" in (segments[1].text or "")
    assert segments[0].text is None, "a photograph of words is no page"


def test_a_picture_without_words_has_none(tmp_path: Path) -> None:
    path = make_media.image_file(tmp_path / "a.jpg", make_media.picture(800, 600, seed=3))
    assert [s.evidence for s in read(path)] == [Evidence.SEEN]


@pytest.mark.parametrize("dark", [False, True])
def test_a_few_lines_on_a_large_screen_are_read(tmp_path: Path, dark: bool) -> None:
    image = make_media.screenshot(2560, 1440, rows=range(4, 12), dark=dark)
    words = _words(make_media.image_file(tmp_path / "screen.png", image))
    assert words.count("bridge and the river") >= 7


def test_a_long_screenshot_is_read_from_top_to_bottom_each_line_once(tmp_path: Path) -> None:
    image = make_media.screenshot(600, 2_400, rows=range(4, 60, 3))
    words = _words(make_media.image_file(tmp_path / "long.png", image))
    assert [int(number) for number in re.findall(r"\d+", words)] == list(range(4, 60, 3))


def test_a_screenshot_that_is_far_too_long_says_what_is_not_read(tmp_path: Path) -> None:
    notes: list[str] = []
    image = make_media.screenshot(320, 20_000, rows=range(490, 500))
    assert not [s for s in read(make_media.image_file(tmp_path / "a.png", image), notes=notes) if s.text]
    assert notes == ["words below 52% of its height are not read"]


@pytest.mark.parametrize("suffix", ["gif", "webp"])
def test_the_words_of_an_animation_are_those_of_its_first_frame(tmp_path: Path, suffix: str) -> None:
    frames = [make_media.lettered([text], width=400, height=200) for text in ("Happy birthday", "Good night")]
    path = tmp_path / f"card.{suffix}"
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=100)
    first, words = read(path)
    assert first.pixels is not None
    assert len(first.pixels) == 2
    assert words.text == "Happy birthday"


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


@pytest.mark.parametrize("size", ['width="210mm" height="105mm"', 'width="460pt" height="230pt"'])
def test_a_drawing_may_be_sized_in_millimetres_or_points(tmp_path: Path, size: str) -> None:
    path = make_media.svg(tmp_path / "map.svg")
    path.write_text(path.read_text("utf-8").replace("<svg ", f"<svg {size} "), "utf-8")
    assert tuple(_drawn(path)[200, 100]) == (255, 0, 0)


@pytest.mark.parametrize("reference", ["url(#blue)", "url('#blue')", "url(&quot;#blue&quot;)", "url( #blue )"])
def test_what_a_drawing_defines_for_itself_is_used(tmp_path: Path, reference: str) -> None:
    inside = (
        '<linearGradient id="blue"><stop stop-color="#00f"/></linearGradient>'
        f'<rect width="100" height="100" fill="{reference}"/>'
    )
    assert tuple(_drawn(make_media.svg(tmp_path / "map.svg", inside=inside))[200, 100]) == (0, 0, 255)


@pytest.mark.parametrize("family", ["", "Arial, sans-serif", "Helvetica", "serif", "monospace", "No Such Font"])
def test_the_words_of_a_drawing_are_seen_in_whatever_font_there_is(tmp_path: Path, family: str) -> None:
    if not svg._families()[0]:
        pytest.skip("this machine has no font")
    inside = f'<text x="110" y="90" font-size="30" font-family="{family}">Storm</text>'
    pixels = _drawn(make_media.svg(tmp_path / "map.svg", inside=inside))
    assert pixels[250:350, 420:].min() < 64


@pytest.mark.parametrize("encoding", ["ISO-8859-1", "UTF-16", "UTF-8"])
def test_a_drawing_is_read_in_the_encoding_it_declares(tmp_path: Path, encoding: str) -> None:
    text = make_media.svg(tmp_path / "map.svg").read_text("utf-8").replace("Weather map", "Café à Genève, crème brûlée")
    (tmp_path / "map.svg").write_bytes(f'<?xml version="1.0" encoding="{encoding}"?>\n{text}'.encode(encoding))
    assert "Café à Genève, crème brûlée" in _words(tmp_path / "map.svg")


def test_lines_of_a_text_in_a_drawing_are_words_apart(tmp_path: Path) -> None:
    inside = (
        '<text><tspan x="0" y="20">Hello</tspan><tspan x="0" y="40">World</tspan></text>'
        '<text>North<tspan x="0" dy="20">Sea</tspan></text>'
        '<text><tspan x="0" y="60">T</tspan><tspan x="7" y="60">rain</tspan></text>'
    )
    assert _words(make_media.svg(tmp_path / "map.svg", inside=inside)).split("\n")[1:4] == [
        "Hello World",
        "North Sea",
        "Train",
    ]


def test_a_white_drawing_is_seen(tmp_path: Path) -> None:
    (tmp_path / "logo.svg").write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 10 10"><path fill="#fff" d="M1 1h5v5H1z"/></svg>', "utf-8"
    )
    assert np.ptp(_drawn(tmp_path / "logo.svg")) > 100


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
