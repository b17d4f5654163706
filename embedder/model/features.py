"""Features: what the frozen towers say of one medium, kept small, and many of them as one batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from embedder.model.projector import FRAMES, Reading
from embedder.prior import PICTURE_TOP, SOUND_TOP, keep_top, picture_odds, prior, sound_odds
from embedder.towers.sounds import Hearing, SoundsTower
from embedder.towers.vision import Looks, VisionTower

Vectors = NDArray[np.float32]
Halves = NDArray[np.float16]


@dataclass(frozen=True, slots=True)
class Features:
    """One medium.

    Args:
        odds: (C,) weight of each class.
        frames: (F, E) features over time, 1 <= F <= FRAMES.
        places: (P, E).
        detail: (D,) of the pictures of a shot the mean; D = 0 for sounds.
        prior: (384,) the training-free vector, of unit norm.
    """

    odds: Halves
    frames: Halves
    places: Halves
    detail: Halves
    prior: Vectors


def seen(tower: VisionTower, shots: Sequence[NDArray[np.uint8]], table: Vectors) -> list[Features]:
    """Pictures and shots (T, H, W, 3); `table` (1000, 384) are the vectors of the classes."""
    looks = tower.look([frame for shot in shots for frame in shot])
    ends = np.cumsum([len(shot) for shot in shots])[:-1]
    parts = zip(*(np.split(found, ends) for found in (looks.logits, looks.grid, looks.detail)), strict=True)
    return [from_looks(Looks(*part), table) for part in parts]


def from_looks(looks: Looks, table: Vectors) -> Features:
    """The frames of one picture or shot."""
    odds = picture_odds(looks.logits)  # (T, 1000)
    vector = keep_top(odds, PICTURE_TOP).mean(axis=0) @ table
    detail = looks.detail.mean(axis=0)
    return _features(odds.mean(axis=0), looks.grid.mean(axis=1), looks.grid.mean(axis=0), detail, vector)


def heard(tower: SoundsTower, sound: Vectors, table: Vectors) -> Features:
    """One recording (samples,) at 16 kHz; `table` (521, 384) are the vectors of the classes."""
    return from_hearing(tower.listen(sound), table)


def from_hearing(hearing: Hearing, table: Vectors) -> Features:
    """The patches of one recording."""
    odds = sound_odds(hearing.logits)  # (521,)
    loudest = hearing.features.max(axis=0, keepdims=True)  # (1, 1024)
    nothing = np.empty(0, np.float32)
    return _features(odds, hearing.features, loudest, nothing, prior(odds[None], table, top=SOUND_TOP)[0])


def collate(batch: Sequence[Features], device: torch.device | str = "cpu") -> Reading:
    """B media of one tower as one batch; those with fewer frames than others are padded."""
    most = max(len(each.frames) for each in batch)
    frames = np.zeros((len(batch), most, batch[0].frames.shape[1]), np.float16)
    mask = np.zeros((len(batch), most), np.int64)
    for row, each in enumerate(batch):
        frames[row, : len(each.frames)] = each.frames
        mask[row, : len(each.frames)] = 1
    return Reading(
        odds=_tensor(np.stack([each.odds for each in batch]), device),
        frames=_tensor(frames, device),
        frame_mask=torch.from_numpy(mask).to(device),
        places=_tensor(np.stack([each.places for each in batch]), device),
        detail=_tensor(np.stack([each.detail for each in batch]), device),
        prior=_tensor(np.stack([each.prior for each in batch]), device),
    )


def _features(odds: Vectors, frames: Vectors, places: Vectors, detail: Vectors, vector: Vectors) -> Features:
    if len(frames) > FRAMES:
        frames = np.stack([part.mean(axis=0) for part in np.array_split(frames, FRAMES)])
    unit = vector / np.linalg.norm(vector)
    halves = [array.astype(np.float16) for array in (odds, frames, places, detail)]
    return Features(halves[0], halves[1], halves[2], halves[3], unit.astype(np.float32))


def _tensor(array: NDArray[np.floating], device: torch.device | str) -> torch.Tensor:
    return torch.from_numpy(array).to(device).float()
