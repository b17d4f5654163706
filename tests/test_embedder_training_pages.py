"""Pages to train on: what is taken of a PDF, what is said of it, and the drawn ones."""

from __future__ import annotations

import gzip
from itertools import pairwise
from pathlib import Path

import make_media as make
import pytest
from pypdf import PdfReader, PdfWriter

from embedder.media import read
from embedder.training.pages import PAGES
from embedder.training.pairs import Medium, Pair, Source

HARBOUR = (
    "The harbour was quiet that morning, and the fishermen mended their nets beside the old wall. "
    "A grey heron stood in the shallow water and waited for the tide to turn. "
    "Nobody noticed the small red boat that drifted past the lighthouse with a lamp. "
    "The keeper of the light wrote the hour of the flood into a book with a blue cover. "
)
GERMAN = (
    "Der Hafen war an diesem Morgen still, und die Fischer flickten ihre Netze an der alten Mauer. "
    "Ein grauer Reiher stand im flachen Wasser und wartete darauf, dass die Flut kommt. "
    "Niemand bemerkte das kleine rote Boot, das am Leuchtturm vorbei in die Bucht trieb. "
    "Der Wärter schrieb die Stunde der Flut in ein Buch mit einem blauen Deckel aus Leinen. "
)
REAL = next(source for source in PAGES if source.packages and not source.whole)
DRAWN = next(source for source in PAGES if not source.packages)


def package_of(folder: Path, source: Source = REAL) -> Path:
    package = folder / source.packages[0].name
    package.mkdir()
    return package


def with_outline(pdf: Path, marks: list[tuple[str, int, int | None]]) -> Path:
    """Bookmarks (title, page from 1, which earlier one it is under) added to a PDF."""
    writer = PdfWriter(PdfReader(pdf))
    added = []
    for title, page, parent in marks:
        added.append(
            writer.add_outline_item(title=title, page_number=page - 1, parent=None if parent is None else added[parent])
        )
    writer.write(pdf)
    return pdf


def test_a_page_is_told_by_its_own_sentences(tmp_path: Path) -> None:
    pdf = make.pdf(package_of(tmp_path) / "harbour.pdf", [HARBOUR])
    (pair,) = REAL.read(tmp_path)
    assert (pair.path, pair.page, pair.source) == (pdf, 1, REAL.name)
    assert pair.captions[0].startswith("The harbour was quiet")
    assert pair.captions[-1].startswith("The keeper of the light")
    assert len(pair.captions) == 3
    assert all(caption in HARBOUR for caption in pair.captions)


@pytest.mark.parametrize("text", ["", "Too few words. " * 5, GERMAN], ids=["empty", "short", "not English"])
def test_a_page_without_enough_english_is_left_out(tmp_path: Path, text: str) -> None:
    make.pdf(package_of(tmp_path) / "mixed.pdf", [text, HARBOUR])
    assert [pair.page for pair in REAL.read(tmp_path)] == [2]


def test_pages_of_one_section_are_one_group(tmp_path: Path) -> None:
    pdf = make.pdf(package_of(tmp_path) / "Guide.pdf", [HARBOUR] * 3)
    with_outline(pdf, [("1 Ships and boats", 1, None), ("1.2 Oars", 3, 0)])
    first, second, third = REAL.read(tmp_path)
    assert first.group == second.group == "guide/ships and boats"
    assert first.captions[0] == "Ships and boats"
    assert third.group == "guide/oars"
    assert third.captions[0] == "Ships and boats: Oars"


def test_a_long_pdf_gives_sixty_pages_spread_over_its_first_240(tmp_path: Path) -> None:
    make.pdf(package_of(tmp_path) / "long.pdf", [HARBOUR] * 300)
    pages = [pair.page or 0 for pair in REAL.read(tmp_path)]
    assert len(pages) == 60
    assert (pages[0], pages[-1]) == (1, 240)
    assert {after - before for before, after in pairwise(pages)} <= {4, 5}


def test_a_packed_pdf_is_unpacked_and_a_copy_or_broken_one_left_out(tmp_path: Path) -> None:
    package = package_of(tmp_path)
    pdf = make.pdf(package / "harbour.pdf", [HARBOUR])
    (package / "manual.pdf.gz").write_bytes(gzip.compress(pdf.read_bytes()))
    (package / "copy").mkdir()
    (package / "copy" / "harbour.pdf").write_bytes(pdf.read_bytes())
    (package / "broken.pdf").write_bytes(b"%PDF-1.4 nothing")
    found = list(REAL.read(tmp_path))
    assert sorted(pair.path.name for pair in found if pair.path) == ["harbour.pdf", "manual.pdf"]
    assert list(REAL.read(tmp_path)) == found


def test_drawn_pages_are_the_same_in_every_run_and_say_what_they_are(tmp_path: Path) -> None:
    one, two = list(DRAWN.read(tmp_path / "one")), list(DRAWN.read(tmp_path / "two"))
    assert [(pair.key, pair.captions) for pair in one] == [(pair.key, pair.captions) for pair in two]
    assert all(a.path and b.path and a.path.read_bytes() == b.path.read_bytes() for a, b in zip(one, two, strict=True))
    assert 150 <= len(one) <= 250
    invoice = next(pair for pair in one if pair.group == "invoice/a garage a new clutch")
    assert invoice.captions[0] == "an invoice from a garage for a new clutch"
    assert "Total to pay" in words_on(invoice)


def words_on(pair: Pair) -> str:
    assert pair.path is not None
    return " ".join(segment.text or "" for segment in read(pair.path))


def test_sources_are_named_once_and_one_is_held_out_whole() -> None:
    assert len({source.name for source in PAGES}) == len(PAGES)
    assert {source.medium for source in PAGES} == {Medium.DOCUMENT}
    assert any(source.whole for source in PAGES)
