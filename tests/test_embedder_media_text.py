"""Text readers: every word once, at its place, whatever the encoding and the dialect."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest

from data.errors import MediaError, UnreadableMediaError, UnsupportedMediaError
from data.records import Evidence, Kind
from embedder.media import identify, read
from embedder.media.limits import Limits
from embedder.media.passages import MAX_WORDS, passages, word_count
from tests import make_media


def _texts(path: Path) -> list[str]:
    return [segment.text or "" for segment in read(path)]


def test_passages_hold_every_word_once_and_end_at_sentences() -> None:
    text = (make_media.STORY * 7 + "\n\n" + "A short paragraph.\n\n") * 6
    found = list(passages(text))
    assert " ".join(p.text for p in found).split() == text.split()
    assert all(word_count(p.text) <= MAX_WORDS for p in found)
    assert all(p.text.endswith(".") for p in found)
    assert all(text[p.start : p.end] == p.text for p in found)


def test_a_text_without_any_border_is_cut_all_the_same() -> None:
    for text in ("word " * 1000, "a" * 50_000, "漢字" * 2000):
        found = list(passages(text))
        assert len(found) > 5
        assert "".join(p.text for p in found).replace(" ", "") == text.replace(" ", "")


def test_spans_point_into_the_decoded_text(tmp_path: Path) -> None:
    path = tmp_path / "notes.md"
    path.write_bytes(b"\xef\xbb\xbf# Gr\xc3\xbc\xc3\x9fe\r\n\r\nZwei Zeilen.\r\n")
    [segment] = read(path)
    assert (segment.kind, segment.evidence) == (Kind.TEXT, Evidence.WRITTEN)
    assert segment.text == "# Grüße\n\nZwei Zeilen."
    assert (segment.span.char_start, segment.span.char_end) == (0, 21)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "latin-1", "cp1252"])
def test_old_encodings_are_read(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "old.txt"
    words = "Die schönen Häuser der Stadt München liegen über dem grünen Fluss. "
    path.write_bytes((words * 5).encode(encoding))
    assert "schönen Häuser der Stadt München" in _texts(path)[0]


def test_html_gives_what_a_reader_of_the_page_sees(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text(
        "<!doctype html><title>Boats</title><script>var secret = 1</script><style>p {}</style>"
        "<h1>Old boats</h1><p>Red &amp; <b>blue</b> ones.<p>More<img alt='a mast' src='http://127.0.0.1/x'>"
    )
    text = " ".join(_texts(path)[0].split())
    assert text == "Boats Old boats Red & blue ones. More a mast"


def test_rows_of_a_table_say_their_columns(tmp_path: Path) -> None:
    [text] = _texts(make_media.csv(tmp_path / "birds.csv"))
    assert "name: wren; wingspan_cm: 15; home: hedge" in text


def test_json_records_are_readable_and_broken_json_is_plain_text(tmp_path: Path) -> None:
    assert "title: Red boat; tags: sea, wood" in _texts(make_media.json_file(tmp_path / "a.json"))[0]
    deep = tmp_path / "deep.json"
    deep.write_text("[" * 5000 + "word")
    notes: list[str] = []
    assert "word" in list(read(deep, notes=notes))[-1].text  # type: ignore[operator]
    assert "plain text" in notes[0]


def test_what_is_no_character_costs_itself_and_no_file(tmp_path: Path) -> None:
    path = tmp_path / "chat.json"
    path.write_text(r"""[{"text": "beach \ud83d"}, {"text": "sun\u0000 \ud83d\ude00"}]""")
    [segment] = read(path)
    assert segment.text == "text: beach \ufffd\n\ntext: sun\ufffd \U0001f600"
    assert (segment.span.char_start, segment.span.char_end) == (0, len(segment.text))


@pytest.mark.parametrize("suffix", ["srt", "vtt", "txt"])
def test_subtitles_carry_their_times(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"film.{suffix}"
    text = make_media.srt()
    path.write_text("WEBVTT\n\n" + text.replace(",", ".") if suffix == "vtt" else text)
    first, second = read(path)
    assert first.text == "The boat leaves the harbour. Wait for me!"
    assert (first.span.start_s, first.span.end_s) == (0.5, 4.0)
    assert second.text == "A storm is coming from the west."
    assert second.span.start_s == 20.0


def test_content_decides_and_the_suffix_only_breaks_ties(tmp_path: Path) -> None:
    (tmp_path / "car.txt").write_text("BMW makes cars. GIFs are pictures.")
    assert identify(tmp_path / "car.txt").kind is Kind.TEXT
    make_media.image_file(tmp_path / "x.png").rename(tmp_path / "x.mp3")
    assert identify(tmp_path / "x.mp3").name == "PNG image"
    make_media.sound_file(tmp_path / "x.m4a").rename(tmp_path / "x.txt")
    assert identify(tmp_path / "x.txt").kind is Kind.AUDIO
    make_media.docx(tmp_path / "x.docx").rename(tmp_path / "x.zip")
    assert identify(tmp_path / "x.zip").name == "Word document"


BAD: list[tuple[str, bytes, type[MediaError], str]] = [
    ("empty.mp3", b"", UnsupportedMediaError, "empty file"),
    ("blank.txt", b" \n\n\t ", UnsupportedMediaError, "no words"),
    ("noise.bin", bytes(range(256)) * 20, UnsupportedMediaError, "no reader"),
    ("noise.mp4", bytes(range(256)) * 20, UnreadableMediaError, "no MPEG-4 video"),
    ("noise.docx", b"PK\x03\x04" + bytes(range(256)), UnreadableMediaError, "zip"),
    ("list.m3u8", b"#EXTM3U\nhttp://127.0.0.1:9/a.ts\n", UnsupportedMediaError, "playlist"),
    ("list.mp4", b"ffconcat version 1.0\nfile http://127.0.0.1:9/a.ts\n", UnsupportedMediaError, "playlist"),
    ("list.mpd", b"<?xml version='1.0'?><MPD></MPD>", UnsupportedMediaError, "playlist"),
    ("tune.mid", b"MThd\0\0\0\x06\0\1\0\1\1\xe0MTrk", UnsupportedMediaError, "notes without sound"),
    ("old.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 2000, UnsupportedMediaError, ""),
    ("zero.bin", b"\0" * 5000, UnsupportedMediaError, "no reader"),
]


@pytest.mark.parametrize(("name", "content", "error", "reason"), BAD, ids=[name for name, *_ in BAD])
def test_what_is_no_media_gives_its_reason(
    tmp_path: Path, name: str, content: bytes, error: type[MediaError], reason: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(error) as caught:
        list(read(path))
    assert reason in caught.value.reason


def test_folders_pipes_and_missing_files_give_their_reason(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp3")
    for path, reason in (
        (tmp_path, "a folder"),
        (tmp_path / "pipe.mp3", "not a regular file"),
        (tmp_path / "gone.txt", "no longer there"),
    ):
        with pytest.raises(MediaError) as caught:
            identify(path)
        assert reason in caught.value.reason


def test_the_reason_for_what_nobody_reads_is_short_and_can_be_shown(tmp_path: Path) -> None:
    odd = tmp_path / os.fsdecode(b"a.\x1b[31m\xe9" + b"x" * 200)
    odd.write_bytes(bytes(range(256)) * 20)
    archives = tmp_path / "a.zip", tmp_path / "a.docx"
    for path in archives:
        with zipfile.ZipFile(path, "w") as parts:
            parts.writestr("mimetype", "evil/\0\x1b[2J\u202e" + "y" * 150)
    for path in (odd, *archives):
        with pytest.raises(MediaError) as caught:
            identify(path)
        assert caught.value.reason.isprintable()
        assert len(caught.value.reason) < 130


@pytest.mark.parametrize(("packing", "header_bytes"), [(zipfile.ZIP_DEFLATED, 0), (zipfile.ZIP_LZMA, 4)])
def test_an_archive_that_does_not_unpack_gives_its_reason(tmp_path: Path, packing: int, header_bytes: int) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", packing) as parts:
        parts.writestr("mimetype", "application/epub+zip" * 5)
    body = bytearray(path.read_bytes())
    at = body.index(b"mimetype") + len("mimetype") + header_bytes
    body[at : at + 16] = b"\xff" * 16
    path.write_bytes(body)
    with pytest.raises(UnsupportedMediaError, match="a broken zip archive"):
        identify(path)


def test_too_much_text_is_cut_with_a_note(tmp_path: Path) -> None:
    path = tmp_path / "long.txt"
    path.write_text("many words here. " * 100_000)
    notes: list[str] = []
    found = list(read(path, limits=Limits(text_bytes=1_000_000, segments=50), notes=notes))
    assert len(found) == 50
    assert notes == ["text after the first 1 MB is left out", "segments after the first 50 are left out"]


def test_a_name_with_newline_and_emoji_is_read(tmp_path: Path) -> None:
    path = tmp_path / "two\nlines 🎈.txt"
    path.write_text("A balloon.")
    assert _texts(path) == ["A balloon."]
