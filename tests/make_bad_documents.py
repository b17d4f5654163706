"""Broken and hostile archives, documents, drawings, texts and playlists for tests: each function writes one file."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path

from tests import make_media as good

_LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
LAUGHS = f'<!DOCTYPE x [<!ENTITY l0 "ha ">{_LAUGHS}]>'
_OFFICE = "http://schemas.openxmlformats.org/"
_WORD = f'xmlns:w="{_OFFICE}wordprocessingml/2006/main"'

# Archives


def change(path: Path, part: str, edit: Callable[[bytes], bytes]) -> Path:
    """Rewrite one part of a zip archive, or add it."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts[part] = edit(parts.get(part, b""))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in parts.items():
            archive.writestr(name, body)
    return path


def stuff(path: Path, part: str, size_bytes: int = 100_000_000, *, block: bytes = b" ") -> Path:
    """Add a part of many equal bytes to a zip archive."""
    piece = block * (1_000_000 // len(block))
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED, compresslevel=1) as archive, archive.open(part, "w") as file:
        for _ in range(size_bytes // len(piece)):
            file.write(piece)
    return path


def nested_bomb_docx(path: Path) -> Path:
    """A sound Word document that carries a bomb in a bomb."""
    inner = good.zip_bomb_docx(path.with_name(path.name + ".inner"), 100_000_000)
    body = inner.read_bytes()
    inner.unlink()
    good.docx(path)
    for number in range(5):
        change(path, f"word/embeddings/more{number}.docx", lambda _: body)
    return stuff(path, "word/embeddings/blob.bin", 300_000_000)


def lying_docx(path: Path) -> Path:
    """A bomb whose table of contents says that it is small."""
    good.zip_bomb_docx(path)
    body = bytearray(path.read_bytes())
    at = body.rindex(b"PK\x01\x02")
    body[at + 24 : at + 28] = (1000).to_bytes(4, "little")
    path.write_bytes(body)
    return path


def laughing_docx(path: Path, *, far: bool = False, wide: bool = False) -> Path:
    """A Word document with entities of entities; `far`: after a long comment, `wide`: in UTF-16."""
    comment = f"<!--{'x' * 9000}-->" if far else ""
    xml = f"{comment}{LAUGHS}<w:document {_WORD}><w:body><w:p><w:r><w:t>&l9;</w:t></w:r></w:p></w:body></w:document>"
    raw = ('<?xml version="1.0" encoding="utf-16"?>' + xml).encode("utf-16") if wide else xml.encode()
    return change(good.docx(path), "word/document.xml", lambda _: raw)


def remote_docx(path: Path, url: str) -> Path:
    """A Word document with a template, a picture, an object and a frame that are at a URL."""
    rels = "".join(
        f'<Relationship Id="far{n}" Type="{_OFFICE}officeDocument/2006/relationships/{kind}" Target="{url}/{kind}" '
        'TargetMode="External"/>'
        for n, kind in enumerate(("attachedTemplate", "image", "oleObject", "frame"))
    )
    none = f'<Relationships xmlns="{_OFFICE}package/2006/relationships"></Relationships>'

    def add(old: bytes) -> bytes:
        return (old or none.encode()).replace(b"</Relationships>", f"{rels}</Relationships>".encode())

    picture = (
        f'<w:p><w:r><w:drawing><wp:inline xmlns:wp="{_OFFICE}drawingml/2006/wordprocessingDrawing">'
        f'<a:graphic xmlns:a="{_OFFICE}drawingml/2006/main"><a:graphicData uri="{_OFFICE}drawingml/2006/picture">'
        f'<pic:pic xmlns:pic="{_OFFICE}drawingml/2006/picture"><pic:blipFill><a:blip r:link="far1" '
        f'xmlns:r="{_OFFICE}officeDocument/2006/relationships"/></pic:blipFill></pic:pic></a:graphicData></a:graphic>'
        "</wp:inline></w:drawing></w:r></w:p>"
    )
    good.docx(path)
    change(path, "word/_rels/document.xml.rels", add)
    change(path, "word/_rels/settings.xml.rels", add)
    return change(path, "word/document.xml", lambda old: old.replace(b"<w:body>", b"<w:body>" + picture.encode()))


def add_asides(path: Path) -> Path:
    """Add to a Word document a header, a footer, a comment, boxes, a field, and a name that looks like Markdown."""
    box = "<w:txbxContent><w:p><w:r><w:t>{}</w:t></w:r></w:p></w:txbxContent>"
    new = f'<mc:Choice Requires="wps"><w:drawing>{box}</w:drawing></mc:Choice>'
    old = f"<mc:Fallback><w:pict><v:shape><v:textbox>{box}</v:textbox></v:shape></w:pict></mc:Fallback>"
    field = '<w:fldSimple w:instr="AUTHOR"><w:r><w:t>Ann</w:t></w:r></w:fldSimple>'
    body = (
        f"<w:p>{field}<w:customXml><w:r><w:t> wrote file_name*.</w:t></w:r></w:customXml></w:p><w:p><w:r>"
        f"<mc:AlternateContent>{new.format('Framed words')}</mc:AlternateContent></w:r><w:r>"
        f"<mc:AlternateContent>{(new + old).format(*['Old boxed words'] * 2)}</mc:AlternateContent></w:r></w:p>"
    )
    change(path, "word/document.xml", lambda old: old.replace(b"<w:body>", b"<w:body>" + body.encode()))
    asides = {
        "header1": "Harbour Office",
        "header2": "Harbour Office",
        "footer1": "Foot",
        "comments": "A reviewer asks",
    }
    with zipfile.ZipFile(path, "a") as archive:
        for part, words in asides.items():
            archive.writestr(f"word/{part}.xml", f"<w:hdr {_WORD}><w:p><w:r><w:t>{words}</w:t></w:r></w:p></w:hdr>")
    return path


def add_diagram(path: Path, *, slide: int, words: str) -> Path:
    """Add SmartArt to a slide of a deck."""
    kind = f"{_OFFICE}officeDocument/2006/relationships/diagramData"
    rel = f'<Relationship Id="dia" Type="{kind}" Target="../diagrams/data1.xml"/></Relationships>'.encode()
    data = f'<d xmlns:a="{_OFFICE}drawingml/2006/main"><a:p><a:r><a:t>{words}</a:t></a:r></a:p></d>'.encode()
    change(path, f"ppt/slides/_rels/slide{slide}.xml.rels", lambda old: old.replace(b"</Relationships>", rel))
    return change(path, "ppt/diagrams/data1.xml", lambda _: data)


def far_cell_xlsx(path: Path) -> Path:
    """An Excel workbook with a word in its first and in its very last cell."""
    rows = '<row r="1"><c r="A1" t="inlineStr"><is><t>heron</t></is></c></row>'
    rows += '<row r="1048576"><c r="XFD1048576" t="inlineStr"><is><t>wren</t></is></c></row>'
    xml = (
        f'<worksheet xmlns="{_OFFICE}spreadsheetml/2006/main"><dimension ref="A1:XFD1048576"/>'
        f"<sheetData>{rows}</sheetData></worksheet>"
    )
    return change(good.xlsx(path), "xl/worksheets/sheet1.xml", lambda _: xml.encode())


def laughing_odt(path: Path) -> Path:
    """An OpenDocument text with entities of entities."""
    return change(good.odt(path), "content.xml", lambda old: LAUGHS.encode() + old.replace(b"Harbour", b"&l9;"))


def nested_odt(path: Path, depth: int = 100_000) -> Path:
    """An OpenDocument text with paragraphs within paragraphs, very deep."""
    deep = b"<text:p>a" * depth + b"</text:p>" * depth
    return change(good.odt(path), "content.xml", lambda old: old.replace(b"<text:h>", deep + b"<text:h>"))


def repeating_epub(path: Path, times: int = 200_000) -> Path:
    """A book that shows its only chapter again and again."""
    good.epub(path, ("whale " * 3_000,))
    item = b'<itemref idref="c0"/>'
    return change(path, "OEBPS/book.opf", lambda old: old.replace(item, item * times))


# PDF


def pdf_of(path: Path, objects: Iterable[bytes]) -> Path:
    """A PDF of these objects, numbered from 1; the first is its catalogue."""
    out = bytearray(b"%PDF-1.7\n")
    offsets = []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(offsets) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(offsets) + 1, start)
    path.write_bytes(out)
    return path


def stream(raw: bytes, more: bytes = b"") -> bytes:
    """A PDF stream, deflated."""
    body = zlib.compress(raw, 1)
    return b"<< /Length %d /Filter /FlateDecode %b >>\nstream\n%b\nendstream" % (len(body), more, body)


def _page_tree(resources: bytes = b"", more: bytes = b"", root: bytes = b"") -> list[bytes]:
    page = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << %b >> %b >>"
    return [
        b"<< /Type /Catalog /Pages 2 0 R %b >>" % root,
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        page % (resources, more),
    ]


def looping_pdf(path: Path) -> Path:
    """A PDF whose page tree goes round in a circle."""
    return pdf_of(
        path,
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 5 /Parent 3 0 R >>",
            b"<< /Type /Pages /Kids [2 0 R 3 0 R] /Count 5 /Parent 2 0 R >>",
        ],
    )


def stuffed_pdf(path: Path, size_bytes: int = 300_000_000) -> Path:
    """A PDF whose only page unpacks to very much."""
    return pdf_of(path, [*_page_tree(), stream(b"0 0 m 9 9 l S\n" * (size_bytes // 14))])


def exponential_pdf(path: Path, depth: int = 12) -> Path:
    """A PDF whose page draws ten forms, each of which draws ten more, and so on."""
    forms = [
        stream(
            b"/F Do " * 10,
            b"/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /F %d 0 R >> >>" % (number + 6),
        )
        for number in range(depth)
    ]
    last = stream(b"0 0 m 9 9 l S", b"/Type /XObject /Subtype /Form /BBox [0 0 595 842]")
    return pdf_of(path, [*_page_tree(b"/XObject << /F 5 0 R >>"), stream(b"/F Do"), *forms, last])


def half_emoji_pdf(path: Path) -> Path:
    """A PDF whose text layer says that its tildes are the first halves of emoji."""
    halves = b"1 begincodespacerange <00> <ff> endcodespacerange 1 beginbfchar <7e> <d83d> endbfchar"
    font = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /ToUnicode 6 0 R >>"
    text = b"BT /F 24 Tf 60 700 Td (The heron reads the harbour news today ~) Tj ET"
    return pdf_of(path, [*_page_tree(b"/Font << /F 5 0 R >>"), stream(text), font, stream(halves)])


def letterless_pdf(path: Path, words: str) -> Path:
    """A PDF whose text layer says that each of its letters is a control character."""
    controls = b"1 begincodespacerange <00> <ff> endcodespacerange 1 beginbfrange <20> <7e> <0001> endbfrange"
    font = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /ToUnicode 6 0 R >>"
    text = b"BT /F 24 Tf 60 700 Td (%b) Tj ET" % words.encode()
    return pdf_of(path, [*_page_tree(b"/Font << /F 5 0 R >>"), stream(text), font, stream(controls)])


def broken_form_pdf(path: Path, annotations: bytes) -> Path:
    """A PDF with a form of nothing, and annotations that are none."""
    font = b"/Font << /F << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >>"
    text = b"BT /F 24 Tf 60 700 Td (The heron reads the harbour news today) Tj ET"
    tree = _page_tree(font, more=b"/Annots " + annotations, root=b"/AcroForm << /Fields [3 0 R 99 0 R] >>")
    return pdf_of(path, [*tree, stream(text)])


def scripted_pdf(path: Path, url: str) -> Path:
    """A PDF that wants to run scripts, open a URL and take its pictures from there."""
    act = b"<< /S /JavaScript /JS (while(true){app.alert('x');this.getURL('%b')}) >>" % url.encode()
    go = b"<< /S /URI /URI (%b/open) >>" % url.encode()
    objects = _page_tree(
        b"/Font << /F << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> /XObject << /I 5 0 R >>",
        more=b"/AA << /O %b >>" % act,
        root=b"/OpenAction %b /AA << /WC %b >>" % (act, go),
    )
    far = b"<< /Type /XObject /Subtype /Image /Width 9 /Height 9 /ColorSpace /DeviceRGB /BitsPerComponent 8 /Length 0 "
    far += b"/F << /FS /URL /F (%b/image) >> >>\nstream\n\nendstream" % url.encode()
    text = b"BT /F 24 Tf 60 700 Td (The heron reads the harbour news today) Tj ET /I Do"
    return pdf_of(path, [*objects, stream(text), far])


# Drawings and texts


def laughing_svg(path: Path) -> Path:
    """A drawing with entities of entities."""
    path.write_text(f'{LAUGHS}<svg xmlns="http://www.w3.org/2000/svg"><text>&l9;</text></svg>', "utf-8")
    return path


def remote_svg(path: Path, url: str) -> Path:
    """A drawing that takes pictures, styles, fonts and a page from a URL and a file."""
    path.write_text(
        f"""<?xml-stylesheet href="{url}/sheet.css"?><svg xmlns="http://www.w3.org/2000/svg"
        xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 200 200" onload="fetch('{url}/load')">
        <style>@import url({url}/style.css); @font-face {{ font-family: F; src: url({url}/font.ttf) }}
        rect {{ fill: url({url}/fill.svg#a) }}</style><script href="{url}/script.js"/>
        <image href="{url}/a.png" width="90" height="90"/><image xlink:href="{url}/b.png" width="90" height="90"/>
        <image href="file:///etc/passwd" width="9" height="9"/><use href="{url}/c.svg#d"/>
        <foreignObject width="200" height="200"><html xmlns="http://www.w3.org/1999/xhtml"><img src="{url}/d.png"/>
        <iframe src="{url}/e.html"/></html></foreignObject>
        <rect width="80" height="80"/><text x="20" y="150">harbour map</text></svg>""",
        "utf-8",
    )
    return path


def multiplying_svg(path: Path, depth: int = 12) -> Path:
    """A drawing that uses a group ten times, which uses another ten times, and so on."""
    groups = "".join(f'<g id="g{n}">{f"""<use href="#g{n + 1}"/>""" * 10}</g>' for n in range(depth))
    last = f'<g id="g{depth}"><rect width="9" height="9"/></g>'
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><defs>{groups}{last}</defs><use href="#g0"/></svg>',
        "utf-8",
    )
    return path


def nested_svg(path: Path, depth: int = 50_000) -> Path:
    """A drawing with groups within groups, very deep."""
    path.write_text('<svg xmlns="http://www.w3.org/2000/svg">' + "<g>" * depth + "</g>" * depth + "</svg>", "utf-8")
    return path


def scripted_html(path: Path, url: str) -> Path:
    """A page with scripts, frames and pictures from a URL, and a sentence."""
    path.write_text(
        f"""<!doctype html><html><head><base href="{url}/"><link rel="stylesheet" href="{url}/s.css">
        <meta http-equiv="refresh" content="0;url={url}/go"><script src="{url}/s.js"></script>
        <script>document.write('never shown');while(true);</script></head><body onload="fetch('{url}')">
        <img src="{url}/i.png" alt="a heron"><iframe src="{url}/f"></iframe><video src="{url}/v.mp4"></video>
        <p>The red boat is back in the harbour.</p></body></html>""",
        "utf-8",
    )
    return path


def comments_html(path: Path, count: int = 2_000) -> Path:
    """Comments after comments, and then no page: there are 2 ** count ways to look at it."""
    path.write_text("<!---->" * count + "harbour", "utf-8")
    return path


def unclosed_html(path: Path, count: int = 300_000) -> Path:
    """A page of tags and comments that never end."""
    path.write_text("<html><p>The heron waits.</p>" + "<!--<a <![" * count, "utf-8")
    return path


def long_line_csv(path: Path, size_bytes: int = 1_000_000) -> Path:
    """A table of one very long line."""
    path.write_text("bird;" + "heron," * (size_bytes // 6), "utf-8")
    return path


def long_text(path: Path, size_bytes: int = 60_000_000) -> Path:
    """A story, then very much white space, then the story again."""
    path.write_text(good.STORY + " \n" * (size_bytes // 2) + good.STORY, "utf-8")
    return path


def deep_json(path: Path, depth: int = 100_000) -> Path:
    """Lists within lists, very deep, around a word."""
    path.write_text("[" * depth + '"heron"' + "]" * depth, "utf-8")
    return path


def absurd_srt(path: Path) -> Path:
    """Subtitles at times that no film has."""
    times = (
        "00:00:05,000 --> 00:00:06,000",
        "9999:99:99,999 --> 00:00:01,000",
        f"{'9' * 5000}:00:00,000 --> {'9' * 9000}:00:00,000",
        f"{'9' * 400}:00:00,000 --> 00:00:01,000",
        "-1:00:00,000 --> 00:00:-5,000",
    )
    path.write_text("".join(f"{n}\n{time}\nThe boat {n} leaves.\n\n" for n, time in enumerate(times, 1)), "utf-8")
    return path


def bidi_text(path: Path) -> Path:
    """Words between characters that turn the direction of writing, and others that cannot be seen."""
    path.write_text("\u202eevil\u202c \u2066heron\u2069 \u200b\u200f\ufeff\x1b[31m waits \U000e0041 here", "utf-8")
    return path


# Playlists


def playlists(url: str) -> dict[str, str]:
    """Playlists that point at a URL, by file name."""
    return {
        "stream.m3u8": f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{url}/a.ts\n#EXT-X-ENDLIST\n",
        "hls.mp4": f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{url}/b.ts\n#EXT-X-ENDLIST\n",
        "radio.pls": f"[playlist]\nNumberOfEntries=1\nFile1={url}/radio.mp3\n",
        "concat.ffconcat": f"ffconcat version 1.0\nfile '{url}/c.mp4'\n",
        "concat.mkv": f"ffconcat version 1.0\nfile '{url}/d.mp4'\n",
        "dash.mpd": f'<?xml version="1.0"?>\n<MPD><Period><BaseURL>{url}/e.mp4</BaseURL></Period></MPD>',
        "list.asx": f'<asx version="3.0"><entry><ref href="{url}/f.wma"/></entry></asx>',
        "list.xspf": f'<?xml version="1.0"?><playlist><trackList><location>{url}/g</location></trackList></playlist>',
    }
