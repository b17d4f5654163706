"""Documents: pages seen and written, office files as text, hostile ones refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from pptx import Presentation
from pypdf import PdfWriter

from data.errors import UnreadableMediaError, UnsupportedMediaError
from data.records import Evidence, Kind, Span
from embedder.media import cut, ocr, open_source, read, still
from embedder.media.limits import Limits
from embedder.segment import PAGE_CHARACTERS, Modality
from embedder.training import views
from embedder.training.pairs import Pair
from tests import make_bad_documents, make_media


def test_a_page_is_seen_and_written_and_blank_pages_are_counted(tmp_path: Path) -> None:
    notes: list[str] = []
    path = make_media.pdf(tmp_path / "a.pdf", (make_media.STORY, "", "Whales sing in winter, far from land."))
    segments = list(read(path, notes=notes))
    assert [(s.evidence, s.span.page) for s in segments] == [
        (Evidence.SEEN, 1),
        (Evidence.WRITTEN, 1),
        (Evidence.SEEN, 3),
        (Evidence.WRITTEN, 3),
    ]
    assert all(s.kind is Kind.DOCUMENT for s in segments)
    assert "grey heron" in (segments[1].text or "")
    assert notes == ["1 blank pages are left out"]
    assert segments[0].pixels is not None
    assert max(segments[0].pixels.shape) == 768


def test_a_page_is_seen_with_its_first_words_and_is_pixels_all_the_same(tmp_path: Path) -> None:
    long = " ".join(f"Lantern number {n} hangs at the quay." for n in range(1, 60))
    seen, *written = read(make_media.pdf(tmp_path / "a.pdf", [long]))
    words = " ".join(passage.text or "" for passage in written)
    assert seen.modality is Modality.PIXELS
    assert seen.text == words[:PAGE_CHARACTERS]
    assert "Lantern number 1 hangs" in seen.text
    assert len(seen.text) == PAGE_CHARACTERS < len(words)
    assert {passage.modality for passage in written} == {Modality.WORDS}


def test_a_page_shows_a_model_the_words_it_was_trained_on(tmp_path: Path) -> None:
    path = make_media.pdf(tmp_path / "a.pdf", (make_media.STORY, "Whales sing in winter, far from land."))
    pairs = [Pair(source="a", key=f"{n}", group="a", captions=("a",), path=path, page=n) for n in (1, 2)]
    trained_on = [words for _, _, words in views.pages(path, pairs)]
    assert [s.text for s in read(path) if s.evidence is Evidence.SEEN] == trained_on


def test_half_an_emoji_in_a_text_layer_costs_itself_and_no_page(tmp_path: Path) -> None:
    path = make_bad_documents.half_emoji_pdf(tmp_path / "a.pdf")
    words = "The heron reads the harbour news today \ufffd"
    assert [segment.text for segment in read(path)] == [words, words]
    assert still(path, Span(page=1, char_start=0, char_end=len(words)), max_side=64)


def test_a_page_without_words_is_seen_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    make_media.picture(600, 800).convert("RGB").save(path)
    (seen,) = read(path)
    assert (seen.evidence, seen.text) == (Evidence.SEEN, None)


def test_a_scanned_page_is_read_from_its_picture(tmp_path: Path) -> None:
    seen, written = read(make_media.scanned_pdf(tmp_path / "scan.pdf"))
    assert seen.evidence is Evidence.SEEN
    assert seen.text == written.text
    assert "seven lanterns" in (written.text or "")
    assert written.span.page == 1


def test_a_stamp_on_a_scan_does_not_stand_for_its_words(tmp_path: Path) -> None:
    stamp = "Scanned with a harbour scanner"
    path = make_media.stamped_scan_pdf(tmp_path / "scan.pdf", stamp, shares=(1.0, 0.3))
    whole, part = (segment.text or "" for segment in read(path) if segment.evidence is Evidence.WRITTEN)
    assert whole.startswith(stamp)  # as the layer has it, so that it can be highlighted
    assert whole.count("canned with") == 1
    assert "seven lanterns" in whole
    assert part == stamp


@pytest.fixture
def pages_read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The words of each picture that was read, as they are found."""
    read_words, found = ocr.words, list[str]()

    def words(image: Image.Image) -> str:
        found.append(read_words(image))
        return found[-1]

    monkeypatch.setattr(ocr, "words", words)
    return found


def test_slides_over_a_picture_are_read_from_it_only_until_their_text_is_proven(
    tmp_path: Path, pages_read: list[str]
) -> None:
    slides = [f"Plan for the harbour, part {n}\nThree goals for the year" for n in range(1, 7)]
    path = make_media.slides_pdf(tmp_path / "a.pdf", [*slides, ""])
    *written, scan = (segment.text or "" for segment in read(path) if segment.evidence is Evidence.WRITTEN)
    assert [text.split() for text in written] == [slide.split() for slide in slides]
    assert "seven lanterns" in scan
    assert ["harbour" in words for words in pages_read] == [True, True, True, False]


def test_a_stamp_on_empty_pages_or_a_page_that_shows_more_proves_no_text(tmp_path: Path, pages_read: list[str]) -> None:
    stamp = "Scanned with a harbour scanner"
    make_media.slides_pdf(tmp_path / "empty.pdf", [stamp] * 4)
    make_media.stamped_scan_pdf(tmp_path / "scan.pdf", stamp)
    make_media.slides_pdf(tmp_path / "more.pdf", [f"{stamp}, sheet {n}" for n in range(1, 5)])
    with PdfWriter(tmp_path / "a.pdf") as joined, PdfWriter(tmp_path / "b.pdf") as other:
        for name in ("empty", "scan"):
            joined.append(tmp_path / f"{name}.pdf")
        for name in ("scan", "more"):
            other.append(tmp_path / f"{name}.pdf")
    for name, page in (("a", 5), ("b", 1)):
        pages_read.clear()
        texts = [segment.text or "" for segment in read(tmp_path / f"{name}.pdf") if segment.span.page == page]
        assert "seven lanterns" in texts[-1]
        assert len(pages_read) == 5


def test_what_was_typed_into_a_form_and_over_it_is_seen_and_written(tmp_path: Path) -> None:
    path = make_media.form_pdf(tmp_path / "a.pdf", note="Moved to Friday")
    seen, written = read(path)
    assert [word in (written.text or "") for word in ("Kowalczyk", "Oslo", "Friday")] == [True] * 3
    assert seen.pixels is not None
    assert (seen.pixels[0, 110:130, 60:300] < 80).sum() > 200
    assert still(path, Span(page=1, char_start=0, char_end=len(written.text or "")), max_side=200)


@pytest.mark.parametrize("annotations", [b"null", b"7", b"[null 7 [] << /Subtype /FreeText >> 3 0 R 99 0 R]"])
def test_a_broken_form_costs_itself_and_no_page(tmp_path: Path, annotations: bytes) -> None:
    path = make_bad_documents.broken_form_pdf(tmp_path / "a.pdf", annotations)
    assert [segment.text for segment in read(path)] == ["The heron reads the harbour news today"] * 2


def test_words_of_a_font_without_letters_are_read_from_the_page(tmp_path: Path) -> None:
    path = make_bad_documents.letterless_pdf(tmp_path / "a.pdf", "The heron reads the harbour news today")
    _, written = read(path)
    assert "harbour news" in (written.text or "")
    assert "\x01" not in (written.text or "")


def test_a_locked_pdf_says_so_and_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UnreadableMediaError, match="password") as caught:
        list(read(make_media.pdf(tmp_path / "a.pdf", password="x")))
    assert "without the password" in caught.value.hint


def test_ten_thousand_empty_pages_cost_little_and_give_a_reason(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedMediaError, match="nothing on the 2000 pages looked at, of 10000"):
        list(read(make_media.empty_pages_pdf(tmp_path / "a.pdf", 10_000)))


def test_pages_over_the_limit_are_left_out_with_a_note(tmp_path: Path) -> None:
    notes: list[str] = []
    path = make_media.pdf(tmp_path / "a.pdf", [f"This is page number {n} of the book." for n in range(1, 6)])
    segments = list(read(path, limits=Limits(pages=2), notes=notes))
    assert {s.span.page for s in segments} == {1, 2}
    assert notes == ["pages 3 to 5 are left out"]


def test_office_files_give_their_text(tmp_path: Path) -> None:
    for path, words in (
        (make_media.docx(tmp_path / "a.docx"), ("Harbour report", "grey heron", "seven")),
        (make_media.odt(tmp_path / "a.odt"), ("Harbour report", "grey heron")),
    ):
        text = " ".join(s.text or "" for s in read(path))
        assert all(word in text for word in words)


def test_open_document_text_has_spaces_and_paragraphs_where_it_shows_them(tmp_path: Path) -> None:
    note = "<text:note-citation>1</text:note-citation><text:note-body><text:p>A note.</text:p></text:note-body>"
    by = "<creator xmlns='http://purl.org/dc/elements/1.1/'>Bob</creator>"
    comment = f"<office:annotation>{by}<text:p>A comment.</text:p></office:annotation>"
    path = make_media.odt(
        tmp_path / "a.odt",
        (
            "Dear Ann,<text:line-break/>the weather<text:tab/>is<text:s text:c='3'/>fine.",
            f"A word<text:note>{note}</text:note> goes on{comment}.",
        ),
    )
    [written] = read(path)
    assert (written.text or "").split("\n\n")[1:] == [
        "Dear Ann, the weather is fine.",
        "A word goes on.",
        "A note.",
        "A comment.",
    ]


def test_a_word_document_gives_what_stands_beside_its_text(tmp_path: Path) -> None:
    path = make_media.docx(tmp_path / "a.docx", ("The heron waits.",))
    make_bad_documents.add_asides(path)
    text = " ".join(segment.text or "" for segment in read(path))
    for words in (
        "Harbour Office",
        "Foot",
        "A reviewer asks",
        "Framed words",
        "Old boxed words",
        "Ann wrote file_name*.",
    ):
        assert text.count(words) == 1, words


def test_a_slide_has_the_words_of_its_diagrams(tmp_path: Path) -> None:
    path = make_bad_documents.add_diagram(make_media.pptx(tmp_path / "a.pptx"), slide=2, words="Plan the harvest")
    first, second = read(path)
    assert "harvest" not in (first.text or "")
    assert (second.text or "").endswith("\n\nPlan the harvest")


def test_formulas_without_results_are_counted(tmp_path: Path) -> None:
    notes: list[str] = []
    row = b'<row r="4"><c r="A4"><f>B2+B3</f></c><c r="B4"><f>1+1</f><v></v></c><c r="C4"><f>1+1</f><v>2</v></c>'
    row += b'<c r="D4" t="str"><f>T(1)</f><v></v></c></row></sheetData>'
    path = make_bad_documents.change(
        make_media.xlsx(tmp_path / "a.xlsx"), "xl/worksheets/sheet1.xml", lambda old: old.replace(b"</sheetData>", row)
    )
    assert list(read(path, notes=notes))
    assert notes == ["formulas that were saved without their results are left out (2)"]


def test_slides_sheets_and_chapters_are_pages(tmp_path: Path) -> None:
    slides = list(read(make_media.pptx(tmp_path / "a.pptx")))
    assert [(s.span.page, "Lanterns" in (s.text or "")) for s in slides] == [(1, False), (2, True)]
    sheets = list(read(make_media.xlsx(tmp_path / "a.xlsx")))
    assert "boat: Marie; colour: red" in (sheets[1].text or "")
    assert [s.span.page for s in sheets] == [1, 2]
    chapters = list(read(make_media.epub(tmp_path / "a.epub")))
    assert "whale" in (chapters[1].text or "")
    assert [s.span.page for s in chapters] == [1, 2]


def test_a_zip_bomb_is_not_unpacked(tmp_path: Path) -> None:
    with pytest.raises(UnreadableMediaError, match="unpacks to 200 MB of text"):
        list(read(make_media.zip_bomb_docx(tmp_path / "a.docx")))


def test_a_picture_on_a_slide_is_named_by_its_description_alone(tmp_path: Path) -> None:
    deck = Presentation(make_media.pptx(tmp_path / "a.pptx"))
    for slide, described in zip(deck.slides, ("holiday photo.PNG", "A red bus in the rain"), strict=True):
        picture = slide.shapes.add_picture(str(make_media.image_file(tmp_path / "a.png")), 0, 0)
        picture._element._nvXxPr.cNvPr.set("descr", described)
    deck.save(tmp_path / "b.pptx")
    first, second = (segment.text or "" for segment in read(tmp_path / "b.pptx"))
    assert "PNG" not in first
    assert "A red bus in the rain" in second


@pytest.mark.parametrize("suffix", ["pdf", "docx", "pptx", "xlsx", "odt", "epub"])
def test_a_document_that_is_cut_off_gives_its_reason(tmp_path: Path, suffix: str) -> None:
    path: Path = getattr(make_media, suffix)(tmp_path / f"a.{suffix}")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(UnreadableMediaError):
        list(read(path))


def test_a_page_as_a_still(tmp_path: Path) -> None:
    path = make_media.pdf(tmp_path / "a.pdf", ("One page.", "Another page."))
    assert still(path, Span(page=1), max_side=200) != still(path, Span(page=2), max_side=200)
    with pytest.raises(UnreadableMediaError, match="no page 9"):
        still(path, Span(page=9), max_side=200)


def test_what_has_no_pieces_and_no_pictures_says_so_of_any_format(tmp_path: Path) -> None:
    book, page = make_media.epub(tmp_path / "a.epub"), tmp_path / "a.html"
    page.write_text("<p>A page.</p>")
    with pytest.raises(UnsupportedMediaError, match="': EPUB book: nothing can be cut out of it"):
        cut(open_source(book), Span(), tmp_path / "out", max_side=64)
    with pytest.raises(UnsupportedMediaError, match="': HTML page: it has no picture to show"):
        still(page, Span(), max_side=64)
