"""Segment: the one unit a model eats, and what a reader yields."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from data.records import Evidence, Kind, Span

if TYPE_CHECKING:  # the command line reads what was typed before it loads anything heavy
    import numpy as np
    from numpy.typing import NDArray

SAMPLE_RATE_HZ = 16_000  # of every `sound`; readers resample and mix down
WHOLE = Span()  # of a file that is one segment
PAGE_CHARACTERS = 1_500  # of the words that go with a page's picture; omnia-mini reads 256 tokens of them
_NO_CHARACTER = re.compile("[\0\ud800-\udfff]")


class Modality(StrEnum):
    """What a model must be able to take in: batches hold one modality only."""

    WORDS = "words"
    PIXELS = "pixels"
    SOUND = "sound"


class Role(StrEnum):
    """On which side of a search a segment stands; some models embed the two differently."""

    QUERY = "query"
    DOCUMENT = "document"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Segment:
    """One part of a content, decoded and ready to embed.

    Exactly one of text, pixels, sound is given, except that a page of a document has both its pixels and its text.

    Args:
        text: a passage, a transcript or a caption, not empty. With `pixels`: what stands on that page, at most
            PAGE_CHARACTERS, for a model that reads a page by both; its passages follow as segments of their own, and
            only those put the words on record.
        pixels: (T, H, W, 3) uint8 RGB; T = 1 for an image or a page, the sampled frames for a shot.
        sound: (samples,) float32 in [-1, 1], mono, at SAMPLE_RATE_HZ.
        language: ISO 639-1 code of `text` where it is known.
    """

    kind: Kind
    evidence: Evidence
    span: Span = WHOLE
    text: str | None = None
    pixels: NDArray[np.uint8] | None = None
    sound: NDArray[np.float32] | None = None
    language: str | None = None

    @property
    def modality(self) -> Modality:
        """What it is to a model; a page with its words is pixels."""
        if self.pixels is not None:
            return Modality.PIXELS
        return Modality.WORDS if self.text is not None else Modality.SOUND

    @property
    def size_bytes(self) -> int:
        """What its pixels, its sound or its text take in memory, about."""
        return sum(array.nbytes for array in (self.pixels, self.sound) if array is not None) + len(self.text or "")


def whole_characters(text: str) -> str:
    """The text with a replacement character for NUL and halves of characters, which neither models nor stores take.

    It stays as long as it was, so that spans keep counting.
    """
    return _NO_CHARACTER.sub("\ufffd", text)


def words(text: str) -> Segment:
    """A typed question as a segment, made in memory."""
    return Segment(kind=Kind.TEXT, evidence=Evidence.WRITTEN, text=whole_characters(text))
