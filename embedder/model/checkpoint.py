"""Checkpoints: projectors and backbone as fp16 safetensors, beside them what they were made by and stand on.

A checkpoint is a folder: `weights.safetensors` and, written last, `manifest.json`. What comes pinned with packages
(towers, tokenizer, the table of word embeddings, which no stage trains) is not stored again but named by its hash.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from data.errors import ModelMismatchError, StoreUnavailableError
from embedder.glosses import audioset_names, read_imagenet
from embedder.model.backbone import DIM, WEIGHTS, Backbone, read_backbone
from embedder.model.omni import WIDTHS, OmniModel, Tower
from embedder.model.projector import Projector
from embedder.towers import sounds, vision
from embedder.towers.words import read_tokenizer
from embedder.weights import sha256_of

StateDict = dict[str, Tensor]

WEIGHTS_FILE, MANIFEST_FILE = "weights.safetensors", "manifest.json"
TABLE = "backbone.tokens.weight"  # frozen in every stage, so never stored
FORMAT = 2  # raised when the network has other tensors


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a checkpoint is.

    Args:
        name: of the model or the stage.
        sha256: of its weights file.
        recipe: how it was made, settings and seed.
        numbers: what it reached.
    """

    name: str
    sha256: str
    recipe: Mapping[str, Any] = field(default_factory=dict)
    numbers: Mapping[str, Any] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """Identity of the model: its name and the beginning of its weights' hash."""
        return f"{self.name}-{self.sha256[:12]}"


def towers() -> dict[str, str]:
    """SHA-256 of the frozen networks that a checkpoint stands on."""
    return {"backbone": WEIGHTS[1], Tower.VISION: vision.SHA256, Tower.SOUND: sounds.SHA256}


def base_model() -> OmniModel:
    """The model before any training: the untouched MiniLM, and projectors that begin at the classes' words."""
    backbone = read_backbone()
    names = [entry.names for entry in read_imagenet()]
    torch.manual_seed(0)
    return _assembled(backbone, _means(names, backbone), _means(audioset_names(), backbone))


def state_of(model: OmniModel) -> StateDict:
    """Every trained tensor, detached."""
    return {name: tensor.detach() for name, tensor in model.state_dict().items() if name != TABLE}


def set_state(model: OmniModel, state: StateDict) -> OmniModel:
    """The same model with these tensors; each must be there.

    Raises:
        ModelMismatchError: names or shapes differ.
    """
    wanted = state_of(model)
    if wrong := sorted(set(wanted) ^ set(state)):
        raise ModelMismatchError(f"weights do not fit this version: tensor {wrong[0]!r} is missing or unknown")
    for name, tensor in state.items():
        if tensor.shape != wanted[name].shape:
            shapes = f"{tuple(tensor.shape)}, not {tuple(wanted[name].shape)}"
            raise ModelMismatchError(f"weights do not fit this version: tensor {name!r} has shape {shapes}")
    model.load_state_dict({name: tensor.float() for name, tensor in state.items()}, strict=False)
    return model


def save(folder: Path, model: OmniModel, *, name: str, recipe: Mapping[str, Any], numbers: Mapping[str, Any]) -> None:
    """Write a checkpoint; an older one there stays whole until the new one is.

    Raises:
        ModelMismatchError: a number of it is not finite, as it is or in half precision.
        StoreUnavailableError: it cannot be written.
    """
    state = {key: tensor.half().contiguous() for key, tensor in state_of(model).items()}
    if wrong := sorted(key for key, tensor in state.items() if not tensor.isfinite().all()):
        raise ModelMismatchError(f"{name} is not kept: tensor {wrong[0]!r} holds numbers that are not finite")
    with written(folder / WEIGHTS_FILE) as partial:
        save_file(state, partial)
        partial.chmod(0o644)
        manifest = {
            "format": FORMAT,
            "name": name,
            "sha256": sha256_of(partial),
            "widths": WIDTHS,
            "towers": towers(),
            "recipe": recipe,
            "numbers": numbers,
        }
        (folder / MANIFEST_FILE).unlink(missing_ok=True)
    with written(folder / MANIFEST_FILE) as partial:
        partial.write_text(json.dumps(manifest, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


@contextmanager
def written(path: Path) -> Iterator[Path]:
    """A file beside `path` to write to, which takes its place when that went well and leaves nothing otherwise.

    Raises:
        StoreUnavailableError: it cannot be written.
    """
    partial = path.with_name(f"{path.name}.part")
    try:
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            yield partial
            partial.replace(path)
    except BaseException:
        with suppress(OSError):
            partial.unlink()
        raise


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """What goes wrong while a file is written becomes one line: a full disk is any of three errors.

    Raises:
        StoreUnavailableError: it cannot be written.
    """
    try:
        yield
    except (OSError, RuntimeError, SafetensorError) as error:
        said = " ".join(str(error).split())[:200]
        raise StoreUnavailableError(
            f"{str(path)!r} cannot be written: {said}; free some room there and run it again"
        ) from error


def read_manifest(folder: Path) -> Manifest:
    """What the checkpoint in a folder is; cheap, no weights are read.

    Raises:
        ModelMismatchError: there is none, or it is of another format or stands on other towers than this version has.
    """
    try:
        found = json.loads((folder / MANIFEST_FILE).read_text(encoding="utf-8"))
        manifest = Manifest(
            name=found["name"], sha256=found["sha256"], recipe=found["recipe"], numbers=found["numbers"]
        )
        if found["format"] != FORMAT:
            raise ModelMismatchError(f"checkpoint {str(folder)!r} is of another version: remove it, and train it anew")
        if found["towers"] != towers():
            raise ModelMismatchError(f"checkpoint {str(folder)!r} stands on other towers: remove it, and train it anew")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelMismatchError(
            f"no checkpoint in {str(folder)!r}: {error}; train one, or restore the file"
        ) from error
    return manifest


def load(folder: Path) -> OmniModel:
    """The model of a checkpoint, verified, in fp32 on the CPU.

    Raises:
        ModelMismatchError: missing, damaged, or of another version.
    """
    manifest = read_manifest(folder)
    path = folder / WEIGHTS_FILE
    try:
        if sha256_of(path) != manifest.sha256:
            raise ModelMismatchError(f"weights changed: {str(path)!r} is not what its manifest says; restore the file")
        state = load_file(path)
    except (OSError, SafetensorError) as error:
        raise ModelMismatchError(f"weights unreadable: {str(path)!r}: {error}; restore the file") from error
    empty = _assembled(read_backbone(), torch.zeros(vision.CLASSES, DIM), torch.zeros(sounds.CLASSES, DIM))
    return set_state(empty, state).eval()


def _assembled(backbone: Backbone, picture_words: Tensor, sound_words: Tensor) -> OmniModel:
    """Class words (1000, 384) and (521, 384) and a backbone as one model."""
    scale = float(backbone.tokens.weight.detach().std())
    return OmniModel(
        backbone,
        Projector(picture_words, features=vision.FEATURES, places=vision.PLACES, detail=vision.DETAIL, scale=scale),
        Projector(sound_words, features=sounds.FEATURES, places=1, detail=0, scale=scale),
    )


def _means(names: list[str], backbone: Backbone) -> Tensor:
    """Mean word embedding of each name, (N, 384)."""
    table = backbone.tokens.weight.detach()
    encoded = read_tokenizer().encode_batch(names, add_special_tokens=False)
    return torch.stack([table[each.ids].mean(dim=0) for each in encoded])
