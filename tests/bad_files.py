"""The table of bad input: how each file is made, and what an ingest must say of it."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from data.records import FileState, Kind
from tests import make_bad_documents as docs
from tests import make_bad_media as bad
from tests import make_media as good

INDEXED, SKIPPED, FAILED = FileState.INDEXED, FileState.SKIPPED, FileState.FAILED
LOCKED = "locked.txt"  # must be read by somebody who may not
VANISHING = "vanishing.mkv"  # is deleted while it is read


@dataclass(frozen=True, slots=True)
class Bad:
    """One bad file.

    Args:
        make: writes it; gets its path.
        says: words in the reason and its hint; of a file that is indexed, in the notes on what was left out.
        kind: of an indexed file.
    """

    name: str
    make: Callable[[Path], object]
    state: FileState
    says: str = ""
    kind: Kind | None = None


def bad_files(url: str) -> Iterator[Bad]:
    """More than a hundred bad files.

    Args:
        url: of a server that nobody may ask for anything.
    """
    yield from _incomplete()
    yield from _misnamed()
    yield from _bombs()
    yield from _broken_recordings()
    yield from _bad_texts()
    yield from pointing_elsewhere(url)
    yield from _odd_paths()


def pointing_elsewhere(url: str) -> Iterator[Bad]:
    """Those of them that would like the URL to be asked for something."""
    for name, text in docs.playlists(url).items():
        yield Bad(name, _text(text), SKIPPED, "a playlist ingest those files")
    yield Bad("remote.docx", lambda p: docs.remote_docx(p, url), INDEXED, kind=Kind.DOCUMENT)
    yield Bad("remote.svg", lambda p: docs.remote_svg(p, url), INDEXED, kind=Kind.IMAGE)
    yield Bad("scripts.html", lambda p: docs.scripted_html(p, url), INDEXED, kind=Kind.TEXT)
    yield Bad("scripts.pdf", lambda p: docs.scripted_pdf(p, url), INDEXED, kind=Kind.DOCUMENT)
    yield Bad("remote pictures.mp4", lambda p: bad.elsewhere(p, url), INDEXED, kind=Kind.VIDEO)


def _incomplete() -> Iterator[Bad]:
    yield Bad("empty.jpg", _bytes(b""), SKIPPED, "empty file")
    yield Bad("one byte.png", _bytes(b"\x89"), FAILED, "its content is no PNG image may be cut off")
    yield Bad("one byte.mp4", _bytes(b"\0"), FAILED, "its content is no MPEG-4 video")
    yield Bad("one letter.txt", _bytes(b"a"), INDEXED, kind=Kind.TEXT)
    yield Bad("one byte.docx", _bytes(b"P"), FAILED, "its content is no Word document")
    for suffix in ("jpg", "png", "gif", "bmp", "tiff", "heic"):
        yield Bad(f"cut.{suffix}", _cut(good.image_file), FAILED, "image is broken or cut off get a whole copy")
    for suffix in ("webp", "avif"):
        yield Bad(f"cut.{suffix}", _cut(good.image_file), FAILED, "image header cannot be read get a whole copy")
    yield Bad("cut header.jpg", _cut(good.image_file, 0.005), FAILED, "broken JPEG image header cannot be read")
    yield Bad("cut.wav", _cut(good.wav), INDEXED, kind=Kind.AUDIO)
    yield Bad("cut.mp3", _cut(good.sound_file), INDEXED, kind=Kind.AUDIO)
    yield Bad("cut.flac", _cut(good.sound_file), INDEXED, "sound breaks off after", Kind.AUDIO)
    yield Bad("cut.m4a", _cut(good.sound_file), FAILED, "no index cut off before it was finished get a whole copy")
    yield Bad("cut.ogg", _cut(good.sound_file, 0.3), FAILED, "breaks off before anything can be decoded")
    yield Bad("cut.pdf", _cut(good.pdf), FAILED, "broken PDF page table get a whole copy")
    for suffix, name in (("docx", "Word document"), ("xlsx", "Excel workbook"), ("epub", "EPUB book")):
        make = _cut(getattr(good, suffix))
        yield Bad(f"cut.{suffix}", make, FAILED, f"its content (a broken zip archive) is no {name} cut off")
    yield Bad("cut.zip", _cut(good.docx), SKIPPED, "a broken zip archive")
    yield Bad("cut.mkv", _cut(bad.video), INDEXED, "picture breaks off after", Kind.VIDEO)


def _misnamed() -> Iterator[Bad]:
    yield Bad("a picture.txt", _renamed(good.image_file, ".png"), INDEXED, kind=Kind.IMAGE)
    yield Bad("a text.jpg", _text(good.STORY), INDEXED, kind=Kind.TEXT)
    yield Bad("a film.mp3", _renamed(bad.video, ".mp4"), INDEXED, kind=Kind.VIDEO)
    yield Bad("a sound.pdf", good.wav, INDEXED, kind=Kind.AUDIO)
    yield Bad("a document.png", _renamed(good.docx, ".docx"), INDEXED, kind=Kind.DOCUMENT)
    for suffix, name in (("txt", "plain text"), ("mp4", "MPEG-4 video"), ("jpg", "JPEG image"), ("docx", "Word")):
        yield Bad(f"noise.{suffix}", bad.noise, FAILED, f"its content is no {name} misnamed")
    yield Bad("noise.bin", bad.noise, SKIPPED, "no reader for .bin files")
    yield Bad("program.exe", _bytes(b"MZ\x90\0" + bytes(300)), SKIPPED, "a program")
    yield Bad("disk.iso", _bytes(bytes(32_768) + b"\x01CD001\x01" + bytes(4_000)), SKIPPED, "no reader for .iso files")
    yield Bad("notes.sqlite", _database, SKIPPED, "a database export")


def _bombs() -> Iterator[Bad]:
    too_much = "MB of text more than the limit of 50 MB make a smaller copy"
    unsafe = "defines entities not safe"
    yield Bad("bomb.docx", good.zip_bomb_docx, FAILED, too_much)
    yield Bad("nested bomb.docx", docs.nested_bomb_docx, INDEXED, kind=Kind.DOCUMENT)
    yield Bad("lying bomb.docx", docs.lying_docx, FAILED, "broken Word document Bad CRC")
    yield Bad("bomb.xlsx", lambda p: docs.stuff(good.xlsx(p), "xl/worksheets/sheet9.xml"), FAILED, too_much)
    yield Bad("bomb.pptx", lambda p: docs.stuff(good.pptx(p), "ppt/slides/slide9.xml"), FAILED, too_much)
    yield Bad("bomb.epub", lambda p: docs.stuff(good.epub(p), "OEBPS/more.xhtml"), FAILED, too_much)
    yield Bad("last cell.xlsx", docs.far_cell_xlsx, INDEXED, kind=Kind.DOCUMENT)
    yield Bad("laughs.svg", docs.laughing_svg, FAILED, unsafe)
    yield Bad("laughs.docx", docs.laughing_docx, FAILED, unsafe)
    yield Bad("late laughs.docx", lambda p: docs.laughing_docx(p, far=True), FAILED, unsafe)
    yield Bad("wide laughs.docx", lambda p: docs.laughing_docx(p, wide=True), FAILED, unsafe)
    yield Bad("laughs.odt", docs.laughing_odt, FAILED, unsafe)
    yield Bad("deep.odt", docs.nested_odt, INDEXED, kind=Kind.DOCUMENT)
    yield Bad("deep.svg", docs.nested_svg, FAILED, "nested too deeply")
    yield Bad("multiplying.svg", docs.multiplying_svg, FAILED, "cannot be drawn nodes limit")
    yield Bad("repeating.epub", docs.repeating_epub, INDEXED, kind=Kind.DOCUMENT)
    pixels = "40000 x 40000 pixels more than the limit make a smaller copy"
    yield Bad("40000 claimed.png", lambda p: good.png_header(p, 40_000, 40_000), FAILED, pixels)
    yield Bad("40000.png", lambda p: bad.png(p, 40_000, 40_000, bits=1, colour=0), FAILED, pixels)
    yield Bad("40000.bmp", lambda p: bad.bmp_header(p, 40_000, 40_000), FAILED, pixels)
    yield Bad("huge.gif", lambda p: bad.endless_gif(p, 1_000, 65_535, 65_535), FAILED, "more pixels than the limit")
    yield Bad("huge.webp", bad.webp_header, FAILED, "broken WebP image")
    yield Bad("large.png", lambda p: bad.png(p, 9_000, 9_000, colour=3), INDEXED, kind=Kind.IMAGE)
    yield Bad("long comment.png", bad.png_of_text, FAILED, "a comment in it unpacks to too much")
    yield Bad("endless.gif", bad.endless_gif, INDEXED, "frames after 2000 are left out", Kind.IMAGE)
    yield Bad(
        "endless large.gif",
        lambda p: bad.endless_gif(p, 20_000, 4_000, 4_000),
        INDEXED,
        "frames after 31 are left out",
        Kind.IMAGE,
    )
    yield Bad("pages in a circle.tiff", bad.tiff_loop, INDEXED, kind=Kind.IMAGE)
    yield Bad(
        "10000 pages.pdf",
        lambda p: good.empty_pages_pdf(p, 10_000),
        SKIPPED,
        "nothing on the 2000 pages looked at 10000",
    )
    yield Bad(
        "locked.pdf", lambda p: good.pdf(p, password="secret"), FAILED, "locked with a password save a copy without"
    )
    yield Bad("pages in a circle.pdf", docs.looping_pdf, FAILED, "broken PDF page 1 cannot be read")
    yield Bad("stuffed.pdf", docs.stuffed_pdf, FAILED, "needs more than MB make a smaller copy")
    yield Bad("exponential.pdf", docs.exponential_pdf, FAILED, "needs more than MB make a smaller copy")


def _broken_recordings() -> Iterator[Bad]:
    no_index = "no index cut off before it was finished get a whole copy"
    yield Bad("without index.mp4", bad.without_index, FAILED, no_index)
    yield Bad("half an index.mp4", bad.half_index, INDEXED, kind=Kind.VIDEO)
    yield Bad("cut behind the index.mp4", bad.cut_after_index, INDEXED, "picture breaks off after", Kind.VIDEO)
    yield Bad("no length.wav", lambda p: good.wav(p, good.silence(0)), SKIPPED, "the sound lasts no time")
    yield Bad(
        "ten hours of nothing.wav", lambda p: bad.wav_claiming(p, 36_000, has=0), SKIPPED, "the sound lasts no time"
    )
    yield Bad("ten hours claimed.wav", lambda p: bad.wav_claiming(p, 36_000, has=1), INDEXED, kind=Kind.AUDIO)
    yield Bad("15000.mkv", lambda p: bad.huge_matroska(p, 15_000), FAILED, "15000 x 15000 pixels more than the limit")
    yield Bad("65535.mkv", lambda p: bad.huge_matroska(p, 65_535), FAILED, "neither picture nor sound in it")
    for suffix in ("wmv", "flv", "mpg", "mts"):
        yield Bad(f"cut.{suffix}", _cut(bad.video), INDEXED, kind=Kind.VIDEO)
    yield Bad(
        "noise.wmv", lambda p: bad.noise_after(p, bad.video(p).read_bytes()[:64]), FAILED, "broken get a whole copy"
    )
    yield Bad(
        "noise.mpg", lambda p: bad.noise_after(p, bad.video(p).read_bytes()[:64]), FAILED, "broken get a whole copy"
    )
    yield Bad("noise.amr", lambda p: bad.noise_after(p, b"#!AMR\n"), INDEXED, kind=Kind.AUDIO)
    yield Bad("twenty hours apart.mkv", bad.hours_apart, INDEXED, "picture breaks off after", Kind.VIDEO)


def _bad_texts() -> Iterator[Bad]:
    yield Bad("comments.html", docs.comments_html, INDEXED, kind=Kind.TEXT)
    yield Bad("never closed.html", docs.unclosed_html, INDEXED, kind=Kind.TEXT)
    yield Bad("one line.csv", docs.long_line_csv, INDEXED, kind=Kind.TEXT)
    yield Bad("long.txt", docs.long_text, INDEXED, "text after the first 50 MB is left out", Kind.TEXT)
    yield Bad("deep.json", docs.deep_json, INDEXED, "does not parse as JSON", Kind.TEXT)
    yield Bad("half an emoji.json", _text(r'[{"text": "We met at the beach \ud83d"}]'), INDEXED, kind=Kind.TEXT)
    yield Bad("half an emoji.pdf", docs.half_emoji_pdf, INDEXED, kind=Kind.DOCUMENT)
    yield Bad("absurd.srt", docs.absurd_srt, INDEXED, kind=Kind.TEXT)
    yield Bad("to and fro.txt", docs.bidi_text, INDEXED, kind=Kind.TEXT)
    yield Bad("5 GB of zeros.mp4", bad.sparse, FAILED, "its content is no MPEG-4 video")


def _odd_paths() -> Iterator[Bad]:
    story = _text(good.STORY + "Here and there.")
    yield Bad("line\nbreak 🎺 'quotes\" \u202etxt.txt", story, INDEXED, kind=Kind.TEXT)
    yield Bad(os.fsdecode(b"no utf-8 \xe9\xff.txt"), _text(good.STORY + "Latin."), INDEXED, kind=Kind.TEXT)
    yield Bad(os.fsdecode(b"no utf-8 \xe9\xff.wav"), good.wav, INDEXED, kind=Kind.AUDIO)
    yield Bad("n" * 251 + ".txt", _text(good.STORY + "Long."), INDEXED, kind=Kind.TEXT)
    yield Bad("-rf --help; $(reboot) %s.txt", _text(good.STORY + "Flags."), INDEXED, kind=Kind.TEXT)
    yield Bad("link to itself.txt", lambda p: p.symlink_to(p), FAILED, "leads back to itself remove")
    yield Bad("link to nothing.txt", lambda p: p.symlink_to(p.with_name("nothing")), FAILED, "does not exist remove")
    yield Bad("pipe.txt", os.mkfifo, SKIPPED, "not a regular file")
    yield Bad("socket.jpg", lambda p: os.mknod(p, stat.S_IFSOCK | 0o600), SKIPPED, "not a regular file")
    yield Bad(LOCKED, _locked, FAILED, "permission denied allow reading it")
    yield Bad(VANISHING, lambda p: bad.sparse(p, 1_500_000_000), FAILED, "no longer there moved or deleted")


def _bytes(body: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(body)


def _text(text: str) -> Callable[[Path], object]:
    return lambda path: path.write_text(text, "utf-8")


def _cut(make: Callable[[Path], Path], keep: float = 0.5) -> Callable[[Path], object]:
    return lambda path: bad.cut(make(path), keep)


def _renamed(make: Callable[[Path], Path], suffix: str) -> Callable[[Path], object]:
    return lambda path: make(path.with_suffix(suffix)).rename(path)


def _database(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE birds (name)")
    database.close()


def _locked(path: Path) -> None:
    path.write_text("secret")
    path.chmod(0)
