"""The crawl: every file under a root, knowing nothing of media."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from data.records import changed_ns

if TYPE_CHECKING:
    from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

IGNORE_FILE = ".omniaignore"  # in any folder: what to leave out below it, in the syntax of .gitignore
_IGNORE_BYTES = 256 * 1024  # of such a file
_DEEP = 2  # most `**` of a pattern: each is tried at every depth
_STAR = "[^/]*"  # what pathspec makes of a star

EMPTY, GONE = "is empty now (a drive that is not mounted?)", "is not there (a drive that is not mounted?)"

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
        exclude: a folder to leave out (the library's own), whatever path leads to it.
        among: other roots.
        passed: those of them that the walk came through, filled while walking.
        unreadable: folders that could not be listed, or whose ignore file could not be used, each with why.
        empty: folders that nothing at all lies in.
    """

    root: Path
    exclude: Path | None = None
    among: frozenset[str] = frozenset()
    passed: set[str] = field(default_factory=set)
    unreadable: dict[str, str] = field(default_factory=dict)
    empty: list[str] = field(default_factory=list)
    found: int = 0

    def __iter__(self) -> Iterator[Found]:
        """Every file under the root, folder by folder, in the order of their names."""
        root = os.fspath(self.root)
        folders: list[tuple[str, tuple[_Ignore, ...]]] = [(root, ())]
        excluded = None if self.exclude is None else _identity(self.exclude)
        if os.path.exists(root) and not os.path.isdir(root):
            folders = []
            yield self._look(root)
        while folders:
            folder, ignores = folders.pop()
            listed, ignores = self._list(folder, ignores)
            deeper: list[str] = []
            for entry in listed:
                if entry.name.startswith(".") or entry.name.lower() in _NOT_MEDIA:
                    continue
                is_folder = _is_folder(entry)
                if any(ignore.covers(entry.path, is_folder=is_folder) for ignore in ignores):
                    continue
                if is_folder:
                    if excluded is None or _identity(entry.path) != excluded:
                        deeper.append(entry.path)
                elif not _is_link_to_folder(entry) and not self._is_root_away(entry.path):
                    yield self._look(entry.path)
            folders.extend((path, ignores) for path in reversed(deeper))

    def _list(self, folder: str, ignores: tuple[_Ignore, ...]) -> tuple[list[os.DirEntry[str]], tuple[_Ignore, ...]]:
        """What lies in a folder, by name, and what is to be left out of it; nothing where that cannot be told."""
        try:
            with os.scandir(folder) as entries:
                listed = sorted(entries, key=lambda entry: entry.name)
            if any(entry.name == IGNORE_FILE for entry in listed):
                ignores = (*ignores, _Ignore(folder))
        except OSError as error:
            what = (error.strerror or "cannot be listed").lower()
            self.unreadable[folder] = f"{error.filename or folder!r}: {what}"
            return [], ignores
        except ValueError as error:
            self.unreadable[folder] = f"{os.path.join(folder, IGNORE_FILE)!r}: {error}"
            return [], ignores
        if not listed:
            self.empty.append(folder)
        elif folder in self.among:
            self.passed.add(folder)
        return listed, ignores

    def _is_root_away(self, path: str) -> bool:
        """Whether this is a link that was ingested by itself and leads to nothing now: no file that is broken."""
        return path in self.among and not os.path.exists(path)

    def _look(self, path: str) -> Found:
        self.found += 1
        if path in self.among:
            self.passed.add(path)
        try:
            status = os.stat(path)
        except OSError as error:
            return Found(path=path, problem=_problem(path, error))
        return Found(
            path=path,
            size_bytes=status.st_size,
            mtime_ns=changed_ns(status),
            is_regular=stat.S_ISREG(status.st_mode),
        )


def absence(root: Path) -> str:
    """Why a root is taken to be away, as a drive that is not mounted leaves it, or ""."""
    try:
        if not stat.S_ISDIR(os.stat(root).st_mode):
            return ""
        with os.scandir(root) as entries:
            return EMPTY if next(entries, None) is None else ""
    except (FileNotFoundError, NotADirectoryError):
        return GONE
    except OSError:
        return ""  # it is there, and the crawl says what is wrong with it


class _Ignore:
    """The patterns of one ignore file, which cover everything below its folder.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no file of patterns, or a line is none.
    """

    def __init__(self, folder: str) -> None:
        from pathspec import GitIgnoreSpec

        self._folder = folder
        lines = enumerate(_ignore_file(os.path.join(folder, IGNORE_FILE)).splitlines(), start=1)
        self._spec = GitIgnoreSpec([pattern for number, line in lines for pattern in _patterns(number, line)])

    def covers(self, path: str, *, is_folder: bool) -> bool:
        relative = os.path.relpath(path, self._folder).replace(os.sep, "/")
        return self._spec.match_file(relative + "/" if is_folder else relative)


def _ignore_file(path: str) -> str:
    """Its text; what is no regular file is never opened, for a pipe would hold the walk."""
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode) or status.st_size > _IGNORE_BYTES:
        raise ValueError(f"not a regular file of {_IGNORE_BYTES >> 10} KiB at most; nothing beside it is looked at")
    with open(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as file:
        return file.read(_IGNORE_BYTES).decode("utf-8", errors="replace")


def _patterns(number: int, line: str) -> Sequence[GitIgnoreSpecPattern]:
    """What one line of an ignore file means, in the form that takes the least time for any name."""
    from pathspec import GitIgnoreSpec

    try:
        patterns = GitIgnoreSpec.from_lines([line]).patterns
    except ValueError as error:
        raise ValueError(f"line {number}: {error}; nothing beside it is looked at") from error
    for pattern in patterns:
        if pattern.regex is None:
            continue
        if pattern.regex.pattern.count(".+") > _DEEP:
            raise ValueError(f"line {number}: more than {_DEEP} times '**'; nothing beside it is looked at")
        pattern.regex = re.compile(_straight(pattern.regex.pattern))
    return patterns


def _straight(regex: str) -> str:
    """What is between two stars is taken where it first is, which is as good as any later place, and never tried again.

    Else `*a*a*a*b` would try all threes of a's in a name.
    """
    first, *pieces = regex.split(_STAR)
    told = [first]
    for number, piece in enumerate(pieces, start=1):
        is_between = number < len(pieces) and "/" not in piece.replace("[^/]", "")
        told.append(f"(?>{_STAR}?{piece})" if is_between else _STAR + piece)
    return "".join(told)


def _identity(folder: str | Path) -> tuple[int, int] | None:
    """What is the same of a folder by whatever path, None where it is not there."""
    try:
        status = os.stat(folder)
    except OSError:
        return None
    return status.st_dev, status.st_ino


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
