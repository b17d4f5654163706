"""What a file is, by its content first; its suffix only breaks ties between kinds of text."""

from __future__ import annotations

import errno
import lzma
import stat
import tempfile
import zipfile
import zlib
from pathlib import Path
from typing import BinaryIO

import filetype

from data.errors import UnreadableMediaError, UnsupportedMediaError
from embedder.media.formats import BY_SUFFIX, TABLE
from embedder.media.sniff_text import text_mime
from embedder.media.source import Format

_HEAD_BYTES = 16_384
_MOOV_BYTES = 4_000_000
_BROKEN_ZIP = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, NotImplementedError, RuntimeError, EOFError, ValueError)
_NAME_LETTERS = 80  # of a suffix or a media type, in a reason

# Formats that are recognised so that the reason can name them.
_UNREAD = {
    "application/msword": ("an old Word document", "save it as .docx"),
    "application/vnd.ms-excel": ("an old Excel workbook", "save it as .xlsx"),
    "application/vnd.ms-powerpoint": ("old PowerPoint slides", "save them as .pptx"),
    "application/rtf": ("a rich text file", "save it as .docx"),
    "audio/midi": ("a MIDI score: notes without sound", "render it to .wav"),
    "image/vnd.adobe.photoshop": ("a Photoshop file", "export it as .png"),
}
_UNREAD_TEXT = {
    "playlist": ("a playlist: it only points at other files", "ingest those files"),
    "application/rtf": ("a rich text file", "save it as .docx"),
    "application/postscript": ("a PostScript file", "convert it to .pdf"),
}
_NO_MEDIA = {
    "application/zip": ("a zip archive", "unpack it"),
    "application/gzip": ("a packed archive", "unpack it"),
    "application/x-tar": ("a tar archive", "unpack it"),
    "application/x-7z-compressed": ("a 7-Zip archive", "unpack it"),
    "application/x-rar-compressed": ("a RAR archive", "unpack it"),
    "application/x-sqlite3": ("a database", "export its tables as .csv"),
    "application/x-msdownload": ("a program", ""),
    "application/x-executable": ("a program", ""),
}
_BRANDS = {
    b"heic": "image/heic",
    b"heix": "image/heic",
    b"heim": "image/heic",
    b"heis": "image/heic",
    b"hevc": "image/heic",
    b"mif1": "image/heic",
    b"msf1": "image/heic",
    b"avif": "image/avif",
    b"avis": "image/avif",
    b"M4A ": "audio/mp4",
    b"M4B ": "audio/mp4",
}
_ASF = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_ASF_PICTURE = bytes.fromhex("c0ef19bc4d5bcf11a8fd00805f5c442b")  # in the header, for each stream of pictures
_SYNC, _PACKETS = 0x47, 5
_OFFICE = {"word/": "wordprocessingml.document", "ppt/": "presentationml.presentation", "xl/": "spreadsheetml.sheet"}


def identify(path: Path) -> Format:
    """What the file is.

    Raises:
        UnsupportedMediaError: it is empty, no regular file, or of a kind that no reader takes.
        UnreadableMediaError: it cannot be opened, or its content is not what its suffix promises.
    """
    path = Path(path)
    try:
        state = path.stat()
        if not stat.S_ISREG(state.st_mode):
            what = "a folder" if stat.S_ISDIR(state.st_mode) else "not a regular file"
            raise UnsupportedMediaError(path, what)
        if state.st_size == 0:
            raise UnsupportedMediaError(path, "empty file")
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
            mime = _container_mime(head, file)
            if mime is None and b"\0" not in head:  # two letters such as "BM" are a magic number, but text first
                mime = text_mime(head, path.suffix)
            mime = mime or _magic_mime(head) or text_mime(head, path.suffix)
    except OSError as error:
        raise unreadable(path, error) from error
    return _row_format(path, mime)


def unreadable(path: Path, error: OSError) -> UnreadableMediaError:
    """An operating system error, said so that the owner knows what to do."""
    if isinstance(error, FileNotFoundError):
        return UnreadableMediaError(path, "it is no longer there", hint="it was moved or deleted while it was read")
    if isinstance(error, PermissionError):
        return UnreadableMediaError(path, "permission denied", hint="make it readable for this user")
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)  # reading writes nothing, but to the temporary folder
    hint = f"make room in {tempfile.gettempdir()}, or set TMPDIR to another folder" if full else ""
    return UnreadableMediaError(path, error.strerror or str(error) or type(error).__name__, hint=hint)


def _row_format(path: Path, mime: str | None) -> Format:
    if mime in TABLE:
        return TABLE[mime].format
    suffix = path.suffix.lower().lstrip(".")
    if mime == "encrypted office":
        raise UnreadableMediaError(path, "it is locked with a password", hint="save a copy without the password")
    if mime in _UNREAD or mime in _UNREAD_TEXT:
        what, hint = (_UNREAD | _UNREAD_TEXT)[mime]
        raise UnsupportedMediaError(path, what, hint=hint)
    name, hint = _NO_MEDIA.get(mime or "", ((mime or "")[:_NAME_LETTERS], ""))
    promised = BY_SUFFIX.get(suffix)
    if promised:
        what = f"its content ({name})" if name else "its content"
        raise UnreadableMediaError(
            path, f"{what} is no {promised.format.name}", hint="it may be cut off, overwritten or misnamed"
        )
    if mime in _NO_MEDIA:
        raise UnsupportedMediaError(path, name, hint=hint)
    named = suffix and f".{suffix[:_NAME_LETTERS]} files"
    raise UnsupportedMediaError(path, f"no reader for {name or named or 'this kind of file'}")


def _container_mime(head: bytes, file: BinaryIO) -> str | None:
    """The media type of a format that must be looked into, None when it is none of these."""
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12]) or _mpeg4_mime(file, "video/quicktime" if head[8:12] == b"qt  " else "video/mp4")
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return _matroska_mime(head)
    if head.startswith(_ASF):
        return "video/x-ms-wmv" if _ASF_PICTURE in head else "audio/x-ms-wma"
    if _is_transport_stream(head):
        return "video/mp2t"
    if head.startswith(b"OggS"):
        return "video/ogg" if b"\x80theora" in head or b"fishead\0" in head else "audio/ogg"
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zip_mime(file)
    if head.startswith(b"\xd0\xcf\x11\xe0"):
        file.seek(0)
        start = file.read(200_000)
        if "EncryptedPackage".encode("utf-16-le") in start:
            return "encrypted office"
    if b"%PDF-" in head[:1024]:
        return "application/pdf"
    if head[4:8] in (b"moov", b"mdat", b"wide", b"free", b"skip") and head[:2] == b"\0\0":
        return _mpeg4_mime(file, "video/quicktime")
    if head.startswith(b"ID3"):
        return _tagged_mime(head, file)
    if head[:4] in (b"RF64", b"BW64") and head[8:12] == b"WAVE":
        return "audio/x-wav"
    return None


def _tagged_mime(head: bytes, file: BinaryIO) -> str | None:
    """What comes after a tag that is meant for MP3, where that is something else."""
    size = sum((byte & 127) << 7 * place for place, byte in enumerate(reversed(head[6:10])))
    file.seek(10 + size)
    start = file.read(4)
    if start == b"fLaC":
        return "audio/x-flac"
    return "audio/aac" if int.from_bytes(start[:2]) & 0xFFF6 == 0xFFF0 else None


def _magic_mime(head: bytes) -> str | None:
    """The media type that the first bytes stand for, None for what nobody knows."""
    guess = filetype.guess(head)
    if guess is not None:
        mime = str(guess.mime)
        return {"image/apng": "image/png", "video/x-m4v": "video/mp4", "video/3gpp": "video/mp4"}.get(mime, mime)
    if _mpeg_audio(head):
        return "audio/mpeg"
    return None


def _mpeg4_mime(file: BinaryIO, film: str) -> str:
    """MPEG-4 and QuickTime files say in their moov box whether they are films or sounds."""
    moov = _moov(file)
    return "audio/mp4" if b"vide" not in moov and b"soun" in moov else film


def _moov(file: BinaryIO) -> bytes:
    """The index of an MPEG-4 file (cut to a few megabytes), b"" when there is none."""
    at = 0
    for _ in range(200):
        file.seek(at)
        header = file.read(16)
        if len(header) < 8:
            return b""
        size = int.from_bytes(header[:4])
        if size == 1:
            size = int.from_bytes(header[8:16])
        if header[4:8] == b"moov":
            file.seek(at)
            return file.read(min(size or _MOOV_BYTES, _MOOV_BYTES))
        if size < 8:
            return b""
        at += size
    return b""


def _matroska_mime(head: bytes) -> str:
    """Matroska and WebM: video unless the only tracks seen (type byte after id 0x83) are sound."""
    if b"\x83\x81\x02" in head and b"\x83\x81\x01" not in head:
        return "audio/x-matroska"
    return "video/webm" if b"webm" in head[:64] else "video/x-matroska"


def _is_transport_stream(head: bytes) -> bool:
    """Whether each packet begins with its sync byte; a camera's packets have a time of four bytes before it."""
    return any(
        len(head) > _PACKETS * step and all(head[first + number * step] == _SYNC for number in range(_PACKETS))
        for first, step in ((0, 188), (4, 192))
    )


def _zip_mime(file: BinaryIO) -> str:
    """The office formats are zip archives; what is inside tells them apart."""
    try:
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
            if "mimetype" in names and archive.getinfo("mimetype").file_size < 200:
                return archive.read("mimetype").decode("ascii", "replace").strip()
    except _BROKEN_ZIP:
        return "a broken zip archive"
    if "[Content_Types].xml" in names:
        for folder, kind in _OFFICE.items():
            if any(name.startswith(folder) for name in names):
                return f"application/vnd.openxmlformats-officedocument.{kind}"
    return "application/zip"


def _mpeg_audio(head: bytes) -> bool:
    """Two MPEG audio frame headers in a row, after any zero padding."""
    start = len(head) - len(head.lstrip(b"\0"))
    for at in range(start, min(start + 4096, len(head) - 4)):
        length = _frame_bytes(head[at : at + 4])
        if length and _frame_bytes(head[at + length : at + length + 4]):
            return True
    return False


def _frame_bytes(header: bytes) -> int:
    """Length in bytes of an MPEG layer III frame with this 4-byte header, 0 when it is none."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE6 != 0xE2:
        return 0
    version = header[1] >> 3 & 3  # 3: MPEG 1, 2: MPEG 2, 0: MPEG 2.5
    rate_index, pitch_index = header[2] >> 4, header[2] >> 2 & 3
    if version == 1 or rate_index in (0, 15) or pitch_index == 3:
        return 0
    rates = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
    if version != 3:
        rates = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
    pitch = (44_100, 48_000, 32_000)[pitch_index] >> (0 if version == 3 else 1 if version == 2 else 2)
    return (144 if version == 3 else 72) * rates[rate_index - 1] * 1000 // pitch + (header[2] >> 1 & 1)
