"""The crawl: every file under a root, knowing nothing of media."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

IGNORE_FILE = ".omniaignore"  # in any folder: what to leave out below it, in the syntax of .gitignore

# Left by operating systems and sync tools beside people's files; names that begin with a dot are left out too.
_NOT_MEDIA = frozenset({"@eadir", "__macosx", "$recycle.bin", "system volume information", "thumbs.db", "desktop.ini"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A path that a crawl came upon.

    Args:
        problem: why it cannot even be looked at, or "".
        is_regular: False for pipes, sockets and devices, which must never be opened.
    """

    path: str
    size_bytes: int = 0
    mtime_ns: int = 0
    problem: str = ""
    is_regular: bool = True


@dataclass(slots=True)
class Crawl:
    """One walk over a root; iterate it once, then ask what could not be read.

    Links to files are followed, links to folders are not, so that no loop can hold the walk.

    Args:
        root: a folder, or a single file.
        exclude: a folder to leave out (the library's own).
        unreadable: folders that could not be listed, filled while walking.
    """

    root: Path
    exclude: Path | None = None
    unreadable: list[str] = field(default_factory=list)
    found: int = 0

    def __iter__(self) -> Iterator[Found]:
        """Every file under the root, folder by folder, in the order of their names."""
        folders: list[tuple[str, tuple[_Ignore, ...]]] = [(os.fspath(self.root), ())]
        if not self.root.is_dir():
            folders = []
            yield self._look(os.fspath(self.root))
        while folders:
            folder, ignores = folders.pop()
            try:
                with os.scandir(folder) as entries:
                    listed = sorted(entries, key=lambda entry: entry.name)
                if any(entry.name == IGNORE_FILE for entry in listed):
                    ignores = (*ignores, _Ignore(folder))
            except OSError as error:
                self.unreadable.append(f"{folder!r}: {(error.strerror or 'cannot be listed').lower()}")
                continue
            except ValueError as error:
                self.unreadable.append(f"{os.path.join(folder, IGNORE_FILE)!r}: {error}")
                continue
            deeper: list[str] = []
            for entry in listed:
                if entry.name.startswith(".") or entry.name.lower() in _NOT_MEDIA:
                    continue
                is_folder = _is_folder(entry)
                if any(ignore.covers(entry.path, is_folder=is_folder) for ignore in ignores):
                    continue
                if is_folder:
                    if self.exclude is None or Path(entry.path) != self.exclude:
                        deeper.append(entry.path)
                elif not _is_link_to_folder(entry):
                    yield self._look(entry.path)
            folders.extend((path, ignores) for path in reversed(deeper))

    def _look(self, path: str) -> Found:
        self.found += 1
        try:
            status = os.stat(path)
        except OSError as error:
            return Found(path=path, problem=_problem(path, error))
        return Found(
            path=path,
            size_bytes=status.st_size,
            mtime_ns=status.st_mtime_ns,
            is_regular=stat.S_ISREG(status.st_mode),
        )


class _Ignore:
    """The patterns of one ignore file, which cover everything below its folder.

    Raises:
        OSError: it cannot be read.
        ValueError: a line is no pattern.
    """

    def __init__(self, folder: str) -> None:
        from pathspec import GitIgnoreSpec

        self._folder = folder
        text = Path(folder, IGNORE_FILE).read_text(encoding="utf-8", errors="replace")
        self._spec: GitIgnoreSpec = GitIgnoreSpec.from_lines(text.splitlines())

    def covers(self, path: str, *, is_folder: bool) -> bool:
        relative = os.path.relpath(path, self._folder).replace(os.sep, "/")
        return self._spec.match_file(relative + "/" if is_folder else relative)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False


def _is_link_to_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_symlink() and entry.is_dir()
    except OSError:
        return False


def _problem(path: str, error: OSError) -> str:
    if error.errno == errno.ELOOP:
        return "symbolic link that leads back to itself"
    if error.errno == errno.ENOENT and os.path.islink(path):
        return "symbolic link to a file that does not exist"
    return f"cannot be looked at: {(error.strerror or str(error)).lower()}"
