"""Embedder: the public face of every model, segments in, unit vectors out."""

from __future__ import annotations

import gc
import logging
import threading
from collections.abc import Callable, Collection, Sequence
from importlib import import_module
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from data.errors import BadSettingsError, EmbeddingFailedError, ModelMismatchError
from embedder.hub_rows import refuse_without_consent
from embedder.rows import ModelRow, model_row
from embedder.segment import Modality, Role, Segment
from embedder.selftest import golden_segments, refuse_wrong_vectors

log = logging.getLogger(__name__)

Vectors = NDArray[np.float32]


class Model(Protocol):
    """What an implementation offers; it need not be thread-safe and is told nothing of batching."""

    def encode(self, segments: Sequence[Segment], role: Role) -> Vectors:
        """Segments of ONE modality to vectors (N, dim), finite, of any length but zero."""

    def reads(self, text: str) -> bool:
        """Whether it knows any word of a text; of others all vectors are alike."""

    def golden(self, modality: Modality) -> Vectors | None:
        """What `encode` must give for `golden_segments(modality)`, (G, dim); None where nothing is stored."""


def load_embedder(
    name: str,
    *,
    device: str = "auto",
    modalities: Collection[Modality] | None = None,
    trust_remote_code: bool = False,
    accept_licence: bool = False,
) -> Embedder:
    """Load a model, its weights verified, and let it prove itself on golden inputs.

    Args:
        device: "auto", "cpu", "cuda", "cuda:N" or "mps".
        modalities: what to load and test now, all by default; the rest follows at its first use.
        trust_remote_code: run Python code that comes with a model's weights.
        accept_licence: use models whose licence is not commercial.

    Raises:
        BadSettingsError: the model or the device is unknown or absent, or needs a consent that was not given.
        ModelMismatchError: weights are missing or changed, or the self-test failed.
    """
    row = model_row(name)
    if row.hub is not None:
        refuse_without_consent(row.hub, trust_remote_code=trust_remote_code, accept_licence=accept_licence)
    from embedder.device import pick_device

    place = pick_device(device)
    module, _, function = row.loader.partition(":")
    load = cast("Callable[..., Model]", getattr(import_module(module), function))
    model = load(place) if row.hub is None else load(place, row.hub, trust_remote_code=trust_remote_code)
    embedder = Embedder(row, model, device=place.name, bf16=place.bf16)
    for modality in row.modalities if modalities is None else modalities:
        embedder.check(modality)
    gc.freeze()  # what is loaded by now stays: looking through it again and again stops every thread for 0.1 s
    return embedder


class Embedder:
    """One loaded model; safe to share between threads, which take turns.

    Args:
        device: where it computes, such as "cpu" or "cuda:0".
        bf16: whether it computes in bfloat16 there.
    """

    def __init__(self, row: ModelRow, model: Model, *, device: str, bf16: bool = False) -> None:
        self.row = row
        self.device = device
        self.bf16 = bf16
        self.calls = 0  # batches that were sent to the model; the self-test is not counted
        self._model = model
        self._lock = threading.RLock()
        self._checked: set[Modality] = set()
        self._batch_size = dict.fromkeys(Modality, row.batch_size)

    def embed(self, segments: Sequence[Segment], role: Role = Role.DOCUMENT) -> Vectors:
        """Vectors (N, dim) of unit norm, in the order of the segments, which may be of mixed modality.

        Raises:
            EmbeddingFailedError: one segment cannot be embedded; it carries that segment's index.
            BadSettingsError: the model does not take in such segments.
            ModelMismatchError: the model is broken: no segment is to blame.
        """
        vectors = np.empty((len(segments), self.row.dim), np.float32)
        places: dict[Modality, list[int]] = {}
        for index, segment in enumerate(segments):
            places.setdefault(segment.modality, []).append(index)
        with self._lock:
            for modality, mine in places.items():
                self.check(modality)
                done = 0
                while done < len(mine):
                    batch = mine[done : done + self._batch_size[modality]]
                    self._fill(vectors, segments, batch, role)
                    done += len(batch)
        return vectors

    def reads(self, text: str) -> bool:
        """Whether the model knows any word of a text; what it knows none of it cannot tell from others of that kind."""
        with self._lock:
            return self._model.reads(text)

    def check(self, modality: Modality) -> None:
        """Run the self-test of a modality, unless it has passed already.

        Raises:
            BadSettingsError: the model does not take in this modality.
            ModelMismatchError: its vectors are not what they must be.
        """
        if not self.row.takes(modality):
            raise BadSettingsError(f"{self.row.lacks([modality])}; choose another model")
        with self._lock:
            if modality in self._checked:
                return
            try:
                vectors = self._model.encode(golden_segments(modality), Role.DOCUMENT)
                expected = self._model.golden(modality)
            except ModelMismatchError:
                raise
            except Exception as error:
                raise ModelMismatchError(
                    f"model {self.row.name} fails its self-test on {modality} on {self.device}: {_line(error)}; "
                    "get its files again, or choose another model"
                ) from error
            refuse_wrong_vectors(vectors, expected, dim=self.row.dim, what=f"{self.row.name} on {modality}")
            self._checked.add(modality)

    def _fill(self, vectors: Vectors, segments: Sequence[Segment], places: list[int], role: Role) -> None:
        """Embed the segments at `places` into `vectors`; halve what is too big, single out what fails."""
        modality = segments[places[0]].modality
        try:
            vectors[places] = self._forward([segments[place] for place in places], role)
            return
        except ModelMismatchError:
            raise
        except Exception as error:  # whatever the model's libraries raise
            too_big = _is_out_of_memory(error)
            if len(places) == 1:
                if not too_big:
                    self._prove_again(modality)
                raise EmbeddingFailedError(places[0], _line(error)) from error
            log.warning("a batch of %d %s segments failed, splitting it: %s", len(places), modality, _line(error))
        step = (len(places) + 1) // 2 if too_big else 1
        if too_big:
            self._batch_size[modality] = min(self._batch_size[modality], step)
        for start in range(0, len(places), step):  # outside `except`, so that the failed batch's memory is free
            self._fill(vectors, segments, places[start : start + step], role)

    def _forward(self, segments: list[Segment], role: Role) -> Vectors:
        self.calls += 1
        found = self._model.encode(segments, role)  # (B, dim)
        if found.shape != (len(segments), self.row.dim):
            wanted = (len(segments), self.row.dim)
            raise ModelMismatchError(f"model {self.row.name} gave vectors of shape {found.shape}, not {wanted}")
        norms = np.linalg.norm(found, axis=1, keepdims=True)  # (B, 1)
        if not (np.isfinite(norms).all() and norms.all()):
            raise ArithmeticError("the model gave no finite vector")
        return cast(Vectors, (found / norms).astype(np.float32))

    def _prove_again(self, modality: Modality) -> None:
        """Before a segment is blamed: raise ModelMismatchError if the model itself has stopped working."""
        self._checked.discard(modality)
        self.check(modality)


def _is_out_of_memory(error: Exception) -> bool:
    """Memory errors of Python, CUDA, MPS and torch's CPU allocator, told apart without importing torch."""
    text = str(error).lower()
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and ("out of memory" in text or "can't allocate memory" in text)
    )


def _line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]
