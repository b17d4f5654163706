"""omnia-mini: the fused omni-modal model behind the face; words, pictures and sounds through one backbone."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import load_file

from embedder.device import Device
from embedder.glosses import read_tables
from embedder.model import checkpoint
from embedder.model.features import Features, collate, heard, seen
from embedder.model.omni import OmniModel, Tower
from embedder.segment import Modality, Role, Segment
from embedder.towers.sounds import SoundsTower
from embedder.towers.vision import VisionTower
from embedder.towers.words import WordsTower

Vectors = NDArray[np.float32]

CHECKPOINT = Path(__file__).parent / "checkpoints" / "omnia-mini"
GOLDENS_FILE = "goldens.safetensors"


def load_mini(device: Device) -> OmniaMini:
    """The checkpoint that comes with the product, on a device.

    Raises:
        ModelMismatchError: it, or what it stands on, is missing, damaged or of another version.
    """
    return OmniaMini(checkpoint.load(CHECKPOINT), device, goldens=CHECKPOINT / GOLDENS_FILE)


class OmniaMini:
    """A trained OmniModel with its towers, each loaded when it is first needed."""

    def __init__(self, model: OmniModel, device: Device, *, goldens: Path | None = None) -> None:
        self._device = device
        self._model = model.to(device.name).eval()
        self._tables = read_tables()
        self._goldens = {} if goldens is None or not goldens.exists() else load_file(goldens)

    def encode(self, segments: Sequence[Segment], role: Role) -> Vectors:
        """Segments of one modality to vectors (N, 384); queries and documents are treated alike."""
        modality = segments[0].modality
        if modality is Modality.WORDS:
            words = self._words.encode([cast(str, segment.text) for segment in segments])  # (N, 384)
            return cast(Vectors, words @ self._model.rotation.cpu().numpy())
        if modality is Modality.PIXELS:
            shots = [cast("NDArray[np.uint8]", segment.pixels) for segment in segments]
            return self._media(Tower.VISION, seen(self._vision, shots, self._tables.imagenet))
        sounds = [cast(Vectors, segment.sound) for segment in segments]
        return self._media(Tower.SOUND, [heard(self._sounds, sound, self._tables.audioset) for sound in sounds])

    def golden(self, modality: Modality) -> Vectors | None:
        found = self._goldens.get(modality.value)
        return None if found is None else found.astype(np.float32)

    @torch.inference_mode()
    def _media(self, tower: Tower, features: list[Features]) -> Vectors:
        reading = collate(features, self._device.name)
        with torch.autocast(torch.device(self._device.name).type, torch.bfloat16, enabled=self._device.bf16):
            vectors = self._model.media(tower, reading)
        return cast(Vectors, vectors.float().cpu().numpy())

    @cached_property
    def _words(self) -> WordsTower:
        return WordsTower(self._device.name, bf16=self._device.bf16, backbone=self._model.backbone)

    @cached_property
    def _vision(self) -> VisionTower:
        return VisionTower(self._device.name, bf16=self._device.bf16)

    @cached_property
    def _sounds(self) -> SoundsTower:
        return SoundsTower(self._device.name)
