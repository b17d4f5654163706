"""A folder as a model: identity, width and needs of saved weights, read without loading them."""

from __future__ import annotations

import codecs
import hashlib
import json
import os
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, cast

from data.errors import BadSettingsError, ModelMismatchError
from embedder.hub_rows import HubRow
from embedder.licence import Licence, stated_licence
from embedder.segment import Modality

_IDENTITY = {".json", ".jinja", ".txt", ".model", ".py"}  # with the weights, all that decides what vectors come out
_PICKLES = {".bin", ".pt", ".pth", ".ckpt", ".pkl"}
_LONGEST_SHOWN = 200  # characters of a path
_BLOCK_BYTES, _BLOCKS = 1 << 16, 256
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_THINGS = {"text": Modality.WORDS, "image": Modality.PIXELS, "audio": Modality.SOUND}


def folder_row(name: str) -> HubRow:
    """The row of a folder that sentence-transformers saved.

    Raises:
        BadSettingsError: there is no such folder, it holds no such model, or a file of it may not be read.
        ModelMismatchError: its weights are not safetensors, or a part of it is damaged.
    """
    try:
        return _row(name, Path(name).expanduser().absolute())
    except OSError as error:
        raise _unreadable(error, name) from error
    except RuntimeError:  # of `expanduser`
        raise BadSettingsError(f"--model {name}: it lies with a user who is not known; give its whole path") from None


def _row(name: str, folder: Path) -> HubRow:
    if not folder.is_dir():
        raise BadSettingsError(
            f"model {name}: there is no folder {str(folder)!r}; give its place with --model or OMNIA_MODEL"
        )
    if not (folder / "modules.json").is_file():
        raise BadSettingsError(
            f"--model {name}: the folder holds no modules.json; give one that SentenceTransformer.save_pretrained wrote"
        )
    refuse_pickles(folder)
    modules: list[dict[str, Any]] = _json(folder / "modules.json", list)
    if not modules or not all(isinstance(part, dict) and isinstance(part.get("path"), str) for part in modules):
        raise ModelMismatchError(f"{str(folder / 'modules.json')!r} names no modules; copy the model again")
    things = _things(folder, modules) & set(_THINGS)
    if not things:
        raise BadSettingsError(
            f"--model {name}: its sentence_bert_config.json names no text, image or audio that it takes in; correct it "
            "there, or choose another model"
        )
    licence = _licence(folder)
    return HubRow(
        name=name,
        revision=_digest(folder),
        parameters_m=0,
        dim=_width(folder, modules),
        licence=licence.name,
        commercial=licence.commercial,
        remote_code=_has_code(folder, modules),
        modalities=frozenset(_THINGS[thing] for thing in things),
        video="video" in _things(folder, modules),
        bare=_kind(modules[0]) == "StaticEmbedding",  # a table of words, which takes plain texts alone
        folder=str(folder),
    )


def refuse_pickles(folder: Path) -> None:
    """Only safetensors are loaded: a pickle can run whatever its author likes.

    Raises:
        BadSettingsError: a folder in it may not be looked into.
        ModelMismatchError: somewhere in the folder a pickle stands without safetensors beside it.
    """
    files = _files(folder)
    for path in files:
        if path.suffix in _PICKLES and not _is_replaced(path) and not _is_openvino(path):
            raise ModelMismatchError(
                f"weights {str(path)!r} are a pickle, which can run code; save the model as safetensors"
            )
    if not any(path.suffix == ".safetensors" for path in files):
        raise ModelMismatchError(f"{str(folder)!r} holds no *.safetensors weights; copy the whole model there")


def _files(folder: Path) -> list[Path]:
    """Every file in a folder and below, in order; a pipe is none.

    Raises:
        BadSettingsError: a folder may not be looked into, which would make its files seem not to be there.
    """

    def refuse(error: OSError) -> None:
        raise _unreadable(error, str(folder)) from error

    found = (Path(where, name) for where, _, names in os.walk(folder, onerror=refuse) for name in names)
    return sorted(path for path in found if path.is_file())


def _unreadable(error: OSError, name: str) -> BadSettingsError:
    at = os.fsdecode(error.filename or name)
    shown = at if len(at) <= _LONGEST_SHOWN else f"{at[:_LONGEST_SHOWN]}…"
    return BadSettingsError(
        f"model in a folder: {shown!r} cannot be read ({(error.strerror or str(error)).lower()}); "
        "allow reading it, or give another folder"
    )


def _is_replaced(path: Path) -> bool:
    """Whether safetensors beside a pickle are loaded instead: `pytorch_model.bin` gives way to one name alone."""
    return any(path.parent.glob("model.safetensors*" if path.name.startswith("pytorch_model") else "*.safetensors"))


def _is_openvino(path: Path) -> bool:
    """Plain numbers beside the .xml that describes them; by its name too, since `pytorch_model.bin` would be loaded."""
    return path.suffix == ".bin" and path.stem.startswith("openvino") and path.with_suffix(".xml").is_file()


def _digest(folder: Path) -> str:
    """SHA-256 (64 hex digits) of configuration, tokenizer and code, and of each weights' name, size and sample.

    Of weights above 16 MB, 256 blocks of 64 kB are hashed, the first (names and shapes) and the last among them: a
    training step changes all of them, and model_row must answer in milliseconds for gigabytes.
    """
    digest = hashlib.sha256()
    for path in _files(folder):
        inside = path.relative_to(folder)
        if any(part.startswith(".") for part in inside.parts):
            continue
        if path.suffix in _IDENTITY:
            digest.update(f"{inside.as_posix()}\0{path.stat().st_size}\0".encode())
            digest.update(path.read_bytes())
        elif path.suffix == ".safetensors":
            size = path.stat().st_size
            digest.update(f"{inside.as_posix()}\0{size}\0".encode())
            with path.open("rb") as file:
                for start in _starts(size):
                    file.seek(start)
                    digest.update(file.read(_BLOCK_BYTES))
    return digest.hexdigest()


def _starts(size: int) -> list[int]:
    """Where the blocks to hash begin: all of a small file, evenly spread ones of a large file."""
    if size <= _BLOCKS * _BLOCK_BYTES:
        return list(range(0, size, _BLOCK_BYTES))
    last = size - _BLOCK_BYTES
    return [last * number // (_BLOCKS - 1) for number in range(_BLOCKS)]


def _width(folder: Path, modules: list[dict[str, Any]]) -> int:
    """The width that the configuration promises; `hub` compares it with what comes out.

    Pooling comes last: for EmbeddingGemma-2 sentence-transformers may write the width before its projection there.
    """
    own = _optional(folder / "config_sentence_transformers.json")
    dense = [_optional(folder / module["path"] / "config.json") for module in modules if _kind(module) == "Dense"]
    pooling = [_optional(folder / module["path"] / "config.json") for module in modules if _kind(module) == "Pooling"]
    config = _optional(folder / modules[0]["path"] / "config.json")
    text = config.get("text_config")
    text = text if isinstance(text, dict) else {}
    for found in (
        own.get("truncate_dim"),
        *(part.get("out_features") for part in reversed(dense)),
        text.get("embedding_dim"),
        config.get("embedding_dim"),
        *(part.get("embedding_dimension") or part.get("word_embedding_dimension") for part in reversed(pooling)),
        text.get("hidden_size"),
        config.get("hidden_size"),
    ):
        if isinstance(found, int) and not isinstance(found, bool) and found > 0:
            return found
    raise BadSettingsError(
        f"--model {folder}: no configuration says how wide its vectors are; write that as truncate_dim into "
        "config_sentence_transformers.json"
    )


def _things(folder: Path, modules: list[dict[str, Any]]) -> set[str]:
    """What the first module takes in: text, image, audio, video; older ones say nothing and take in text."""
    said = _optional(folder / modules[0]["path"] / "sentence_bert_config.json").get("modality_config")
    return set(said) if said and isinstance(said, dict) else {"text"}


def _has_code(folder: Path, modules: list[dict[str, Any]]) -> bool:
    if any(not str(module.get("type", "")).startswith("sentence_transformers.") for module in modules):
        return True
    return any("auto_map" in _optional(path) for path in _files(folder) if fnmatch(path.name, "*config*.json"))


def _licence(folder: Path) -> Licence:
    """A model without one is taken for a person's own."""
    cards = sorted(path for path in folder.iterdir() if path.name.lower() == "readme.md" and path.is_file())
    stated = stated_licence(_text(cards[0])) if cards else None
    return stated or Licence("not stated in the folder's README.md", commercial=True)


def _text(card: Path) -> str:
    """The text of a card, also where an editor wrote it as UTF-16."""
    encoding = "utf-16" if card.read_bytes()[:2] in _UTF16 else "utf-8"
    return card.read_text(encoding=encoding, errors="replace")


def _kind(module: dict[str, Any]) -> str:
    return str(module.get("type", "")).rpartition(".")[2]


def _optional(path: Path) -> dict[str, Any]:
    """A JSON object, or {} where there is no such file or it holds something else."""
    try:
        return cast("dict[str, Any]", _json(path, dict))
    except ModelMismatchError:
        return {}


def _json(path: Path, kind: type) -> Any:
    try:
        if path.exists() and not path.is_file():
            raise ValueError("it is no file")
        found = json.loads(path.read_text(encoding="utf-8"))
    except PermissionError:
        raise
    except (OSError, ValueError, RecursionError) as error:
        raise ModelMismatchError(f"{str(path)!r} cannot be read: {error}; copy the model again") from error
    if not isinstance(found, kind):
        raise ModelMismatchError(f"{str(path)!r} is not what it should be (JSON {kind.__name__}); copy the model again")
    return found
