"""Messages between the pool and its workers: a JSON header and the raw bytes of one array; never pickle."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.errors import MediaError, UnreadableMediaError, UnsupportedMediaError
from data.records import Evidence, Kind, Span
from embedder.media.limits import Limits
from embedder.segment import Segment

Header = dict[str, Any]

LENGTHS = struct.Struct("<II")  # bytes of the header, bytes of the body
MAX_HEADER_BYTES = 16_000_000
MAX_BODY_BYTES = 256_000_000

_ERRORS = {"unreadable": UnreadableMediaError, "unsupported": UnsupportedMediaError}


def packed(header: Header, body: bytes = b"") -> list[bytes]:
    """A message as the pieces to be written one after the other."""
    head = json.dumps(header).encode()
    return [LENGTHS.pack(len(head), len(body)) + head, body]


def lengths(raw: bytes | bytearray) -> tuple[int, int]:
    """Sizes of header and body in bytes, from the first LENGTHS.size bytes of a message.

    Raises:
        ValueError: no message begins like that; the worker is out of its mind.
    """
    head, body = LENGTHS.unpack(raw)
    if head > MAX_HEADER_BYTES or body > MAX_BODY_BYTES:
        raise ValueError(f"a message of {head} + {body} bytes")
    return head, body


def from_segment(segment: Segment) -> list[bytes]:
    """A segment as a message."""
    array = segment.pixels if segment.pixels is not None else segment.sound
    span = segment.span
    header: Header = {
        "say": "segment",
        "kind": segment.kind,
        "evidence": segment.evidence,
        "span": [span.start_s, span.end_s, span.page, span.char_start, span.char_end],
        "text": segment.text,
        "language": segment.language,
        "shape": None if array is None else array.shape,
    }
    if array is None:
        return packed(header)
    return packed(header, np.ascontiguousarray(array).tobytes())


def to_segment(header: Header, body: bytearray) -> Segment:
    """The segment in a message.

    Raises:
        KeyError, TypeError, ValueError: the message is not what `from_segment` makes.
    """
    start_s, end_s, page, char_start, char_end = header["span"]
    pixels: NDArray[np.uint8] | None = None
    sound: NDArray[np.float32] | None = None
    shape = header["shape"]
    if shape is not None and len(shape) == 4:
        pixels = np.frombuffer(body, dtype=np.uint8).reshape(shape)
    elif shape is not None:
        sound = np.frombuffer(body, dtype=np.float32).reshape(shape)
    return Segment(
        kind=Kind(header["kind"]),
        evidence=Evidence(header["evidence"]),
        span=Span(start_s=start_s, end_s=end_s, page=page, char_start=char_start, char_end=char_end),
        text=header["text"],
        pixels=pixels,
        sound=sound,
        language=header["language"],
    )


def from_error(error: MediaError, kind: Kind | None) -> Header:
    """An error as the header of a message without body."""
    name = "unsupported" if isinstance(error, UnsupportedMediaError) else "unreadable"
    return {"say": "failed", "error": name, "reason": error.reason, "hint": error.hint, "kind": kind}


def to_error(header: Header, path: str) -> MediaError:
    """The error in a message, about the file at `path`."""
    return _ERRORS[header["error"]](path, str(header["reason"]), hint=str(header["hint"]))


def from_limits(limits: Limits) -> dict[str, float]:
    """Limits as JSON."""
    return {name: getattr(limits, name) for name in Limits.__slots__}


def to_limits(values: dict[str, Any]) -> Limits:
    """Limits from JSON."""
    return Limits(**values)
