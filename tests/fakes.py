"""Fakes whose answers can be worked out by hand: a model of eight words and a reader without ffmpeg."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from app.once import Once
from app.wiring import Library
from data.catalogue import Outcome
from data.errors import BadSettingsError, UnreadableMediaError
from data.records import Evidence, FileState, Kind, SegmentRecord, Span, segment_id
from data.settings import Settings
from data.vectors import Vectors
from embedder.rows import ModelRow
from embedder.segment import Role, Segment

AXES = ("dog", "beach", "night", "rain", "music", "city", "page", "other")
_COLOURS = ("dog", "beach", "night")  # a picture shows a dog where it is red, a beach where green, ...


class FakeEmbedder:
    """Each axis is a word: a text counts its words, a picture its red, green and blue, a sound is music.

    "dog dog beach" → (2, 1, 0, ...) / √5. Words that are on no axis count as "other".
    """

    def __init__(self, fingerprint: str = "fake-1") -> None:
        self.row = ModelRow(name=fingerprint, fingerprint=fingerprint, dim=len(AXES), licence="none", loader="")
        self.calls: list[int] = []

    def embed(self, segments: Sequence[Segment], role: Role = Role.DOCUMENT) -> Vectors:
        assert len({segment.modality for segment in segments}) == 1, "batches hold one modality"
        if not self.row.takes(segments[0].modality):
            raise BadSettingsError(f"{self.row.lacks([segments[0].modality])}; choose another model")
        self.calls.append(len(segments))
        vectors = np.stack([self._one(segment) for segment in segments])
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)

    def reads(self, text: str) -> bool:
        return any(char.isascii() and char.isalnum() for char in text)

    def _one(self, segment: Segment) -> Vectors:
        vector = np.zeros(len(AXES), np.float32)
        if segment.pixels is not None:
            for axis, amount in zip(_COLOURS, segment.pixels.mean(axis=(0, 1, 2)), strict=True):
                vector[AXES.index(axis)] = amount
        elif segment.text is not None:
            segment.text.encode()  # which fails, as tokenizers do, where half a character is left
            for word in segment.text.lower().split():
                vector[AXES.index(word) if word in AXES else -1] += 1
        else:
            vector[AXES.index("music")] = 1
        return vector


@dataclass
class FakeReaders:
    """Reads .txt (a segment a line), .png (one picture) and .wav (one sound); draws grey previews."""

    reads: int = 0
    stills: int = 0

    def read(self, path: Path) -> Iterator[Segment]:
        self.reads += 1
        suffix = path.suffix.lower()
        if suffix == ".txt":
            for line in path.read_text().splitlines():
                yield Segment(kind=Kind.TEXT, evidence=Evidence.WRITTEN, text=line)
        elif suffix == ".png":
            pixels = np.asarray(Image.open(path).convert("RGB"))[None]
            yield Segment(kind=Kind.IMAGE, evidence=Evidence.SEEN, pixels=pixels)
        elif suffix == ".wav":
            sound = np.zeros(16_000, np.float32)
            yield Segment(kind=Kind.AUDIO, evidence=Evidence.HEARD, span=Span(start_s=0, end_s=1), sound=sound)
        else:
            raise UnreadableMediaError(path, "not a file this test reads", hint="give .txt, .png or .wav")

    def still(self, path: Path, span: Span, *, max_side: int) -> bytes:
        self.stills += 1
        picture = Image.new("RGB", (max_side, max_side * 5 // 8), "#8a8f98")
        ImageDraw.Draw(picture).text((20, 20), f"{path.name} {span.start_s} {span.page}", fill="white")
        file = io.BytesIO()
        picture.save(file, "JPEG")
        return file.getvalue()

    def close(self) -> None:
        return None


class Shelf:
    """A library filled by hand: real catalogue and real vectors in `home`, the fake model and the fake reader."""

    def __init__(self, home: Path) -> None:
        settings = Settings(home=home, catalogue_url=f"sqlite:///{home / 'catalogue.sqlite'}")
        self.model, self.readers = FakeEmbedder(), FakeReaders()
        self.library = Library(settings)
        self.library.row_of = lambda _: self.model.row
        self.library.load = lambda _: self.model
        self.library.readers = Once(lambda: self.readers)
        self.fingerprint = self.model.row.fingerprint

    def put(self, path: Path, segments: Sequence[Segment] = (), *, snippet: bool = True) -> str:
        """Index a file that exists, with what the fake reader finds or with these segments; gives its content."""
        found = list(segments) or list(self.readers.read(path))
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        records = [
            SegmentRecord(
                id=segment_id(content, self.fingerprint, number),
                content=content,
                number=number,
                kind=segment.kind,
                evidence=segment.evidence,
                span=segment.span,
                snippet=(segment.text or "") if snippet else "",
            )
            for number, segment in enumerate(found)
        ]
        vectors = np.concatenate([self.model.embed([segment]) for segment in found])
        self.library.store().upsert(records, vectors)
        lasts_s = max((segment.span.end_s or 0.0) for segment in found)
        self.record(path, found[0].kind, content, len(found), duration_s=lasts_s or None)
        return content

    def record(self, path: Path, kind: Kind, content: str, segments: int, *, duration_s: float | None = None) -> None:
        """Make the catalogue know a path."""
        catalogue = self.library.catalogue()
        run = catalogue.begin_run(str(path.parent), self.fingerprint)
        outcome = Outcome(
            path=str(path),
            size_bytes=path.stat().st_size,
            mtime_ns=path.stat().st_mtime_ns,
            state=FileState.INDEXED,
            kind=kind,
            content=content,
            segments=segments,
            duration_s=duration_s,
        )
        catalogue.record(run, self.fingerprint, [outcome])
        catalogue.finish_run(run, str(path.parent), sweep=False)

    def id_of(self, path: Path) -> int:
        return self.library.catalogue().files_at([str(path)])[0].id


def text(words: str, *, kind: Kind = Kind.TEXT, evidence: Evidence = Evidence.WRITTEN, **span: float) -> Segment:
    return Segment(kind=kind, evidence=evidence, text=words, span=Span(**span))
