"""Away: roots and folders that are not there now, as a drive leaves them, and keep what is known of their files."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from data.catalogue import Catalogue, holding
from data.errors import BadSettingsError
from data.settings import at_home
from indexer.crawl import EMPTY, IGNORE_FILE, Crawl, absence


@dataclass(frozen=True, slots=True)
class Kept:
    """What a crawl did not see and does not lose.

    Args:
        folders: whose files stay.
        why: what is the matter with the root, or "".
        problems: the same for a person, one line each, with what to do.
    """

    folders: frozenset[str] = frozenset()
    why: str = ""
    problems: tuple[str, ...] = ()


def roots_of(paths: Sequence[Path], catalogue: Catalogue) -> list[Path]:
    """Absolute roots without repeats, and known ones inside them that are away now; outer ones first.

    Raises:
        BadSettingsError: a path does not exist and was never ingested.
    """
    known = catalogue.roots()
    roots = {absolute(path) for path in paths}
    for root in sorted(roots):
        if not os.path.lexists(root) and str(root) not in known:
            raise BadSettingsError(f"{str(root)!r} does not exist: give a folder or a file to ingest")
    inside = {Path(one) for one in known if _lies_inside(one, roots)}
    away = {
        root for root in inside if absence(root) and catalogue.has_files(str(root)) and _stays(str(root), catalogue)
    }
    return sorted(roots | away)


def absolute(path: Path) -> Path:
    """A path from the root on, by the name that its root is known by.

    Raises:
        BadSettingsError: it begins with a user who is not known.
    """
    whole = os.path.abspath(at_home(path))
    return Path(whole[1:] if whole.startswith("//") else whole)  # POSIX lets two slashes stand for something else


def crawls(roots: Sequence[Path], *, known: Collection[str], home: Path) -> Iterator[Crawl]:
    """A crawl of each root, but for those that an earlier one has passed; each is walked before the next is asked for.

    A root inside another one is passed unless it is away, behind a link, or left out there.
    """
    among = frozenset({*known, *map(str, roots)})
    passed: set[str] = set()
    for root in roots:
        if str(root) not in passed:
            crawl = Crawl(root, exclude=home, among=among)
            yield crawl
            passed |= crawl.passed


def kept(crawl: Crawl, catalogue: Catalogue, *, run: int) -> Kept:
    """What stays of the files that a crawl did not see: those of other roots, and of folders that are away."""
    root = str(crawl.root)
    inside = {one for one in catalogue.roots() if _lies_inside(one, {crawl.root})} - crawl.passed
    others = {one for one in inside if _stays(one, catalogue)}
    away = {*crawl.unreadable, *crawl.empty} - others
    if crawl.found and not others and not away:
        return Kept()
    missed: Counter[str | None] = Counter()
    for path in catalogue.unseen(run, root):
        if holding(path, others) is None:
            missed[holding(path, away)] += 1
    unreadable = _unreadable(crawl)
    is_empty = not crawl.found and not crawl.left_out
    if is_empty and (missed[None] or root in crawl.unreadable):
        why = unreadable or EMPTY
        return Kept(frozenset({root}), why, (offline(root, why),))
    empty = [folder for folder in crawl.empty if missed[folder]]
    mend = f"nothing of that was removed; mend it, or leave it out by {os.path.join(root, IGNORE_FILE)!r}"
    problems = [f"{root!r} {unreadable}: {mend}"] * bool(unreadable)
    problems += [_emptied(folder, missed[folder]) for folder in empty]
    why = "; ".join([unreadable] * bool(unreadable) + [f"holds {folder!r}, which is empty now" for folder in empty])
    return Kept(frozenset({*others, *crawl.unreadable, *empty}), why, tuple(problems))


def offline(root: str, why: str) -> str:
    """What a person is told of a root that is away."""
    return f"{root!r} {why}: nothing of it was removed; to forget it: python -m indexer prune {root!r}"


def _emptied(folder: str, files: int) -> str:
    counted = "1 file is" if files == 1 else f"{files:,} files are"
    return f"{folder!r} {EMPTY}: its {counted} kept; if you emptied it: python -m indexer prune {folder!r}"


def _unreadable(crawl: Crawl) -> str:
    if not crawl.unreadable:
        return ""
    more = f" and {len(crawl.unreadable) - 1:,} more" if len(crawl.unreadable) > 1 else ""
    return f"could not be read in full: {next(iter(crawl.unreadable.values()))}{more}"


def _lies_inside(path: str, roots: Collection[Path]) -> bool:
    return any(parent in roots for parent in Path(path).parents)


def _stays(root: str, catalogue: Catalogue) -> bool:
    """Whether a root that no crawl has passed keeps its files: all but a single file that has left a folder."""
    is_lost = not os.path.lexists(root) and os.path.isdir(os.path.dirname(root))
    return not (is_lost and catalogue.has_file(root))
