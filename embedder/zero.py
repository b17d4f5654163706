"""omnia-zero: the training-free model. Pictures and sounds become the words of what frozen classifiers see in them.

Everything lies in MiniLM's 384-d space. A text is its MiniLM vector. A picture or a sound is the mean of its most
likely classes' text vectors, weighted by their probabilities ("ConSE", Norouzi et al. 2014, arXiv 1312.5650).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from embedder.device import Device
from embedder.glosses import TABLES, Tables, audioset_vectors, imagenet_vectors, read_tables, write_tables
from embedder.prior import PICTURE_TOP, SOUND_TOP, keep_top, picture_odds, prior, sound_odds
from embedder.segment import Modality, Role, Segment
from embedder.selftest import golden_segments
from embedder.towers.sounds import SoundsTower
from embedder.towers.vision import VisionTower
from embedder.towers.words import WordsTower

Vectors = NDArray[np.float32]


def load_zero(device: Device) -> OmniaZero:
    """omnia-zero on a device; each tower is loaded, and its weights verified, when it is first needed."""
    return OmniaZero(device, read_tables())


class OmniaZero:
    """The three towers over one table of class vectors."""

    def __init__(self, device: Device, tables: Tables) -> None:
        self._device = device
        self._tables = tables

    def encode(self, segments: Sequence[Segment], role: Role) -> Vectors:
        """Segments of one modality to vectors (N, 384); queries and documents are treated alike."""
        modality = segments[0].modality
        if modality is Modality.WORDS:
            return self._words.encode([cast(str, segment.text) for segment in segments])
        if modality is Modality.PIXELS:
            return self._pictures([cast("NDArray[np.uint8]", segment.pixels) for segment in segments])
        return np.stack([self._sound(cast(Vectors, segment.sound)) for segment in segments])

    def reads(self, text: str) -> bool:
        return self._words.reads(text)

    def golden(self, modality: Modality) -> Vectors | None:
        return self._tables.goldens.get(modality)

    def _pictures(self, pictures: Sequence[NDArray[np.uint8]]) -> Vectors:
        """Pictures (T, H, W, 3) to (N, 384): the classes of all frames of a picture are averaged."""
        frames = [frame for picture in pictures for frame in picture]
        odds = keep_top(picture_odds(self._vision.logits(frames)), PICTURE_TOP)  # (F, 1000)
        ends = np.cumsum([len(picture) for picture in pictures])[:-1]
        means = np.stack([part.mean(axis=0) for part in np.split(odds, ends)])  # (N, 1000)
        return cast(Vectors, means @ self._tables.imagenet)

    def _sound(self, sound: Vectors) -> Vectors:
        """One sound (samples,) to (384,)."""
        odds = sound_odds(self._sounds.logits(sound))  # (521,)
        return cast(Vectors, prior(odds[None], self._tables.audioset, top=SOUND_TOP)[0])

    @cached_property
    def _words(self) -> WordsTower:
        return WordsTower(self._device.name, bf16=self._device.bf16)

    @cached_property
    def _vision(self) -> VisionTower:
        return VisionTower(self._device.name, bf16=self._device.bf16)

    @cached_property
    def _sounds(self) -> SoundsTower:
        return SoundsTower(self._device.name)


def build_tables(path: Path = TABLES) -> Path:
    """Embed the classes' words anew and store them, with the goldens that follow from them."""
    device = Device("cpu", bf16=False)
    words = WordsTower(device.name)
    tables = Tables(imagenet_vectors(words), audioset_vectors(words), {})
    model = OmniaZero(device, tables)
    goldens = {modality: model.encode(golden_segments(modality), Role.DOCUMENT) for modality in Modality}
    write_tables(Tables(tables.imagenet, tables.audioset, goldens), path)
    return path
