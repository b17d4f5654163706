"""Status: what the library holds, for a person or for a program."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data.catalogue import Filling, LibrarySummary, RootSummary, Running
from data.printing import counted
from data.records import FileState, Kind
from data.settings import Settings

_BLOCK_BYTES = 512  # of `st_blocks`, on any file system


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a library lies.

    Args:
        size_bytes: what its folder takes on the disk, which for sparse files is less than their lengths.
        id: in the names of its collections on a Qdrant server, "" where the vectors lie in the folder.
        elsewhere: what of it does not lie in the folder.
    """

    home: Path
    size_bytes: int
    id: str = ""
    elsewhere: tuple[str, ...] = ()

    def as_text(self) -> str:
        size = f"{self.size_bytes / 1e9:,.1f} GB" if self.size_bytes >= 1e9 else f"{self.size_bytes / 1e6:,.1f} MB"
        name = f"library {str(self.home)!r}" + f" (ID {self.id})" * bool(self.id)
        return "; ".join([f"{name}: {size} on disk", *self.elsewhere])


def place_of_library(settings: Settings, library_id: str) -> Place:
    """Where the library of the settings lies, measured now."""
    elsewhere = []
    if not settings.has_own_catalogue:
        elsewhere.append("the catalogue at OMNIA_CATALOGUE_URL")
    if settings.qdrant_url:
        elsewhere.append("the vectors at OMNIA_QDRANT_URL")
    shown = library_id if settings.qdrant_url else ""
    return Place(home=settings.home, size_bytes=_on_disk(settings.home), id=shown, elsewhere=tuple(elsewhere))


def status_as_json(
    summary: LibrarySummary,
    notes: Mapping[str, Sequence[str]],
    *,
    place: Place,
    models: Sequence[Filling],
    trouble: str,
    is_ingesting: bool,
) -> dict[str, Any]:
    """Its place, roots, files by kind and state, segments by fingerprint, models, runs under way, what was left out."""
    running = summary.running if is_ingesting else ()
    kinds: dict[str, dict[str, int]] = {}
    for (kind, state), number in summary.counts.items():
        kinds.setdefault(kind or "unknown", {})[state] = number
    return {
        "library": str(place.home),
        "id": place.id,
        "size_bytes": place.size_bytes,
        "roots": [
            {"path": r.path, "files": r.files, "inside": _around(r, summary.roots), "offline": r.offline_reason}
            for r in summary.roots
        ],
        "kinds": kinds,
        "segments": summary.segments,
        "models": [
            {
                "model": one.model.name,
                "fingerprint": one.model.fingerprint,
                "active": one.is_active,
                "contents": one.contents,
                "segments": one.segments,
                "missing": one.missing,
                "unfound": one.unfound,
                "trouble": trouble * one.is_active,
            }
            for one in models
        ],
        "running": [_running(one) for one in running],
        "notes": {path: list(lines) for path, lines in notes.items()},
    }


def status_as_text(
    summary: LibrarySummary,
    notes: Mapping[str, Sequence[str]],
    *,
    place: Place,
    models: Sequence[Filling],
    trouble: str,
    is_ingesting: bool,
) -> str:
    """The same for a person; `trouble` is why the model that should answer cannot, or empty."""
    if not summary.roots:
        return f"{place.as_text()}\nthe library is empty: python -m indexer ingest FOLDER"
    lines = [place.as_text(), "roots"]
    for root in summary.roots:
        lines.append(
            f"  {root.path!r}: {_files(root, summary.roots)}" + (f"; {root.offline_reason}" * bool(root.offline_reason))
        )
    lines.append("files")
    for kind in (*Kind, None):
        states = {state: summary.counts.get((kind, state), 0) for state in FileState}
        if any(states.values()):
            told = ", ".join(f"{number:,} {state}" for state, number in states.items() if number)
            lines.append(f"  {kind or 'unknown'}: {told}")
    lines.append("models")
    lines.extend(f"  {_model(one, trouble)}" for one in models)
    if is_ingesting:
        lines.extend(
            f"being ingested for {time.time() - one.started_at:.0f} s: {one.root!r}; {one.progress.as_text()}"
            for one in summary.running
        )
    if notes:
        lines.append("left out")
        lines.extend(f"  {path!r}: {line}" for path, told in notes.items() for line in told)
    return "\n".join(lines)


def _on_disk(folder: Path) -> int:
    """Bytes that a folder takes; what goes away meanwhile counts nothing."""
    total = 0
    for where, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(where, name)).st_blocks * _BLOCK_BYTES
            except OSError:
                continue
    return total


def _around(root: RootSummary, roots: Sequence[RootSummary]) -> str | None:
    """The outermost of the roots that a root lies in."""
    around = (other.path for other in roots if root.path.startswith(other.path.rstrip("/") + "/"))
    return min((path for path in around if path != root.path), key=len, default=None)


def _files(root: RootSummary, roots: Sequence[RootSummary]) -> str:
    """How many files a root holds; a file in two of them is noted under one, and counts for the outermost."""
    around = _around(root, roots)
    if around is not None:
        return f"(inside {around!r})"
    return counted(root.files + sum(other.files for other in roots if _around(other, roots) == root.path), "file")


def _running(one: Running) -> dict[str, Any]:
    """A crawl under way, with the numbers of its whole ingest."""
    progress = one.progress
    return {
        "root": one.root,
        "seconds": round(time.time() - one.started_at, 1),
        "files_done": progress.files_done,
        "files": progress.files,
        "bytes_done": progress.bytes_done,
        "bytes": progress.size_bytes,
        "failed": progress.failed,
        "at": progress.at,
        "seconds_left": None if progress.left_s is None else round(progress.left_s),
    }


def _model(filling: Filling, trouble: str) -> str:
    """One model, what it holds, and what it lacks or, of the one that should answer, why it cannot."""
    name, fingerprint = filling.model.name, filling.model.fingerprint
    held = f"{name} ({fingerprint}): {counted(filling.contents, 'content')}, {counted(filling.segments, 'segment')}"
    if filling.is_active:
        return f"{held}; " + (f"it should answer, and cannot: {trouble}" if trouble else "it answers")
    filled = sum(not root.missing for root in filling.roots)
    lacks = f"{filled:,} of {counted(len(filling.roots), 'folder')} filled, {counted(filling.missing, 'file')} missing"
    refused = filling.unfound - filling.missing
    left = f", {counted(refused, 'file')} failed or skipped that the other finds" * bool(refused)
    return f"{held}; {lacks if filling.missing else 'nothing is missing'}{left}"
