"""The crawl: every file under a root, knowing nothing of media."""

from __future__ import annotations

import errno
import os
import re
import stat
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from data.records import changed_ns

IGNORE_FILE = ".omniaignore"  # in any folder: what to leave out below it, in the syntax of .gitignore
_IGNORE_BYTES = 256 * 1024  # of such a file
_DEEP = 2  # most `**` of a pattern: each is tried at every depth
_STAR, _END = "[^/]*", "ps_d"  # what pathspec makes of a star, and calls the end of a folder's name

_KEPT_FOR_BYTES = re.compile("[\U0010ff00\U0010ff80-\U0010ffff]")  # by `data.tables.PathText`

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
        unreadable: folders that could not be listed, or whose ignore file could not be used, and what has a name that
            cannot be kept, each with why.
        empty: folders that nothing at all lies in.
        left_out: how many files and folders ignore files have left out.
    """

    root: Path
    exclude: Path | None = None
    among: frozenset[str] = frozenset()
    passed: set[str] = field(default_factory=set)
    unreadable: dict[str, str] = field(default_factory=dict)
    empty: list[str] = field(default_factory=list)
    found: int = 0
    left_out: int = 0

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
                if _is_left_out(entry.path, ignores, is_folder=is_folder):
                    self.left_out += 1
                    continue
                if _KEPT_FOR_BYTES.search(entry.name):
                    self.unreadable[entry.path] = f"{entry.path!r}: a character of its name means nothing; rename it"
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


def _is_left_out(path: str, ignores: Sequence[_Ignore], *, is_folder: bool) -> bool:
    """What the innermost ignore file says that says anything of it; the folders it lies in are not left out."""
    said = (ignore.says(path, is_folder=is_folder) for ignore in reversed(ignores))
    return next((is_out for is_out in said if is_out is not None), False)


class _Ignore:
    """The patterns of one ignore file, which are about everything below its folder.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no file of patterns, or a line is none.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        lines = enumerate(re.split(r"\r?\n", _ignore_file(os.path.join(folder, IGNORE_FILE))), start=1)
        patterns = [_pattern(number, line) for number, line in lines]
        self._patterns = [pattern for pattern in reversed(patterns) if pattern is not None]

    def says(self, path: str, *, is_folder: bool) -> bool | None:
        """Whether a path is to be left out, as the last line says that means it; None where none does."""
        name = _composed(os.path.relpath(path, self._folder).replace(os.sep, "/")) + "/" * is_folder
        return next((pattern.is_out for pattern in self._patterns if pattern.means(name)), None)


@dataclass(frozen=True, slots=True)
class _Pattern:
    """One line of an ignore file; `is_out` is False where it takes back what others leave out."""

    regex: re.Pattern[str]
    is_out: bool

    def means(self, name: str) -> bool:
        """Whether it means this itself, not only a folder around it or what lies in it."""
        ends = (match.end() for match in self.regex.finditer(name))
        if _END in self.regex.groupindex:
            return any(end == len(name) for end in ends)
        return any(end < len(name) or name[-1] != "/" for end in ends)


def _ignore_file(path: str) -> str:
    """Its text; what is no regular file is never opened, for a pipe would hold the walk."""
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode) or status.st_size > _IGNORE_BYTES:
        raise ValueError(f"not a regular file of {_IGNORE_BYTES >> 10} KiB at most; nothing beside it is looked at")
    with open(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as file:
        text = file.read(_IGNORE_BYTES)
    if b"\0" in text:
        raise ValueError("not a text in UTF-8; nothing beside it is looked at")
    return _composed(text.decode("utf-8-sig", errors="surrogateescape"))  # as names are that are no UTF-8


def _composed(text: str) -> str:
    """One form for what looks the same: macOS takes letters and their marks apart in names, keyboards do not."""
    return unicodedata.normalize("NFC", text)


def _pattern(number: int, line: str) -> _Pattern | None:
    """What one line of an ignore file means, in the form that takes the least time for any name; None for nothing."""
    from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

    try:
        regex, is_out = GitIgnoreSpecPattern.pattern_to_regex(line)
        if regex is None or is_out is None:
            return None
        if regex.count(".+") > _DEEP:
            raise ValueError(f"more than {_DEEP} times '**'")
        return _Pattern(re.compile(_straight(regex)), is_out)
    except (ValueError, re.error) as error:
        raise ValueError(f"line {number}: {error}; nothing beside it is looked at") from error


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
