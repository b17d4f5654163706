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
from embedder.segment import Modality, Role, Segment
from embedder.selftest import golden_segments
from embedder.towers.sounds import SoundsTower
from embedder.towers.vision import VisionTower
from embedder.towers.words import WordsTower

Vectors = NDArray[np.float32]

_PICTURE_TOP, _PICTURE_TEMPERATURE = 20, 2.0  # LOG.md has the grid
_SOUND_TOP = 10


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

    def golden(self, modality: Modality) -> Vectors | None:
        return self._tables.goldens.get(modality)

    def _pictures(self, pictures: Sequence[NDArray[np.uint8]]) -> Vectors:
        """Pictures (T, H, W, 3) to (N, 384): the classes of all frames of a picture are averaged."""
        frames = [frame for picture in pictures for frame in picture]
        logits = self._vision.logits(frames) / _PICTURE_TEMPERATURE  # (F, 1000)
        weights = np.exp(logits - logits.max(axis=1, keepdims=True))
        weights = keep_top(weights / weights.sum(axis=1, keepdims=True), _PICTURE_TOP)
        ends = np.cumsum([len(picture) for picture in pictures])[:-1]
        means = np.stack([part.mean(axis=0) for part in np.split(weights, ends)])  # (N, 1000)
        return cast(Vectors, means @ self._tables.imagenet)

    def _sound(self, sound: Vectors) -> Vectors:
        """One sound (samples,) to (384,): each class counts where it is heard best."""
        heard = self._sounds.logits(sound).max(axis=0)  # (521,)
        odds = 1 / (1 + np.exp(-heard[None].clip(-30)))  # sigmoid; never zero, so that silence has a vector too
        weights = keep_top(odds, _SOUND_TOP)  # (1, 521)
        return cast(Vectors, (weights @ self._tables.audioset)[0])

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


def keep_top(weights: Vectors, count: int) -> Vectors:
    """Each row's `count` largest weights (N, C), the others zero; every row then sums to one."""
    places = np.argpartition(-weights, count - 1, axis=1)[:, :count]
    kept = np.zeros_like(weights)
    np.put_along_axis(kept, places, np.take_along_axis(weights, places, axis=1), axis=1)
    return cast(Vectors, kept / kept.sum(axis=1, keepdims=True))
