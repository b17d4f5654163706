"""Media for tests, made in code: each function writes one small file and returns its path."""

from __future__ import annotations

import io
import json
import subprocess
import wave
import zipfile
from collections.abc import Sequence
from email.message import EmailMessage
from functools import lru_cache
from pathlib import Path

import imageio_ffmpeg
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from PIL.TiffImagePlugin import AppendingTiffWriter

RATE_HZ = 16_000
SENTENCE = "The lighthouse keeper feeds the orange cat every evening before the storm arrives."
STORY = (
    "The harbour was quiet that morning, and the fishermen mended their nets beside the old stone wall. "
    "A grey heron stood in the shallow water and waited for the tide to turn. "
    "Nobody noticed the small red boat that drifted past the lighthouse with its lamp still burning. "
)


# Sound


def tone(seconds: float = 3.0, *, hz: float = 440.0, level: float = 0.3) -> NDArray[np.float32]:
    """A sine, (samples,) float32 at RATE_HZ."""
    t = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    return (level * np.sin(2 * np.pi * hz * t)).astype(np.float32)


def silence(seconds: float) -> NDArray[np.float32]:
    """Nothing, (samples,) float32 at RATE_HZ."""
    return np.zeros(int(seconds * RATE_HZ), dtype=np.float32)


@lru_cache(maxsize=16)
def speech(words: str = SENTENCE) -> NDArray[np.float32]:
    """A synthetic English voice, (samples,) float32 at RATE_HZ."""
    from hibari import Hibari

    sound = np.asarray(Hibari()(words), dtype=np.float32)  # 24 kHz
    at = np.arange(int(sound.size * RATE_HZ / 24_000)) * 24_000 / RATE_HZ
    return np.interp(at, np.arange(sound.size), sound).astype(np.float32)


def wav(path: Path, sound: NDArray[np.float32] | None = None) -> Path:
    """A mono WAV of 16 bits."""
    samples = tone() if sound is None else sound
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    return path


def sound_file(path: Path, sound: NDArray[np.float32] | None = None, *options: str) -> Path:
    """Sound in the format of the suffix (mp3, flac, ogg, opus, m4a, aiff, mka ...)."""
    source = wav(path.with_name(path.name + ".source.wav"), sound)
    ffmpeg("-i", str(source), *options, str(path))
    source.unlink()
    return path


def ffmpeg(*arguments: str) -> None:
    """Run the packaged ffmpeg."""
    subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-loglevel", "error", "-y", *arguments], check=True)


def slow_ffmpeg(path: Path) -> Path:
    """A program that does as ffmpeg does, but reads subtitles as if from a slow disk."""
    real = imageio_ffmpeg.get_ffmpeg_exe()
    path.write_text(f"""#!/bin/sh\ncase "$*" in *" srt "*) set -- -readrate 10 "$@";; esac\nexec '{real}' "$@"\n""")
    path.chmod(0o755)
    return path


# Pictures


def picture(width: int = 320, height: int = 240, *, seed: int = 0) -> Image.Image:
    """Soft patches of colour that no two seeds share."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)


def lettered(lines: Sequence[str], *, width: int = 900, height: int = 500, size: int = 36) -> Image.Image:
    """Black writing on white."""
    image = Image.new("RGB", (width, height), "white")
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(size)
    for number, line in enumerate(lines):
        draw.text((40, 40 + number * size * 1.6), line, fill="black", font=font)
    return image


def screenshot(width: int, height: int, *, rows: range | None = None, dark: bool = False) -> Image.Image:
    """Small print of a screen: a numbered line in each row that is 40 pixels high."""
    image = Image.new("RGB", (width, height), "#1e1e1e" if dark else "white")
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(16)
    for number in rows or range(height // 40):
        draw.text(
            (60, 12 + 40 * number),
            f"lantern {number} hangs over the bridge and the river",
            "#d4d4d4" if dark else "black",
            font,
        )
    return image


def image_file(path: Path, image: Image.Image | None = None) -> Path:
    """A picture in the format of the suffix (png, jpg, webp, bmp, tiff, gif, heic ...)."""
    if path.suffix in (".heic", ".heif"):
        import pillow_heif

        pillow_heif.register_heif_opener()
    (image or picture()).save(path)
    return path


def jpg_on_its_side(path: Path) -> Path:
    """A JPEG stored as 320 x 240 with the red stripe at the right, to be shown as 240 x 320 with it at the bottom."""
    image = Image.new("RGB", (320, 240), "blue")
    image.paste((255, 0, 0), (280, 0, 320, 240))
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(path, exif=exif, quality=95)
    return path


def tiff_of_one_channel(path: Path, values: NDArray[np.uint16], *, white_is_zero: bool = False) -> Path:
    """A TIFF of 16 bits that says which value is white."""
    Image.fromarray(values).save(path, tiffinfo={262: 0 if white_is_zero else 1})
    return path


def tiff_with_a_smaller_copy(path: Path, *, subfile: int = 1) -> Path:
    """A TIFF of one page and a smaller copy of it that is marked as such."""
    with AppendingTiffWriter(str(path), True) as file:
        picture().save(file, format="TIFF")
        file.newFrame()
        picture(80, 60).save(file, format="TIFF", tiffinfo={254: subfile})
        file.newFrame()
    return path


def raw_picture(path: Path) -> Path:
    """A TIFF as cameras write it: a thumbnail first, which says that the picture itself lies elsewhere."""
    picture(160, 120).save(path, format="TIFF", tiffinfo={254: 1, 330: 8})
    return path


def animation(path: Path, frames: int = 12) -> Path:
    """A GIF or WebP of this many frames that get brighter."""
    images = [Image.new("RGB", (64, 48), (int(250 * i / max(1, frames - 1)),) * 3) for i in range(frames)]
    images[0].save(path, save_all=True, append_images=images[1:], duration=100, loop=0)
    return path


def tiff_pages(path: Path, pages: int = 3) -> Path:
    """A TIFF with several pages."""
    images = [picture(seed=i) for i in range(pages)]
    images[0].save(path, save_all=True, append_images=images[1:])
    return path


def png_header(path: Path, width: int, height: int) -> Path:
    """A PNG that claims a size and has no pixels to show for it."""
    import struct
    import zlib

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b""))
    return path


def svg(path: Path, *, inside: str = "") -> Path:
    """A drawing of a red square with a title and a text."""
    path.write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 200 100">'
        f'<title>Weather map</title><rect width="100" height="100" fill="#f00"/>{inside}'
        '<text x="110" y="50">Storm warning</text></svg>',
        "utf-8",
    )
    return path


# Films


def film(
    path: Path,
    *,
    colours: Sequence[int] = (1, 2, 3),
    shot_s: float = 2.0,
    sound: NDArray[np.float32] | None = None,
    subtitles: str | None = None,
    options: Sequence[str] = (),
) -> Path:
    """A film of one shot per seed in `colours`, with a sound track and subtitles where given."""
    folder = path.parent / f"{path.name}.parts"
    folder.mkdir()
    arguments: list[str] = []
    for number, seed in enumerate(colours):
        image_file(folder / f"{number}.png", picture(192, 108, seed=seed))
        arguments += ["-loop", "1", "-t", f"{shot_s}", "-i", str(folder / f"{number}.png")]
    joined = "".join(f"[{n}:v]" for n in range(len(colours)))
    filters = f"{joined}concat=n={len(colours)}:v=1,format=yuv420p[v]"
    maps = ["-map", "[v]"]
    if sound is not None:
        arguments += ["-i", str(wav(folder / "sound.wav", sound))]
        maps += ["-map", f"{len(colours)}:a"]
    if subtitles is not None:
        (folder / "sub.srt").write_text(subtitles, "utf-8")
        arguments += ["-i", str(folder / "sub.srt")]
        maps += ["-map", f"{len(colours) + (sound is not None)}:s"]
        maps += ["-c:s", "mov_text" if path.suffix in (".mp4", ".mov") else "srt"]
    codec = _CODECS.get(path.suffix, ["-c:v", "libx264", "-preset", "ultrafast", "-r", "12"])
    ffmpeg(*arguments, "-filter_complex", filters, *maps, *codec, *options, str(path))
    for part in folder.iterdir():
        part.unlink()
    folder.rmdir()
    return path


_CODECS = {
    ".webm": ["-c:v", "libvpx", "-deadline", "realtime", "-r", "12"],
    ".wmv": ["-c:v", "wmv2", "-b:v", "1M", "-r", "12"],
    ".flv": ["-c:v", "flv", "-b:v", "1M", "-ar", "44100", "-r", "12"],
    ".mpg": ["-c:v", "mpeg2video", "-b:v", "2M", "-r", "25"],
}


def hdr_film(path: Path, image: Image.Image, transfer: str) -> Path:
    """A film of a still picture as a camera stores it in HDR: by the transfer function smpte2084 or arib-std-b67."""
    encoded = np.asarray(image) / 255
    light = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    light = light @ np.array([[0.6274, 0.0691, 0.0164], [0.3293, 0.9195, 0.0880], [0.0433, 0.0114, 0.8956]])  # BT.2020
    if transfer == "smpte2084":
        power = (light * 203 / 10_000) ** 0.1593017578125
        signal = ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375
    else:
        light = light * 0.265
        dark, bright = np.sqrt(3 * light), np.log(np.maximum(12 * light - 0.28466892, 1e-9))
        signal = np.where(light <= 1 / 12, dark, 0.17883277 * bright + 0.55991073)
    raw = path.with_name(path.name + ".rgb")
    raw.write_bytes((np.clip(signal, 0, 1) * 65_535).astype("<u2").tobytes() * 5)
    tags = f"log-level=error:colorprim=bt2020:transfer={transfer}:colormatrix=bt2020nc"
    filters = "scale=out_color_matrix=bt2020:out_range=tv,format=yuv420p10le"
    size = ["-f", "rawvideo", "-pix_fmt", "rgb48le", "-s", f"{image.width}x{image.height}", "-r", "5"]
    ffmpeg(*size, "-i", str(raw), "-vf", filters, "-c:v", "libx265", "-x265-params", tags, str(path))
    raw.unlink()
    return path


# Text


def srt(path: Path | None = None) -> str:
    """Three cues as SubRip, written to `path` where given."""
    text = (
        "1\n00:00:00,500 --> 00:00:02,000\nThe boat leaves the harbour.\n\n"
        "2\n00:00:02,500 --> 00:00:04,000\n<i>Wait for me!</i>\n\n"
        "3\n00:00:20,000 --> 00:00:22,500\nA storm is coming\nfrom the west.\n\n"
    )
    if path is not None:
        path.write_text(text, "utf-8")
    return text


def csv(path: Path) -> Path:
    """A table of three birds."""
    path.write_text("name,wingspan_cm,home\nheron,190,marsh\nwren,15,hedge\nalbatross,340,open sea\n", "utf-8")
    return path


def json_file(path: Path) -> Path:
    """A list of two records."""
    path.write_text(json.dumps([{"title": "Red boat", "tags": ["sea", "wood"]}, {"title": "Old wall"}]), "utf-8")
    return path


# Documents


def pdf(path: Path, pages: Sequence[str] = (STORY,), *, password: str | None = None) -> Path:
    """A PDF with a text layer; an empty string makes an empty page."""
    from reportlab.lib.pdfencrypt import StandardEncryption
    from reportlab.pdfgen import canvas

    lock = StandardEncryption(password, ownerPassword="owner") if password else None
    sheet = canvas.Canvas(str(path), encrypt=lock)
    for text in pages:
        for number, line in enumerate(text.replace(". ", ".\n").splitlines()):
            sheet.drawString(60, 780 - 20 * number, line)
        sheet.showPage()
    sheet.save()
    return path


def scanned_pdf(path: Path, lines: Sequence[str] = ("Invoice for seven lanterns", "Total amount 84 euros")) -> Path:
    """A PDF whose only page is a picture of writing."""
    lettered(lines, width=850, height=1100).save(path, "PDF", resolution=100)
    return path


def stamped_scan_pdf(path: Path, stamp: str, *, shares: Sequence[float] = (1.0,)) -> Path:
    """A PDF of one line of text over a picture of writing on each page, which covers so much of its height."""
    from reportlab.lib.utils import ImageReader
    from reportlab.pdfgen import canvas

    sheet = canvas.Canvas(str(path))
    for share in shares:
        scan = lettered(("Invoice for seven lanterns", "Total amount 84 euros"), width=850, height=int(1100 * share))
        sheet.drawImage(ImageReader(scan), 0, 0, 595, 842 * share)
        sheet.drawString(60, 12, stamp)
        sheet.showPage()
    sheet.save()
    return path


def slides_pdf(path: Path, slides: Sequence[str]) -> Path:
    """A PDF of lines of text over the same picture on each page; one without a text is a picture of writing."""
    from reportlab.lib.utils import ImageReader
    from reportlab.pdfgen import canvas

    ground = ImageReader(Image.new("RGB", (64, 48), "#cfe3f5"))
    scan = ImageReader(lettered(("Invoice for seven lanterns", "Total amount 84 euros")))
    sheet = canvas.Canvas(str(path), pagesize=(800, 600))
    for text in slides:
        sheet.drawImage(ground if text else scan, 0, 0, 800, 600)
        sheet.setFont("Helvetica", 32)
        for number, line in enumerate(text.splitlines()):
            sheet.drawString(60, 500 - 60 * number, line)
        sheet.showPage()
    sheet.save()
    return path


def form_pdf(path: Path, *, note: str = "") -> Path:
    """A form of three fields that is filled in, and a note typed over it."""
    from pypdf import PdfWriter
    from pypdf.annotations import FreeText
    from reportlab.pdfgen import canvas

    sheet = canvas.Canvas(str(path))
    sheet.drawString(60, 780, "Please tell us who comes to the harbour feast, and from where")
    sheet.acroForm.textfield(name="who", x=60, y=700, width=400, height=30, value="Wilhelmina Kowalczyk")
    sheet.acroForm.choice(name="from", x=60, y=650, width=400, height=30, value="Oslo", options=["Oslo", "Bergen"])
    sheet.acroForm.checkbox(name="boat", x=60, y=600, checked=True)
    sheet.save()
    form = PdfWriter(clone_from=path)
    form.add_annotation(0, FreeText(text=note, rect=(60, 500, 460, 540)))
    form.write(path)
    return path


def empty_pages_pdf(path: Path, pages: int) -> Path:
    """A PDF of many empty pages, made quickly."""
    kids = " ".join(f"{n + 3} 0 R" for n in range(pages))
    objects = ["<< /Type /Catalog /Pages 2 0 R >>", f"<< /Type /Pages /Kids [{kids}] /Count {pages} >>"]
    objects += ["<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] >>"] * pages
    out = io.BytesIO(b"")
    out.write(b"%PDF-1.4\n")
    offsets = []
    for number, body in enumerate(objects, start=1):
        offsets.append(out.tell())
        out.write(f"{number} 0 obj\n{body}\nendobj\n".encode())
    start = out.tell()
    out.write(f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode())
    out.write("".join(f"{offset:010d} 00000 n \n" for offset in offsets).encode())
    out.write(f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n".encode())
    path.write_bytes(out.getvalue())
    return path


def docx(path: Path, paragraphs: Sequence[str] = (STORY,)) -> Path:
    """A Word document with a heading and a table."""
    from docx import Document

    document = Document()
    document.add_heading("Harbour report", 1)
    for paragraph in paragraphs:
        document.add_paragraph(paragraph)
    table = document.add_table(rows=2, cols=2)
    for number, text in enumerate(("species", "count", "heron", "seven")):
        table.cell(number // 2, number % 2).text = text
    document.save(str(path))
    return path


def pptx(path: Path, slides: Sequence[str] = ("Tides and winds", "Lanterns at night")) -> Path:
    """PowerPoint slides with a title and a body each."""
    from pptx import Presentation

    deck = Presentation()
    for title in slides:
        slide = deck.slides.add_slide(deck.slide_layouts[1])
        slide.shapes.title.text = title
        slide.placeholders[1].text = f"What to know about {title.lower()}"
    deck.save(str(path))
    return path


def xlsx(path: Path) -> Path:
    """An Excel workbook with two sheets."""
    from openpyxl import Workbook

    book = Workbook()
    birds = book.active
    birds.title = "Birds"
    for row in (("name", "wingspan"), ("heron", 190), ("wren", 15)):
        birds.append(row)
    boats = book.create_sheet("Boats")
    for row in (("boat", "colour"), ("Marie", "red")):
        boats.append(row)
    book.save(path)
    return path


def odt(path: Path, paragraphs: Sequence[str] = (STORY,)) -> Path:
    """An OpenDocument text."""
    body = "".join(f"<text:p>{p}</text:p>" for p in paragraphs)
    names = (
        'xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
        'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"'
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.text", zipfile.ZIP_STORED)
        archive.writestr(
            "content.xml",
            f"<office:document-content {names}><office:body><office:text><text:h>Harbour report</text:h>{body}"
            "</office:text></office:body></office:document-content>",
        )
    return path


def mail(path: Path) -> Path:
    """A message in plain text and in HTML, with a picture attached."""
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = "Grüße aus München", "Änne <a@example.com>", "bob@example.com"
    message["MIME-Version"] = "1.0"
    message.set_content("Hallo Bob, die Reise nach München ist gebucht.", charset="iso-8859-1")
    message.add_alternative("<p>Hallo <b>Bob</b>, die Reise ist gebucht.</p>", subtype="html")
    message.add_attachment(b"\xff\xd8" * 50_000, maintype="image", subtype="jpeg", filename="Straße.jpg")
    path.write_bytes(bytes(message))
    return path


def saved_page(path: Path) -> Path:
    """A page of the web as a browser saves it in one file."""
    page = EmailMessage()
    page["From"], page["Subject"] = "<Saved by Blink>", "The library"
    page.set_content("<style>p {}</style><p>Grüße aus der Bibliothek.</p>", subtype="html", cte="quoted-printable")
    page.add_related(b"\x89PNG" * 50_000, maintype="image", subtype="png", cid="<a>")
    path.write_bytes(bytes(page))
    return path


def notebook(path: Path) -> Path:
    """A Jupyter notebook with words, code, what it printed and a picture."""
    outputs = [
        {"output_type": "stream", "name": "stdout", "text": ["twelve rainy days\n"]},
        {"output_type": "display_data", "data": {"image/png": "iVBORw0KGgo" * 20_000, "text/plain": "<Figure>"}},
    ]
    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": ["# Rainfall\n", "It is wet."]},
        {"cell_type": "code", "execution_count": 1, "source": "plot(days)", "outputs": outputs},
    ]
    path.write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    return path


def epub(path: Path, chapters: Sequence[str] = (STORY, "The second chapter is about a whale.")) -> Path:
    """An EPUB book with one file per chapter."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/epub+zip", zipfile.ZIP_STORED)
        archive.writestr(
            "META-INF/container.xml",
            '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
            '<rootfile full-path="OEBPS/book.opf"/></rootfiles></container>',
        )
        items = "".join(f'<item id="c{n}" href="c{n}.xhtml"/>' for n in range(len(chapters)))
        spine = "".join(f'<itemref idref="c{n}"/>' for n in range(len(chapters)))
        archive.writestr(
            "OEBPS/book.opf",
            f'<package xmlns="http://www.idpf.org/2007/opf"><manifest>{items}</manifest><spine>{spine}</spine></package>',
        )
        for number, chapter in enumerate(chapters):
            page = f"<html><body><h1>Chapter {number + 1}</h1><p>{chapter}</p></body></html>"
            archive.writestr(f"OEBPS/c{number}.xhtml", page)
    return path


def zip_bomb_docx(path: Path, size_bytes: int = 200_000_000) -> Path:
    """A small Word document that unpacks to very much."""
    block = b" " * 1_000_000
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        with archive.open("word/document.xml", "w", force_zip64=True) as file:
            for _ in range(size_bytes // len(block)):
                file.write(block)
    return path
