"""Limits on one file: media are hostile input."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one file may cost before it is given up with a recorded reason.

    Args:
        seconds: time without a new segment after which its worker is killed: time that it computes, or does nothing
            at all. Time in which it computes now and then counts an eighth, for a busy machine, too, gives it no more;
            in full where the system does not tell.
        file_seconds: wall time for the whole file.
        memory_bytes: private memory of the worker process and the decoders it starts. A worker that has no file like
            that holds 0.3 GB; of those that take half of this or more, one works at a time.
        pixels: of one image, frame or page, as declared in its header; a JPEG, which can be decoded at a fraction of
            its size, may have twice as many.
        pages: of one document; further pages are left out and the report says so.
        text_bytes: of a text file, or of the text that an archive (docx, epub ...) unpacks to.
        segments: of one content.
    """

    seconds: float = 120.0
    file_seconds: float = 3600.0
    memory_bytes: int = 900_000_000
    pixels: int = 140_000_000
    pages: int = 2_000
    text_bytes: int = 50_000_000
    segments: int = 20_000


DEFAULT_LIMITS = Limits()


def too_much_memory(limits: Limits) -> str:
    """The reason for a file that went over its memory limit."""
    return f"needs more than {limits.memory_bytes // 1_000_000} MB to decode"
