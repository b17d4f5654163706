"""Text readers: every word once, at its place, whatever the encoding and the dialect."""

from __future__ import annotations

import base64
import os
import zipfile
from pathlib import Path

import pytest

from data.errors import MediaError, UnreadableMediaError, UnsupportedMediaError
from data.records import Evidence, Kind
from embedder.media import identify, read
from embedder.media.limits import Limits
from embedder.media.passages import MAX_WORDS, passages, word_count
from tests import make_bad_documents, make_media


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


OLD = [
    ("It’s the dog’s first day. He said “hello” – and left; £30.", "cp1252"),
    ("Le café était fermé à midi; l'élève déçu rentra chez lui.", "cp1252"),
    ("Räksmörgås på Åland i går kväll", "cp1252"),
    ("A reunião de amanhã não será às três. Informações em português.", "cp1252"),
    ("Crème brûlée", "cp1252"),
    ("Il est à", "cp1252"),
    ("Zażółć gęślą jaźń. Wczoraj poszliśmy do kościoła.", "iso8859-2"),
    ("Příliš žluťoučký kůň úpěl ďábelské ódy.", "cp1250"),
    ("Bugün hava çok güzeldi, şehirde yürüyüş yaptık.", "cp1254"),
    ("Það er gaman að þú komst hingað á Ísland.", "cp1252"),
    ("Сегодня утром мы поехали на дачу и собирали яблоки.", "cp1251"),
    ("Сегодня утром мы поехали на дачу и собирали яблоки.", "cp866"),
    ("今日は天気がとても良いので、公園へ散歩に行きました。桜の花がきれいに咲いていました。", "shift_jis"),
    ("今日は天気がとても良いので、公園へ散歩に行きました。", "iso2022_jp"),
    ("今天天气很好，我们去公园散步。春天的花开得非常漂亮，孩子们在草地上玩耍。", "gbk"),
    ("오늘은 날씨가 좋아서 공원에 산책을 갔습니다. 벚꽃이 아름답게 피었습니다.", "euc-kr"),
    ("“It’s me”, she said.", "utf-16-le"),
]


@pytest.mark.parametrize(("words", "encoding"), OLD, ids=[f"{words[:12]} {encoding}" for words, encoding in OLD])
def test_a_sentence_is_enough_to_tell_an_old_encoding(tmp_path: Path, words: str, encoding: str) -> None:
    path = tmp_path / "old.txt"
    path.write_bytes(words.encode(encoding))
    assert _texts(path) == [words]


def test_a_foreign_word_changes_no_encoding(tmp_path: Path) -> None:
    path = tmp_path / "novel.txt"
    words = "L'été dernier, l'élève déçu rentra à la forêt. "
    path.write_bytes((words * 10 + "Il dit señor.").encode("cp1252"))
    assert _texts(path)[-1].endswith("forêt. Il dit señor.")


def test_a_broken_byte_changes_no_encoding(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    path.write_bytes("Größe und Länge müssen überprüft werden.".encode() + b" \xff Ende")
    assert _texts(path) == ["Größe und Länge müssen überprüft werden. \ufffd Ende"]


@pytest.mark.parametrize("encoding", ["cp1252", "gbk", "shift_jis"])
def test_the_encoding_is_told_where_the_letters_are(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "late.txt"
    words = "Der Müller fährt über die Straße.\n" if encoding == "cp1252" else "今天天気好，公園散歩。春天花開。\n"
    for before in ("", "a", "Plain words in the beginning.\n" * 4000):
        path.write_bytes((before + words * 4000).encode(encoding))
        assert words.strip() in _texts(path)[-1]


def test_html_gives_what_a_reader_of_the_page_sees(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text(
        "<!doctype html><title>Boats</title><script>var secret = 1</script><style>p {}</style>"
        "<h1>Old boats</h1><p>Red &amp; <b>blue</b> ones.<p>More<img alt='a mast' src='http://127.0.0.1/x'>"
    )
    text = " ".join(_texts(path)[0].split())
    assert text == "Boats Old boats Red & blue ones. More a mast"


def test_an_empty_script_of_xhtml_hides_nothing(tmp_path: Path) -> None:
    path = tmp_path / "page.xhtml"
    path.write_text(
        '<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><head><title>Boats</title>'
        '<script src="a.js"/><style/></head><body><p>Red ones.</p></body></html>'
    )
    assert _texts(path)[0].split() == ["Boats", "Red", "ones."]
    chapter = '<script src="a.js"/>Call me Ishmael.'
    assert "Ishmael" in _texts(make_media.epub(tmp_path / "a.epub", chapters=[chapter]))[0]


def test_each_element_that_stands_apart_ends_a_word(tmp_path: Path) -> None:
    path = tmp_path / "form.html"
    path.write_text(
        "<html><center>Title</center>Text<fieldset><legend>Who</legend>you are</fieldset>"
        "<label>Name</label><button>Send</button><table><caption>Ages</caption><tr><td>1"
    )
    assert _texts(path)[0].split() == ["Title", "Text", "Who", "you", "are", "Name", "Send", "Ages", "1"]


@pytest.mark.parametrize(("part", "is_locked"), [("OEBPS/c0.xhtml", True), ("OEBPS/font.ttf", False)])
def test_a_book_locked_with_drm_gives_its_reason(tmp_path: Path, part: str, is_locked: bool) -> None:
    book = make_media.epub(tmp_path / "a.epub")
    reference = f'<x:CipherReference URI="{part}"/>'
    encryption = f'<encryption xmlns:x="http://www.w3.org/2001/04/xmlenc#">{reference}</encryption>'
    make_bad_documents.change(book, "META-INF/encryption.xml", lambda _: encryption.encode())
    if is_locked:
        with pytest.raises(UnreadableMediaError, match="locked with DRM"):
            _texts(book)
    else:
        assert "whale" in _texts(book)[1]


@pytest.mark.parametrize("name", ["mail.eml", "mail", "mail.txt"])
def test_mail_gives_who_wrote_what_to_whom(tmp_path: Path, name: str) -> None:
    notes: list[str] = []
    path = make_media.mail(tmp_path / name)
    assert identify(path).name == "E-mail"
    [segment] = read(path, notes=notes)
    heads = "Subject: Grüße aus München\nFrom: Änne <a@example.com>\nTo: bob@example.com"
    assert segment.text == f"{heads}\n\nHallo Bob, die Reise nach München ist gebucht."
    assert notes == ["attachments are left out (1): Straße.jpg"]


def test_a_saved_page_gives_its_words(tmp_path: Path) -> None:
    [text] = _texts(make_media.saved_page(tmp_path / "page.mhtml"))
    assert text == "Subject: The library\nFrom: <Saved by Blink>\n\nGrüße aus der Bibliothek."


def test_mail_of_old_programs_and_without_a_charset_is_read(tmp_path: Path) -> None:
    path = tmp_path / "old.eml"
    path.write_bytes("From: Zoë\nSubject: Fête\n\nL'élève est déçu.".encode("cp1252"))
    assert _texts(path) == ["Subject: Fête\nFrom: Zoë\n\nL'élève est déçu."]


def test_a_forwarded_message_says_who_wrote_it_and_a_cut_header_is_noted(tmp_path: Path) -> None:
    path = tmp_path / "forwarded.eml"
    path.write_bytes(
        b"Subject: Fwd\nContent-Type: multipart/mixed; boundary=x\n\n--x\n\nSee below.\n--x\n"
        b"Content-Type: message/rfc822\n\nSubject: =?utf-8?q?F=C3=AAte?=\nFrom: Zoe\n\nCome at noon.\n--x--\n"
    )
    notes: list[str] = []
    [segment] = read(path, notes=notes)
    assert (segment.text, notes) == ("Subject: Fwd\n\nSee below.\n\nSubject: Fête\nFrom: Zoe\n\nCome at noon.", [])
    path.write_bytes(b"From: a\nTo: " + b"bob, " * 5_000 + b"\n\nwords")
    list(read(path, notes=notes))
    assert notes == ["headers are cut after 10,000 characters"]


def test_mail_is_mail_however_far_down_its_main_headers_stand(tmp_path: Path) -> None:
    path = tmp_path / "long.eml"
    path.write_bytes(b"Received: by a\n" + b"ARC-Seal: i=1;\n b=abcd\n" * 2_000 + b"Subject: Tides\n\nAt noon.")
    assert identify(path).name == "E-mail"
    assert _texts(path) == ["Subject: Tides\n\nAt noon."]


HOSTILE_MAIL = {
    "parameters": b"From: a\nContent-Type: text/plain" + b";" * 1_000_000 + b"\n\nwords",
    "charset": b"From: a\nContent-Type: text/plain; charset=hex\n\nwords",
    "punycode": b"From: words\nContent-Type: text/plain; charset=-punycode\n\n"
    + b"a" * 1_000_000
    + b"-"
    + b"b" * 500_000,
    "forwarded": b"From: words\nContent-Type: multipart/mixed; boundary=x\n\n"
    + (b"--x\nContent-Type: message/rfc822\n\nTo: " + b"=?a?q?" * 1_700 + b"\n\nwords\n") * 200,
    "no boundary": b"From: words\nContent-Type: multipart/mixed\n\nwords",
    "encoded words": b"From: words " + b"=?a?q?" * 200_000 + b"\n\nwords",
}


@pytest.mark.parametrize("name", HOSTILE_MAIL)
def test_mail_that_no_program_writes_costs_little(tmp_path: Path, name: str) -> None:
    path = tmp_path / "bad.eml"
    path.write_bytes(HOSTILE_MAIL[name])
    assert "words" in _texts(path)[0]


def test_mail_of_too_many_layers_gives_its_reason(tmp_path: Path) -> None:
    path = tmp_path / "deep.eml"
    path.write_bytes(b"From: a\n" + b"Content-Type: message/rfc822\n\n" * 5_000 + b"words")
    with pytest.raises(UnreadableMediaError, match="nested too deeply"):
        _texts(path)


def test_a_text_that_only_begins_like_mail_is_plain_text(tmp_path: Path) -> None:
    path = tmp_path / "memo.txt"
    path.write_text("From: the desk of Ann\nSubject: Tides\nPlace: the harbour\n\nThey turn at noon.")
    assert "Place: the harbour" in _texts(path)[0]


def test_a_notebook_gives_its_cells_and_what_they_printed(tmp_path: Path) -> None:
    notes: list[str] = []
    [segment] = read(make_media.notebook(tmp_path / "a.ipynb"), notes=notes)
    words = " ".join((segment.text or "").split())
    assert words == "# Rainfall It is wet. plot(days) twelve rainy days <Figure>"
    assert notes == ["pictures inside it are left out"]


def test_encoded_data_are_left_out_of_a_text(tmp_path: Path) -> None:
    picture = base64.b64encode(bytes(range(256)) * 100).decode()
    lines = base64.encodebytes(bytes(range(256)) * 100).decode()
    for name, text in (
        ("trip.md", f"The lake.\n\n![p](data:image/png;base64,{picture})\n\nThe end."),
        ("key.txt", f"The lake.\n{lines}\nThe end."),
        ("trip.json", f'{{"a": "The lake.", "b": "{picture}", "c": "The end."}}'),
    ):
        (tmp_path / name).write_text(text)
        notes: list[str] = []
        [segment] = read(tmp_path / name, notes=notes)
        assert "The lake." in (segment.text or "")
        assert "The end." in (segment.text or "")
        assert len(segment.text or "") < 80
        assert notes == ["encoded data (base64) are left out"]


def test_long_words_that_encode_nothing_stay(tmp_path: Path) -> None:
    path = tmp_path / "genes.txt"
    path.write_text(("ACGT" * 15 + "\n") * 5 + "0123456789abcdef" * 4 * 5)
    [text] = _texts(path)
    assert text == path.read_text()


def test_lines_that_are_not_quite_encoded_data_are_read_in_no_time(tmp_path: Path) -> None:
    path = tmp_path / "genome.txt"
    path.write_text(("ACGT" * 17 + "AC\n") * 20_000)  # time by their square would be hours
    assert sum(text.count("\n") + 1 for text in _texts(path)) >= 20_000


def test_rows_of_a_table_say_their_columns(tmp_path: Path) -> None:
    [text] = _texts(make_media.csv(tmp_path / "birds.csv"))
    assert "name: wren; wingspan_cm: 15; home: hedge" in text


TABLES = [
    ("id,title\n1,'Twas the night\n2,Rock 'n' roll\n3,It's\n4,don't", "id: 1; title: 'Twas the night"),
    ("Konto:;Max\nZeit:;Januar\n\nTag;Zweck;Betrag\n01.02.;Miete, Mai;-8,00\n", "Tag: 01.02.; Zweck: Miete, Mai"),
    ("sep=;\nName;Preis\nApfel;1,50\nBirne;2,30\n", "Name: Apfel; Preis: 1,50"),
    ('id,what\n1,"plain"\n' + '2,"a plain text"\n' * 900 + '3,"He said ""hi, you"" to me"\n', 'said "hi, you" to'),
    ('name, note\nAnn, "a, b"\nBob, "c, d"\n', "name: Ann; note: a, b"),
    ('name\tquote\nAnn\t"half a quote\nBob\tfine\n', "name: Bob; quote: fine"),
    ("id,name,city\n0,Ann0,Oslo,\n1,Ann1,Rome,\n", "id: 0; name: Ann0; city: Oslo\n\nid: 1"),
    ("name,likes\nAnn,tea,milk,honey\nBob,tea,milk,honey\n", "name: Ann; likes: tea; milk; honey\n\nname: Bob"),
    ("quote\nHello, world\nYes, sir\n", "quote\n\nHello; world\n\nYes; sir"),
    ("Umsätze\nTag,Zweck\nmorgen,Miete\n", "Umsätze\n\nTag: morgen; Zweck: Miete"),
    ("a,b\n" * 60 + "x,y,z\n" * 70, "a: a; b: b\n\na: x; b: y; z"),
    (
        "'name', 'note'\n'Ann', 'a, b'\n'Bob', 'It''s \"c\"'\n" * 800,
        'name: Ann; note: a, b\n\nname: Bob; note: It\'s "c"',
    ),
]


@pytest.mark.parametrize(("table", "said"), TABLES, ids=[table[:12] for table, _ in TABLES])
def test_a_table_is_cut_where_its_rows_are_equally_wide(tmp_path: Path, table: str, said: str) -> None:
    path = tmp_path / "table.csv"
    path.write_text(table)
    text = "\n\n".join(_texts(path))
    assert said in text
    assert "sep=" not in text


def test_lines_of_json_end_at_newlines_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "first\u2028second"}\n{"text": "third\x85"}\n')
    [text] = _texts(path)
    assert text.startswith("text: first\u2028second\n\ntext: third")


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


def test_a_line_that_stays_on_the_screen_is_said_once(tmp_path: Path) -> None:
    path = tmp_path / "talk.vtt"
    path.write_text(
        "WEBVTT\n\n00:00.160 --> 00:02.389\n \nhello<00:00:00.480><c> everyone</c>\n\n"
        "00:02.389 --> 00:02.399\nhello everyone\n \n\n"
        "00:02.399 --> 00:05.030\nhello everyone\nback<00:00:02.560><c> to</c>\n\n"
        "00:05.030 --> 00:05.040\nback to\n \n\n"
        "00:05.040 --> 00:07.040\nback to\nthe garden of Tom &amp; Ann\n"
    )
    [segment] = read(path)
    assert segment.text == "hello everyone back to the garden of Tom & Ann"
    assert (segment.span.start_s, segment.span.end_s) == (0.16, 7.04)


def test_drawings_are_no_words_and_whole_seconds_are_times(tmp_path: Path) -> None:
    path = tmp_path / "film.srt"
    path.write_text(
        "1\n00:00:01 --> 00:00:03\nHello there\n\n2\n00:00:04 --> 00:00:06\n{\\p1}m 0 0 l 100 0 100 -5.5 0 100{\\p0}\n"
    )
    assert identify(path).name == "SubRip subtitles"
    [segment] = read(path)
    assert (segment.text, segment.span.end_s) == ("Hello there", 3.0)


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
