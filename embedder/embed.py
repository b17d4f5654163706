"""Embedder: the public face of every model; media segments in, unit vectors out."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from data.errors import BadSettingsError, EmbeddingFailedError, OmniaError
from embedder.segment import Modality, Role, Segment

log = logging.getLogger(__name__)
Vectors = NDArray[np.float32]


class Model(Protocol):
    """What an implementation offers: vectors (N, D) for N segments of one modality, in their order."""

    def encode(self, segments: Sequence[Segment], role: Role) -> Vectors: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRow:
    """A model is a table row; reading it imports nothing heavy.

    Args:
        fingerprint: model and preprocessing identity; vectors of two fingerprints never meet.
        dim: width of its vectors.
        load: device to the loaded model, weights verified.
    """

    name: str
    fingerprint: str
    dim: int
    licence: str
    load: Callable[[str], Model]


def _load_zero(device: str) -> Model:
    from embedder.zero import ZeroModel

    return ZeroModel(device)


MODELS = (
    ModelRow(
        name="omnia-zero",
        fingerprint="omnia-zero-1",
        dim=384,
        licence="Apache-2.0 (MiniLM, EfficientNet-Lite2, YAMNet)",
        load=_load_zero,
    ),
)


def model_row(name: str) -> ModelRow:
    """The row of a model.

    Raises:
        BadSettingsError: no model has this name.
    """
    for row in MODELS:
        if row.name == name:
            return row
    raise BadSettingsError(f"no model is called {name!r}; there is: {', '.join(row.name for row in MODELS)}")


def load_embedder(name: str, *, device: str = "auto") -> Embedder:
    """Load a model with its weights verified.

    Raises:
        BadSettingsError: unknown model, or a device that is not there.
        ModelMismatchError: weights are missing or not the pinned ones, or the self-test fails.
    """
    row = model_row(name)
    chosen = pick_device(device)
    return Embedder(row, row.load(chosen), device=chosen)


def pick_device(device: str) -> str:
    """"auto" to the best device there is: cuda, then mps, then cpu.

    Raises:
        BadSettingsError: the device is not there.
    """
    import torch

    if device == "auto":
        if torch.cuda.is_available():
            return "cuda"
        return "mps" if torch.backends.mps.is_available() else "cpu"
    kind, _, number = device.partition(":")
    is_there = {
        "cpu": not number,
        "cuda": (not number or number.isdecimal()) and int(number or 0) < torch.cuda.device_count(),
        "mps": torch.backends.mps.is_available(),
    }
    if not is_there.get(kind, False):
        raise BadSettingsError(f"device {device!r} is not there; use auto, cpu, cuda, cuda:N or mps")
    return device


class Embedder:
    """A loaded model; safe to use from several threads.

    Args:
        calls: how many batches were sent to the model.
    """

    def __init__(self, row: ModelRow, model: Model, *, device: str) -> None:
        self.row = row
        self.device = device
        self.calls = 0
        self._model = model
        self._lock = threading.Lock()

    def embed(self, segments: Sequence[Segment], role: Role = Role.DOCUMENT) -> Vectors:
        """Segments of any modalities to vectors (N, D), float32, of unit norm, in their order.

        Raises:
            EmbeddingFailedError: one segment cannot be embedded; the error names it.
        """
        vectors = np.empty((len(segments), self.row.dim), np.float32)
        for modality in Modality:
            mine = [index for index, segment in enumerate(segments) if segment.modality is modality]
            if mine:
                with self._lock:
                    vectors[mine] = self._encode(segments, mine, role)
        return vectors

    def _encode(self, segments: Sequence[Segment], mine: list[int], role: Role) -> Vectors:
        """A batch; halved when memory runs out, one by one when it fails otherwise."""
        self.calls += 1
        try:
            vectors = self._model.encode([segments[index] for index in mine], role)
            norms = np.linalg.norm(vectors, axis=1, keepdims=True)
            if np.isfinite(vectors).all() and (norms > 1e-6).all():
                return vectors / norms
            error: Exception = OmniaError("the model gave no usable vector")
        except Exception as caught:
            error = caught
        if len(mine) == 1:
            raise EmbeddingFailedError(mine[0], str(error)) from error
        is_out_of_memory = isinstance(error, MemoryError) or "OutOfMemory" in type(error).__name__
        size = (len(mine) + 1) // 2 if is_out_of_memory else 1
        log.warning("a batch of %d failed (%s); trying %d at a time", len(mine), error, size)
        chunks = [mine[start : start + size] for start in range(0, len(mine), size)]
        return np.concatenate([self._encode(segments, chunk, role) for chunk in chunks])
