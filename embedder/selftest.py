"""The self-test: fixed inputs that every model must embed as it did when its goldens were stored."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from data.errors import ModelMismatchError
from data.records import Evidence, Kind
from embedder.segment import SAMPLE_RATE_HZ, Modality, Segment, words

AGREEMENT = 0.98  # cosine to the golden; bf16 and other processors stay above 0.99
COLLAPSE = 0.999  # cosine of different inputs
_SENTENCES = ("a dog runs along the beach", "the invoice is due in March", "heavy rain falls on a tin roof")
_SIDE_PX = 128


def golden_segments(modality: Modality) -> list[Segment]:
    """The three fixed inputs of a modality, made without random numbers."""
    if modality is Modality.WORDS:
        return [words(sentence) for sentence in _SENTENCES]
    if modality is Modality.PIXELS:
        return [
            Segment(kind=Kind.IMAGE, evidence=Evidence.SEEN, pixels=picture[None])
            for picture in (_disc(), _bricks(), _dunes())
        ]
    return [Segment(kind=Kind.AUDIO, evidence=Evidence.HEARD, sound=sound) for sound in (_tone(), _clicks(), _sweep())]


def refuse_wrong_vectors(
    vectors: NDArray[np.float32], expected: NDArray[np.float32] | None, *, dim: int, what: str
) -> None:
    """Check what a model made of golden inputs.

    Args:
        vectors: (G, dim) for G different inputs.
        expected: what was stored for them, or None.
        what: the model and the modality, for the error.

    Raises:
        ModelMismatchError: wrong shape, not finite, all alike, or too far from what is expected.
    """
    advice = "try --device cpu, or reinstall the weights"
    if vectors.ndim != 2 or vectors.shape[1] != dim:
        raise ModelMismatchError(f"self-test of {what}: vectors of shape {vectors.shape}, not (…, {dim}); {advice}")
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)  # (G, 1)
    if not (np.isfinite(norms).all() and norms.all()):
        raise ModelMismatchError(f"self-test of {what}: vectors are not finite, or zero; {advice}")
    unit = vectors / norms  # (G, dim)
    alike = (unit @ unit.T)[np.triu_indices(len(unit), 1)]  # (pairs,)
    if alike.size and alike.max() > COLLAPSE:
        raise ModelMismatchError(f"self-test of {what}: different inputs get the same vector; {advice}")
    if expected is not None:
        wanted = expected / np.linalg.norm(expected, axis=1, keepdims=True)
        worst = float((unit * wanted).sum(1).min())
        if not worst >= AGREEMENT:
            raise ModelMismatchError(
                f"self-test of {what}: cosine to the golden vectors {worst:.3f}, below {AGREEMENT}; {advice}"
            )


def _grid() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    y, x = np.mgrid[:_SIDE_PX, :_SIDE_PX] / _SIDE_PX
    return y, x


def _picture(red: NDArray[np.float64], green: NDArray[np.float64], blue: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Three planes (H, W) in [0, 1] to (H, W, 3) uint8."""
    return (np.stack([red, green, blue], axis=-1).clip(0, 1) * 255).round().astype(np.uint8)


def _disc() -> NDArray[np.uint8]:
    """An orange ball on white."""
    y, x = _grid()
    inside = (y - 0.5) ** 2 + (x - 0.5) ** 2 < 0.12
    light = 1 - 0.8 * ((y - 0.4) ** 2 + (x - 0.4) ** 2)
    return _picture(np.where(inside, light, 1), np.where(inside, 0.55 * light, 1), np.where(inside, 0.1, 1))


def _bricks() -> NDArray[np.uint8]:
    """A red wall with pale joints."""
    y, x = _grid()
    row = np.floor(y * 8)
    joint = ((y * 8) % 1 < 0.15) | ((x * 4 + row / 2) % 1 < 0.08)
    return _picture(np.where(joint, 0.8, 0.65), np.where(joint, 0.78, 0.25), np.where(joint, 0.75, 0.2))


def _dunes() -> NDArray[np.uint8]:
    """Blue above, rippled yellow below."""
    y, x = _grid()
    sand = y > 0.5 + 0.06 * np.sin(x * 7)
    ripple = 0.1 * np.sin(y * 90 + x * 9)
    return _picture(np.where(sand, 0.85 + ripple, 0.4), np.where(sand, 0.7 + ripple, 0.65), np.where(sand, 0.45, 0.95))


def _seconds() -> NDArray[np.float64]:
    return np.arange(int(1.5 * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ


def _tone() -> NDArray[np.float32]:
    """A steady chord."""
    t = _seconds()
    voices = np.sin(2 * np.pi * np.outer((440.0, 554.4, 659.3), t))  # (3, samples)
    chord: NDArray[np.float32] = (0.2 * voices.sum(axis=0)).astype(np.float32)
    return chord


def _clicks() -> NDArray[np.float32]:
    """Eight short knocks a second."""
    t = _seconds() % 0.125
    return (0.8 * np.exp(-t * 120) * np.sin(2 * np.pi * 900 * t)).astype(np.float32)


def _sweep() -> NDArray[np.float32]:
    """A siren between 600 and 1400 Hz."""
    t = _seconds()
    return (0.5 * np.sin(2 * np.pi * 1000 * t - 127.3 * np.cos(2 * np.pi * t * 0.5))).astype(np.float32)
