"""Pages: PDF pages to train on, each with sentences that a person could look for it by."""

from __future__ import annotations

import gzip
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import quantiles
from typing import Any

import numpy as np

from embedder.training.pairs import Medium, Package, Pair, Registry, Source
from embedder.training.papers import read_papers

_MOST_OF_PDF = 60  # pages
_MOST_OF_PACKAGE = 240  # pages, so that a package of many PDFs does not outweigh the others
_WITHIN = 240  # pages are taken from the first so many: what reads a page later reads all those before it
_LEAST_WORDS = 40
_LEAST_ENGLISH = 0.18  # share of a page's words that are among the commonest; other languages stay below 0.1
_COMMON = frozenset(
    "the of and to a in is that for it as with are be on this by or not can you we if from an at which have has".split()
)
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")
_NUMBERING = re.compile(r"^(chapter|section|appendix|part)?\s*([0-9]+|[A-Z])([.:]\d+)*[.:]?\s+|^[\d.]+\s*", re.I)
_NOT_PROSE = re.compile(
    r"[_\\{}<>|=@#~^/\x00-\x1f\x7f-\x9f]|\.{2}|://|www\.|\b[a-z]+\.[a-z]{1,4}\b|[(\[]\d|\d{3}|\.\s*\."
)
_BOILERPLATE = re.compile(r"without any warranty|invariant section|copyleft|text without a meaning", re.I)  # in many
_POINTING = re.compile(r"(This|That|These|Those|It|They|He|She|However|Otherwise|Then|Also|Here|See|Note)\b")
_HEADING = re.compile(r"[A-Za-z][A-Za-z ,:’'&-]+")


@dataclass(frozen=True, slots=True)
class _Page:
    """One page, counted from 1: its sentences in reading order, and the headings it stands under, outermost first."""

    number: int
    sentences: tuple[str, ...]
    headings: tuple[str, ...]


def _read_packages(source: str, packages: Sequence[str], folder: Path) -> Iterator[Pair]:
    for package in packages:
        yield from _read_package(source, folder / package)


def _read_package(source: str, package: Path) -> Iterator[Pair]:
    pairs = [pair for pdf in _pdfs(package) for pair in _read_pdf(source, package, pdf)]
    for place in _spread(len(pairs), _MOST_OF_PACKAGE):
        yield pairs[place]


def _read_pdf(source: str, package: Path, pdf: Path) -> Iterator[Pair]:
    for page in _pages(pdf):
        captions = _captions(page)
        if captions:
            yield Pair(
                source=source,
                key=f"{package.name}/{pdf.relative_to(package).as_posix()}#{page.number}",
                group=f"{pdf.stem}/{page.headings[-1] if page.headings else captions[0]}".lower(),
                captions=captions,
                path=pdf,
                page=page.number,
            )


def _pdfs(package: Path) -> list[Path]:
    """The PDFs of a package, each once; a packed one (.pdf.gz) is unpacked to its side."""
    for packed in sorted(package.rglob("*.pdf.gz")):
        plain = packed.with_suffix("")
        if packed.is_file() and not packed.is_symlink() and not plain.exists():
            whole = plain.with_name(plain.name + ".part")
            whole.write_bytes(gzip.decompress(packed.read_bytes()))
            os.replace(whole, plain)
    found: dict[tuple[str, int], Path] = {}
    for pdf in sorted(package.rglob("*.pdf")):
        if pdf.is_file() and not pdf.is_symlink():
            found.setdefault((pdf.name, pdf.stat().st_size), pdf)
    return list(found.values())


def _spread(count: int, most: int) -> list[int]:
    """At most `most` of the places 0 to count - 1, evenly spread."""
    return [int(place) for place in np.linspace(0, count - 1, min(count, most)).round()]


def _pages(pdf: Path) -> Iterator[_Page]:
    """Those pages, of the evenly spread ones that are looked at, that have enough English prose on them."""
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(pdf)
    except pypdfium2.PdfiumError:  # broken or locked; packages hold a few such as examples
        return
    with closing(document):
        outline = _outline(document)
        for number in (place + 1 for place in _spread(min(len(document), _WITHIN), _MOST_OF_PDF)):
            try:
                page = document[number - 1]
                with closing(page), closing(page.get_textpage()) as layer:
                    text = layer.get_text_range()
            except pypdfium2.PdfiumError:  # a broken page
                continue
            words = re.findall(r"[a-z]+", text.lower())
            english = sum(word in _COMMON for word in words) >= _LEAST_ENGLISH * len(words)
            if english and len(words) >= _LEAST_WORDS and not _BOILERPLATE.search(text):
                yield _Page(number, tuple(_sentences(text)), _headings(outline, number))


def _outline(document: Any) -> list[tuple[int, int, str]]:
    """The PDF's bookmarks in reading order: page from 1, level from 0, title without its number."""
    import pypdfium2

    found = []
    try:
        for mark in document.get_toc():
            target = mark.get_dest()
            index = target.get_index() if target else None
            if index is not None:
                title = _NUMBERING.sub("", " ".join(mark.get_title().split()))
                found.append((index + 1, int(mark.level), title))
    except pypdfium2.PdfiumError:  # a broken outline: the page's sentences say enough
        return []
    return found


def _headings(outline: Sequence[tuple[int, int, str]], number: int) -> tuple[str, ...]:
    """The first heading on the page, else the one it goes on under, below those that it belongs to."""
    place = next((n for n, (page, _, _) in enumerate(outline) if page >= number), len(outline) - 1)
    if place > 0 and outline[place][0] > number:
        place -= 1
    if place < 0 or outline[place][0] > number:
        return ()
    _, level, title = outline[place]
    titles = [title]
    for _, above, title in reversed(outline[:place]):
        if above < level:
            titles.insert(0, title)
            level = above
    return tuple(titles) if _HEADING.fullmatch(titles[-1]) else ()


def _sentences(text: str) -> Iterator[str]:
    """Whole English sentences of 6 to 30 words, without code, numbers or addresses."""
    for paragraph in _paragraphs(text):
        for sentence in _SENTENCE_END.split(paragraph):
            words = sentence.split()
            letters = sum(c.isalpha() or c in " ,'’" for c in sentence)
            if (
                6 <= len(words) <= 30
                and sentence[0].isupper()
                and sentence[-1] in ".!?"
                and letters >= 0.93 * len(sentence)
                and sum(len(word.strip(",.'’")) < 2 for word in words) <= 0.2 * len(words)
                and not _NOT_PROSE.search(sentence)
                and not _COMMON.isdisjoint(sentence.lower().split())
            ):
                yield sentence


def _paragraphs(text: str) -> Iterator[str]:
    """Lines joined; a short line ends its paragraph, so that running heads and titles stand alone."""
    plain = re.sub(r"[\ufffe\x02]\s*", "", text)  # pdfium's marks of a word divided at the end of a line
    lines = [" ".join(line.split()) for line in plain.splitlines()]
    lengths = [len(line) for line in lines if line]
    full = 0.75 * quantiles(lengths, n=10)[8] if len(lengths) > 1 else 0.0
    paragraph: list[str] = []
    for line in lines:
        paragraph.append(line)
        if len(line) < full:
            yield " ".join(paragraph).strip()
            paragraph = []
    yield " ".join(paragraph).strip()


def _captions(page: _Page) -> tuple[str, ...]:
    """Heading or first sentence, one from the middle, the last one; () where there are fewer than two sentences."""
    sentences = [sentence for sentence in page.sentences if not _POINTING.match(sentence)]
    if len(sentences) < 3:  # better one that says little without those before it than none
        sentences = list(page.sentences)
    if len(sentences) < 2:
        return ()
    heading = page.headings[-1] if page.headings else ""
    if len(heading.split()) == 1:  # "Examples" says nothing without what they are of
        above = page.headings[-2] if len(page.headings) > 1 else ""
        heading = f"{above}: {heading}" if _HEADING.fullmatch(above) else ""
    return tuple(dict.fromkeys((heading or sentences[0], sentences[len(sentences) // 2], sentences[-1])))


def _real(name: str, licence: str, packages: dict[str, str], *, whole: bool = False) -> Source:
    return Source(
        name=name,
        medium=Medium.DOCUMENT,
        packages=tuple(Package(Registry.DEBIAN, package, version) for package, version in packages.items()),
        licence=licence,
        read=partial(_read_packages, name, tuple(packages)),
        whole=whole,
    )


PAGES: tuple[Source, ...] = (
    _real(
        "pages of music",
        "GFDL (LilyPond), GPL (MusE), LPPL and other free ones (TeX Live); debian/copyright of each",
        {"lilypond-doc-pdf": "2.24.1-2", "texlive-music": "2022.20230122-4", "muse": "4.1.0-1"},
    ),
    _real(
        "pages of letters and games",
        "LPPL and other free ones (TeX Live), GPL (Debian); debian/copyright of each",
        {
            "texlive-humanities-doc": "2022.20230122-4",
            "texlive-games": "2022.20230122-4",
            "debian-history": "2.28",
        },
    ),
    _real(
        "pages of statistics",
        "GPL, some parts LGPL or MIT; debian/copyright of each",
        {
            "r-doc-pdf": "4.2.2.20221110-2",
            "r-cran-survival": "3.5-3-1",
            "r-cran-surveillance": "1.20.3-1",
            "r-cran-spatstat": "3.0-3-1",
            "r-cran-vegan": "2.6-4+dfsg-1",
            "r-cran-lme4": "1.1-31-1",
            "r-cran-psych": "2.2.9-1",
            "r-cran-zoo": "1.8-11-1",
            "r-cran-seriation": "1.4.1-1",
            "r-cran-vcd": "1:1.4-11-1",
            "r-cran-quantreg": "5.94-1",
            "pspp": "1.6.2-2",
        },
    ),
    _real(
        "pages of science",
        "GPL, LGPL, BSD, gnuplot's own and others, all free; debian/copyright of each",
        {
            "octave-doc": "7.3.0-2",
            "pari-doc": "2.15.2-1",
            "gap-doc": "4.12.1-2",
            "gnuplot-doc": "5.4.4+dfsg1-2",
            "asymptote-doc": "2.85+ds-1",
            "ifeffit-doc": "2:1.2.11d-12.5",
            "lammps-doc": "20220106.git7586adbb6a+ds1-2",
            "mrbayes-doc": "3.2.7a-6",
            "phyml": "3:3.3.20220408-3",
            "velvet": "1.2.10+dfsg1-8",
            "libcfitsio-doc": "4.2.0-3",
            "yorick-doc": "2.2.04+dfsg1-12",
            "gpredict": "2.3-72-gc596101-3",
            "ngspice-doc": "39.3+ds-1",
        },
    ),
    _real(
        "pages of computing",
        "GPL, GFDL, BSD and others, all free; debian/copyright of each",
        {
            "debian-reference-en": "2.100",
            "debian-policy": "4.6.2.0",
            "developers-reference": "12.18",
            "debian-faq": "11.1",
            "bash-doc": "5.2.15-2",
            "zsh-doc": "5.9-4",
            "ledger": "3.3.0-3",
            "sdcc-doc": "4.2.0+dfsg-1",
            "openocd": "0.12.0-1",
            "gpsim-doc": "0.22.0-2.2",
            "auto-multiple-choice-doc-pdf": "1.6.0-1",
        },
    ),
    Source(
        name="drawn pages",
        medium=Medium.DOCUMENT,
        packages=(),
        licence="ours, Apache-2.0",
        read=partial(read_papers, "drawn pages"),
    ),
    _real(  # made with ReportLab, htmldoc, Prawn and Distiller; hardly any of the others is
        "pages of other makers",
        "BSD (ReportLab), MIT (Xfig), Ruby or GPL (Prawn), LPPL (TIPA); debian/copyright of each",
        {
            "python-reportlab-doc": "3.6.12-1+deb12u1",
            "xfig-doc": "1:3.2.8b-2",
            "ruby-prawn-doc": "2.4.0+dfsg-1~",
            "tipa-doc": "2:1.3-21",
        },
        whole=True,
    ),
)
