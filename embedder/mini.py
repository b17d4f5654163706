"""omnia-mini: the fused omni-modal model behind the face; words, pictures, pages, sounds through one backbone."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from data.errors import ModelMismatchError
from embedder.device import Device
from embedder.glosses import read_tables
from embedder.model import checkpoint
from embedder.model.backbone import DIM
from embedder.model.features import Features, collate, heard, seen
from embedder.model.omni import OmniModel, Tower
from embedder.rows import MODELS
from embedder.segment import Modality, Role, Segment
from embedder.towers.sounds import SoundsTower
from embedder.towers.vision import VisionTower
from embedder.towers.words import WordsTower, padded, read_tokenizer

Vectors = NDArray[np.float32]

NAME = "omnia-mini"
CHECKPOINT = Path(__file__).parent / "checkpoints" / NAME
GOLDENS_FILE = "goldens.safetensors"
_NO_WORDS = 2  # tokens of an empty text: [CLS] and [SEP]


def load_mini(device: Device) -> OmniaMini:
    """The checkpoint that comes with the product, on a device.

    Raises:
        ModelMismatchError: it, or what it stands on, is missing, damaged or of another version, or it is not the one
            that the table names.
    """
    there, named = checkpoint.read_manifest(CHECKPOINT).fingerprint, MODELS[NAME].fingerprint
    if there != named:
        raise ModelMismatchError(
            f"the checkpoint in {str(CHECKPOINT)!r} is {there}, and embedder/rows.py names {named}: write {there!r} "
            "there, or restore the folder by git checkout"
        )
    return OmniaMini(checkpoint.load(CHECKPOINT), device, goldens=CHECKPOINT / GOLDENS_FILE)


class OmniaMini:
    """A trained OmniModel with its towers, each loaded when it is first needed.

    Args:
        goldens: file of the vectors that it must make of golden inputs; None while there is none yet.

    Raises:
        ModelMismatchError: the file is missing, damaged or lacks a modality.
    """

    def __init__(self, model: OmniModel, device: Device, *, goldens: Path | None = None) -> None:
        self._device = device
        self._model = model.to(device.name).eval()
        self._tables = read_tables()
        self._goldens = {} if goldens is None else _read_goldens(goldens)

    def encode(self, segments: Sequence[Segment], role: Role) -> Vectors:
        """Segments of one modality to vectors (N, 384); queries and documents are treated alike."""
        modality = segments[0].modality
        if modality is Modality.WORDS:
            words = self._words.encode([cast(str, segment.text) for segment in segments])  # (N, 384)
            return cast(Vectors, words @ self._model.rotation.cpu().numpy())
        if modality is Modality.PIXELS:
            return self._pictures(segments)
        sounds = [cast(Vectors, segment.sound) for segment in segments]
        return self._media(Tower.SOUND, [heard(self._sounds, sound, self._tables.audioset) for sound in sounds])

    def reads(self, text: str) -> bool:
        return self._words.reads(text)

    def golden(self, modality: Modality) -> Vectors | None:
        found = self._goldens.get(modality)
        return None if found is None else found.astype(np.float32)

    def _pictures(self, segments: Sequence[Segment]) -> Vectors:
        """Pictures, shots and pages to (N, 384), a page together with its words.

        What has words and what has none go in two batches: an empty text is still two tokens, and would change the
        vector of a picture by the company it is in.
        """
        shots = [cast("NDArray[np.uint8]", segment.pixels) for segment in segments]
        features = seen(self._vision, shots, self._tables.imagenet)
        said = [encoded.ids for encoded in self._tokenizer.encode_batch([segment.text or "" for segment in segments])]
        bare = [place for place, ids in enumerate(said) if len(ids) <= _NO_WORDS]
        pages = [place for place, ids in enumerate(said) if len(ids) > _NO_WORDS]
        vectors = np.empty((len(segments), DIM), np.float32)
        if bare:
            vectors[bare] = self._media(Tower.VISION, [features[place] for place in bare])
        if pages:
            words = [said[place] for place in pages]
            vectors[pages] = self._media(Tower.VISION, [features[place] for place in pages], words=words)
        return vectors

    @torch.inference_mode()
    def _media(
        self, tower: Tower, features: list[Features], *, words: Sequence[Sequence[int]] | None = None
    ) -> Vectors:
        """Media, each of them with the token ids of its words or none of them with any, to (N, 384)."""
        reading = collate(features, self._device.name)
        said = None
        if words is not None:
            ids, mask = padded(words)  # (B, W)
            said = ids.to(self._device.name), mask.to(self._device.name)
        with torch.autocast(torch.device(self._device.name).type, torch.bfloat16, enabled=self._device.bf16):
            vectors = self._model.media(tower, reading, words=said)
        return cast(Vectors, vectors.float().cpu().numpy())

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        return read_tokenizer()

    @cached_property
    def _words(self) -> WordsTower:
        return WordsTower(self._device.name, bf16=self._device.bf16, backbone=self._model.backbone)

    @cached_property
    def _vision(self) -> VisionTower:
        return VisionTower(self._device.name, bf16=self._device.bf16)

    @cached_property
    def _sounds(self) -> SoundsTower:
        return SoundsTower(self._device.name)


def _read_goldens(path: Path) -> dict[Modality, NDArray[np.float16]]:
    try:
        stored = load_file(path)
        return {modality: stored[modality.value] for modality in Modality}
    except (OSError, SafetensorError, KeyError) as error:
        raise ModelMismatchError(
            f"golden vectors unreadable: {str(path)!r}: {error}; restore its folder by git checkout, or reinstall Omnia"
        ) from error
