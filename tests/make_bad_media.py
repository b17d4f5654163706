"""Broken and hostile pictures and recordings for tests, made in code: each function writes one file."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tests import make_media as good

# Anything


def cut(path: Path, keep: float) -> Path:
    """The first part of a file only."""
    body = path.read_bytes()
    path.write_bytes(body[: int(len(body) * keep)])
    return path


def noise_after(path: Path, head: bytes) -> Path:
    """The beginning of a real file, and then bytes that mean nothing."""
    path.write_bytes(head + noise(path).read_bytes())
    return path


def noise(path: Path, size_bytes: int = 40_000) -> Path:
    """Bytes that mean nothing, others for each name."""
    path.write_bytes(
        np.random.default_rng(list(path.name.encode())).integers(0, 256, size_bytes, dtype=np.uint8).tobytes()
    )
    return path


def sparse(path: Path, size_bytes: int = 5_000_000_000) -> Path:
    """A large file that takes no room on the disk: all zeros."""
    with path.open("wb") as file:
        file.truncate(size_bytes)
    return path


# Pictures


def png(path: Path, width: int, height: int, *, bits: int = 8, colour: int = 2) -> Path:
    """A well-formed PNG of one colour, however large; small on disk, for it is the same row again and again."""
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    row = b"\0" + b"\x55" * ((width * channels * bits + 7) // 8)
    squeeze = zlib.compressobj(1)
    rows_at_once = max(1, 4_000_000 // len(row))
    block = row * rows_at_once
    with path.open("wb") as file:
        header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
        file.write(b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header))
        if colour == 3:
            file.write(_chunk(b"PLTE", bytes(range(256)) * 3))
        for start in range(0, height, rows_at_once):
            piece = squeeze.compress(block[: len(row) * min(rows_at_once, height - start)])
            if piece:
                file.write(_chunk(b"IDAT", piece))
        file.write(_chunk(b"IDAT", squeeze.flush()) + _chunk(b"IEND", b""))
    return path


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png_of_text(path: Path, size_bytes: int = 200_000_000) -> Path:
    """A small picture with a comment that unpacks to very much."""
    small = io.BytesIO()
    good.picture(64, 64).save(small, "PNG")
    body = small.getvalue()
    comment = _chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(size_bytes), 9))
    path.write_bytes(body[:33] + comment + body[33:])
    return path


def endless_gif(path: Path, frames: int = 100_000, width: int = 16, height: int = 16) -> Path:
    """A GIF that loops for ever over very many frames of one pixel, on a canvas of any size."""
    palette = bytes((0, 0, 0, 250, 120, 30))
    loop = b"\x21\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00"
    frame = b"\x21\xf9\x04\x04\x00\x00\x00\x00"
    frame += b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x4c\x01\x00"
    with path.open("wb") as file:
        file.write(b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + palette + loop)
        for _ in range(0, frames, 1000):
            file.write(frame * min(1000, frames))
        file.write(b";")
    return path


def bmp_header(path: Path, width: int, height: int) -> Path:
    """A BMP that claims a size and has no pixels."""
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 2835, 2835, 0, 0)
    path.write_bytes(b"BM" + struct.pack("<IHHI", 54 + 100, 0, 0, 54) + head + bytes(100))
    return path


def webp_header(path: Path, width: int = 16_383, height: int = 16_383) -> Path:
    """An animated WebP whose canvas is as large as the format allows, with a frame that is not there."""
    size = struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    chunks = b"VP8X" + struct.pack("<I", 10) + b"\x02\0\0\0" + size
    chunks += b"ANIM" + struct.pack("<I", 6) + bytes(6)
    path.write_bytes(b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WEBP" + chunks)
    return path


def tiff_loop(path: Path) -> Path:
    """A TIFF whose only page names itself as the next one."""
    good.image_file(path, good.picture(80, 60))
    body = bytearray(path.read_bytes())
    order = "<" if body[:2] == b"II" else ">"
    (first,) = struct.unpack_from(order + "I", body, 4)
    (count,) = struct.unpack_from(order + "H", body, first)
    struct.pack_into(order + "I", body, first + 2 + 12 * count, first)
    path.write_bytes(body)
    return path


# Recordings


def wav_claiming(path: Path, seconds: float, *, has: float) -> Path:
    """A WAV whose header promises `seconds` of sound and which holds `has`."""
    good.wav(path, good.tone(has) if has else good.silence(0))
    body = bytearray(path.read_bytes())
    size = int(seconds * good.RATE_HZ) * 2
    struct.pack_into("<I", body, 4, size + 36)
    struct.pack_into("<I", body, 40, size)
    path.write_bytes(body)
    return path


def video(path: Path) -> Path:
    """Two seconds of red and green and a tone; an MPEG-4 file has its index at its end."""
    inputs = [a for colour in ("red", "green") for a in ("-f", "lavfi", "-i", f"color=c={colour}:s=160x120:d=1:r=12")]
    join = ("-filter_complex", "[0:v][1:v]concat=n=2[v]", "-map", "[v]", "-map", "2:a")
    good.ffmpeg(*inputs, "-f", "lavfi", "-i", "sine=d=2", *join, "-c:v", "libx264", "-preset", "ultrafast", str(path))
    return path


def without_index(path: Path) -> Path:
    """An MPEG-4 video that was cut off before its index was written."""
    body = video(path).read_bytes()
    path.write_bytes(body[: body.rindex(b"moov") - 4])
    return path


def half_index(path: Path) -> Path:
    """An MPEG-4 video cut off in the middle of its index."""
    body = video(path).read_bytes()
    start = body.rindex(b"moov")
    path.write_bytes(body[: (start + len(body)) // 2])
    return path


def cut_after_index(path: Path) -> Path:
    """An MPEG-4 video with its index in front, cut off in the middle of its pictures."""
    whole = video(path.with_name(path.name + ".whole.mp4"))
    good.ffmpeg("-i", str(whole), "-c", "copy", "-movflags", "faststart", str(path))
    whole.unlink()
    body = path.read_bytes()
    path.write_bytes(body[: (body.index(b"mdat") + len(body)) // 2])
    return path


def elsewhere(path: Path, url: str) -> Path:
    """An MPEG-4 video whose data reference says that the pictures are at a URL."""
    body = video(path).read_bytes()
    target = url.encode() + b"\0"
    grown = 0
    out = bytearray(body)
    at = 0
    while (at := out.find(b"url \0\0\0\1", at)) >= 0:  # flag 1: in this very file; 0: at the URL that follows
        out[at + 4 : at + 8] = bytes(4)
        out[at + 8 : at + 8] = target
        grown += len(target)
        for box in _boxes_around(out, at):
            (size,) = struct.unpack_from(">I", out, box)
            struct.pack_into(">I", out, box, size + len(target))
        at += 8
    assert grown
    path.write_bytes(out)
    return path


def _boxes_around(body: bytearray, at: int) -> Iterator[int]:
    """Where the boxes begin that hold the byte `at`, from the outermost."""
    start, end = 0, len(body)
    while start < end:
        size, name = struct.unpack_from(">I4s", body, start)
        if start <= at < start + size:
            yield start
            if name not in (b"moov", b"trak", b"mdia", b"minf", b"dinf", b"dref"):
                return
            start, end = start + 8 + (8 if name == b"dref" else 0), start + size
        else:
            start += max(size, 8)


def huge_matroska(path: Path, claimed: int) -> Path:
    """A Matroska video whose header claims enormous pictures, and whose codec believes it."""
    good.ffmpeg("-f", "lavfi", "-i", "color=c=blue:s=320x256:d=0.5:r=4", "-c:v", "ffv1", str(path))
    body = path.read_bytes()
    for element, side in ((b"\xb0\x82", 320), (b"\xba\x82", 256)):
        now = element + side.to_bytes(2)
        assert now in body
        body = body.replace(now, element + claimed.to_bytes(2), 1)
    path.write_bytes(body)
    return path


def hours_apart(path: Path) -> Path:
    """A Matroska video of two pictures, twenty hours apart."""
    late = ("-vf", "setpts=N*72000/TB", "-fps_mode", "passthrough", "-c:v", "libx264")
    good.ffmpeg("-f", "lavfi", "-i", "testsrc=s=160x120:r=12:d=0.17", *late, str(path))
    return path
