"""Status: what the library holds, for a person or for a program."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from data.catalogue import Filling, LibrarySummary, Running
from data.records import FileState, Kind


def status_as_json(
    summary: LibrarySummary, notes: Mapping[str, Sequence[str]], *, models: Sequence[Filling], is_ingesting: bool
) -> dict[str, Any]:
    """Roots, files by kind and state, segments by fingerprint, models, runs under way, what was left out."""
    running = summary.running if is_ingesting else ()
    kinds: dict[str, dict[str, int]] = {}
    for (kind, state), number in summary.counts.items():
        kinds.setdefault(kind or "unknown", {})[state] = number
    return {
        "roots": [{"path": r.path, "files": r.files, "offline": r.offline_reason} for r in summary.roots],
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
            }
            for one in models
        ],
        "running": [_running(one) for one in running],
        "notes": {path: list(lines) for path, lines in notes.items()},
    }


def status_as_text(
    summary: LibrarySummary, notes: Mapping[str, Sequence[str]], *, models: Sequence[Filling], is_ingesting: bool
) -> str:
    if not summary.roots:
        return "the library is empty: python -m indexer ingest FOLDER"
    lines = ["roots"]
    for root in summary.roots:
        lines.append(
            f"  {root.path!r}: {root.files:,} files" + (f"; {root.offline_reason}" * bool(root.offline_reason))
        )
    lines.append("files")
    for kind in (*Kind, None):
        states = {state: summary.counts.get((kind, state), 0) for state in FileState}
        if any(states.values()):
            told = ", ".join(f"{number:,} {state}" for state, number in states.items() if number)
            lines.append(f"  {kind or 'unknown'}: {told}")
    lines.append("models")
    lines.extend(f"  {_model(one)}" for one in models)
    if is_ingesting:
        lines.extend(
            f"being ingested for {time.time() - one.started_at:.0f} s: {one.root!r}; {one.progress.as_text()}"
            for one in summary.running
        )
    if notes:
        lines.append("left out")
        lines.extend(f"  {path!r}: {line}" for path, told in notes.items() for line in told)
    return "\n".join(lines)


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


def _model(filling: Filling) -> str:
    """One model, what it holds and what it lacks."""
    name, fingerprint = filling.model.name, filling.model.fingerprint
    held = f"{name} ({fingerprint}): {filling.contents:,} contents, {filling.segments:,} segments"
    if filling.is_active:
        return f"{held}; it answers"
    filled = sum(not root.missing for root in filling.roots)
    lacks = f"{filled:,} of {len(filling.roots):,} folders filled, {filling.missing:,} files missing"
    return f"{held}; {lacks if filling.missing else 'nothing is missing'}"
